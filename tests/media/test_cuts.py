"""SceneCuts on plain pictures."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.media.cuts import SceneCuts
from stream_retouch.media.frames import Picture

HALF = np.full((90, 160), 128, np.uint8)


def scene(
    seed: int, gain: float = 1.0, shift: int = 0, size: tuple[int, int] = (180, 320)
) -> Picture:
    """Large random blocks, lit and moved."""
    blocks = np.random.default_rng(seed).integers(40, 160, (9, 16)).astype(np.float64)
    luma = np.kron(blocks, np.ones((20, 20))) * gain
    luma = np.roll(luma, shift, axis=1)[: size[0], : size[1]]
    return Picture(luma.clip(0, 255).astype(np.uint8), HALF, HALF, True, "bt601", "center")


def test_the_first_frame_is_no_cut() -> None:
    assert not SceneCuts().is_cut(scene(0))


def test_another_scene_is_a_cut_and_the_frame_after_it_is_none() -> None:
    cuts = SceneCuts()
    assert [cuts.is_cut(scene(i)) for i in (0, 0, 1, 1)] == [False, False, True, False]


@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_a_lamp_that_goes_on_or_off_is_no_cut(gain: float) -> None:
    cuts = SceneCuts()
    cuts.is_cut(scene(0))
    assert not cuts.is_cut(scene(0, gain))


def test_a_pan_that_speeds_up_is_no_cut() -> None:
    cuts, place = SceneCuts(), 0
    for step in (0, 2, 4, 6, 10, 14, 14):
        place += step
        assert not cuts.is_cut(scene(0, shift=place))


def test_another_picture_shape_is_a_cut() -> None:
    cuts = SceneCuts()
    cuts.is_cut(scene(0))
    assert cuts.is_cut(scene(0, size=(180, 160)))


def test_black_frames_are_compared_without_a_fault() -> None:
    cuts = SceneCuts()
    assert [cuts.is_cut(scene(0, gain)) for gain in (0.0, 0.0, 1.0)] == [False, False, True]
