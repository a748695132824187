"""The poor camera: what nobody painted stays the same in both pictures, and seeds decide all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.webcam import degraded, through_h264, through_jpeg

SIDE = 128


def painted(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """A grainy picture with a dark spot, the same without it, and what lies away from it."""
    rng = np.random.default_rng(seed)
    target = (0.55 + rng.normal(0, 0.02, (SIDE, SIDE, 3))).astype(np.float32)
    source = target.copy()
    source[60:68, 60:68] *= 0.5
    away = np.ones((SIDE, SIDE), bool)
    away[40:88, 40:88] = False
    return source, target, away


def test_untouched_pixels_are_the_same_in_both_pictures_and_the_spot_is_not() -> None:
    source, target, away = painted(1)
    seen = set()
    for seed in range(40):
        a, b = degraded(source, target, np.random.default_rng(seed))
        assert a.dtype == b.dtype == np.uint8
        assert np.array_equal(a[away], b[away])
        assert np.abs(a[62:66, 62:66].astype(int) - b[62:66, 62:66]).mean() > 8
        seen.add(a.tobytes())
    assert len(seen) > 20


def test_a_pair_that_is_alike_stays_alike() -> None:
    _, target, _ = painted(2)
    for seed in range(12):
        a, b = degraded(target, target, np.random.default_rng(seed))
        assert np.array_equal(a, b)


def test_the_same_seed_gives_the_same_pictures() -> None:
    source, target, _ = painted(3)
    for seed in range(12):
        first, again = (degraded(source, target, np.random.default_rng(seed)) for _ in range(2))
        assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))


def test_coarser_coding_loses_more() -> None:
    picture = (painted(4)[0] * 255).astype(np.uint8)

    def error(coded: NDArray[np.uint8]) -> float:
        return float(np.abs(coded.astype(int) - picture).mean())

    assert error(through_h264(picture, 18)) < error(through_h264(picture, 34))
    assert error(through_jpeg(picture, 90)) < error(through_jpeg(picture, 40))
