"""Figures on validation persons: nothing removes nothing, and the target is perfect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.retouchgpt.model import RetouchGPT
from tests.training.made_up_cache import made_up_cache
from tests.training.tiny import NETWORK
from training.portrait_cache import PortraitCache
from training.validation import Scene, Sums, measure, painted_scenes, seen


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Scene]:
    cache = PortraitCache(made_up_cache(tmp_path_factory.mktemp("validation") / "cache"))
    return painted_scenes(cache, 2)


def figures(scenes: list[Scene], which: str) -> dict[str, float]:
    sums = Sums()
    for scene in scenes:
        sums.add(scene, seen(getattr(scene.example, which)))
    return sums.figures()


def test_doing_nothing_removes_nothing(scenes: list[Scene]) -> None:
    found = figures(scenes, "source")
    assert found["masked_psnr_gain_db"] == 0
    assert found["named_removed"] == 0
    assert found["clean_psnr_db"] == 99
    assert found["unnamed_changed"] == 0


def test_the_target_removes_all_and_changes_nothing_else(scenes: list[Scene]) -> None:
    found = figures(scenes, "target")
    assert found["named_removed"] == 1
    assert found["worst_kind_removed"] == 1
    assert found["masked_psnr_gain_db"] > 40
    assert found["unnamed_changed"] < 0.05


def test_scenes_are_always_the_same(scenes: list[Scene], tmp_path: Path) -> None:
    again = painted_scenes(PortraitCache(made_up_cache(tmp_path / "cache")), 1)
    assert np.array_equal(again[0].example.source, scenes[0].example.source)
    assert not np.array_equal(scenes[0].example.source, scenes[1].example.source)


def test_a_network_is_measured_through_the_paste(scenes: list[Scene]) -> None:
    found = measure(RetouchGPT(NETWORK).eval(), scenes[:1])
    assert found["named_removed"] != 0
    assert set(found["by_kind"]) <= {k for s in scenes for k in s.kinds}
