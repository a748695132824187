"""The classical filters smooth skin, and nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.quality.filters import BEST, FILTERS, GRID, filtered
from benchmarks.quality.tune import settings

SIDE = 96


def noisy() -> np.ndarray:
    rng = np.random.default_rng(4)
    return (170 + rng.normal(0, 4, (SIDE, SIDE, 3))).astype(np.float32)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_smooths_skin_only(name: str) -> None:
    picture, skin = noisy(), np.zeros((SIDE, SIDE), np.float32)
    skin[:, : SIDE // 2] = 1.0
    out = filtered(name, picture, skin, (0, 0, SIDE))
    left, right = np.s_[16:-16, 8:40], np.s_[16:-16, SIDE // 2 :]
    assert out[left].std() < 0.8 * picture[left].std()
    assert np.abs(out[right] - picture[right]).max() < 1e-3


@pytest.mark.parametrize("name", FILTERS)
def test_outside_the_square_nothing_changes(name: str) -> None:
    picture, skin = noisy(), np.ones((SIDE, SIDE), np.float32)
    out = filtered(name, picture, skin, (20, 30, 40))
    assert np.array_equal(out[:30], picture[:30]) and np.array_equal(out[:, 60:], picture[:, 60:])
    assert not np.array_equal(out[30:70, 20:60], picture[30:70, 20:60])


def test_the_guided_filter_keeps_edges_above_its_variance_and_flattens_those_below() -> None:
    step = np.full((SIDE, SIDE, 3), 60.0, np.float32)
    step[:, SIDE // 2 :] = 200.0
    skin = np.ones((SIDE, SIDE), np.float32)
    edge = SIDE // 2
    sharp, soft = (
        FILTERS["guided"](step, skin, 1.0, {"radius": 4.0, "eps": eps}) for eps in (1e-4, 1.0)
    )
    assert sharp[48, edge, 0] - sharp[48, edge - 1, 0] > 130
    assert soft[48, edge, 0] - soft[48, edge - 1, 0] < 40


def test_the_best_settings_are_among_those_that_were_tried() -> None:
    assert BEST.keys() == GRID.keys() == FILTERS.keys()
    for name, best in BEST.items():
        assert dict(best) in list(settings(name))


def test_the_grid_is_tried_whole() -> None:
    for name, keys in GRID.items():
        assert len(list(settings(name))) == len(list(itertools.product(*keys.values())))
