"""The arithmetic of the quality figures, and the frozen held-out set."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import heldout
from benchmarks.quality import Sums, Views, psnr, to_frame, to_rgb, tone_of
from training.splits import HELDOUT_PERSONS

SHARED = Path(__file__).parents[2].parent / "shared"
needs_portraits = pytest.mark.skipif(
    not (SHARED / "faces" / "portraits" / "landmarks.npz").is_file(),
    reason="needs ../shared/faces/portraits",
)


def views() -> Views:
    """A picture of 100 with two spots of 60: the left one is asked to go, the right one to stay."""
    clean = np.full((8, 16, 3), 100.0, np.float32)
    source, target = clean.copy(), clean.copy()
    source[2:4, 2:4] = source[2:4, 12:14] = target[2:4, 12:14] = 60.0
    wanted, unnamed = np.zeros((8, 16), bool), np.zeros((8, 16), bool)
    wanted[2:4, 2:4] = unnamed[2:4, 12:14] = True
    return Views(
        clean, source, target, wanted, ~(wanted | unnamed), unnamed, {"mole": wanted.copy()}
    )


def figures(picture: np.ndarray) -> dict[str, float]:
    sums = Sums()
    sums.add(picture, views())
    return sums.figures()


def test_doing_nothing_removes_nothing_and_changes_nothing() -> None:
    found = figures(views().source)
    assert found["named_removed"] == pytest.approx(0.0)
    assert found["unnamed_changed"] == 0.0
    assert found["clean_psnr_db"] == 99.0
    assert found["masked_psnr_db"] == pytest.approx(20 * np.log10(255 / 40))


def test_the_target_removes_all_that_was_named() -> None:
    found = figures(views().target)
    assert found["named_removed"] == pytest.approx(1.0)
    assert found["unnamed_changed"] == 0.0
    assert found["masked_psnr_db"] == 99.0


def test_removing_everything_is_charged_for_what_was_not_named() -> None:
    assert figures(views().clean)["unnamed_changed"] == pytest.approx(1.0)


def test_half_an_edit_removes_half() -> None:
    half = (views().source + views().target) / 2
    assert figures(half)["named_removed"] == pytest.approx(0.5)


def test_psnr_of_one_code_is_48_db() -> None:
    assert psnr(100.0, 100.0) == pytest.approx(48.13, abs=0.01)


def test_a_picture_passes_420_and_comes_back() -> None:
    rgb = np.full((16, 24, 3), (200, 150, 120), np.uint8)
    assert np.abs(to_rgb(to_frame(rgb)) - rgb).max() < 2.0


def test_tones_are_told_apart_by_their_angle() -> None:
    assert [tone_of(a) for a in (60.0, 35.0, -10.0)] == ["light", "intermediate", "tan to dark"]


def test_the_frozen_set_holds_only_held_out_persons_and_every_kind() -> None:
    data = json.loads(heldout.FROZEN.read_text())
    assert set(data["persons"]) == HELDOUT_PERSONS
    assert {scene["person"] for scene in data["scenes"]} == HELDOUT_PERSONS
    assert len({kind for scene in data["scenes"] for kind in scene["kinds"]}) == 17
    assert len(heldout.frozen_hash()) == 64


@needs_portraits
def test_frozen_scenes_still_paint_what_they_painted() -> None:
    for scene in itertools.islice(heldout.scenes(SHARED), 2):
        asked = np.abs(scene.source.astype(int) - scene.target).max(-1) > 8
        assert asked.any()
        assert scene.by_kind
