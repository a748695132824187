"""Smaller pictures keep what matters."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.service.shrinking import LEAST_LINES, Shrinker
from tests.fakes import make_frame, planes_copy


@pytest.mark.parametrize(
    ("size", "scale", "smaller"),
    [
        ((1280, 720), 0.75, (960, 540)),
        ((1280, 720), 0.5, (640, 360)),
        ((1278, 718), 0.75, (958, 538)),
        ((640, 480), 0.5, (320, 240)),
        ((640, 480), 0.25, (320, 240)),
        ((720, 1280), 0.5, (360, 640)),
    ],
)
def test_a_smaller_picture_has_even_sides_its_time_and_its_colours(
    size: tuple[int, int], scale: float, smaller: tuple[int, int]
) -> None:
    frame = make_frame(*size, pts=4711, matrix="bt709", full_range=True)
    before = planes_copy(frame)
    small = Shrinker().of(frame, scale)
    assert (small.width, small.height) == smaller
    assert (small.pts, small.time_base) == (frame.pts, frame.time_base)
    assert (small.colorspace, small.color_range) == (frame.colorspace, frame.color_range)
    for plane, shrunk, kept in zip(before, planes_copy(small), planes_copy(frame), strict=True):
        assert abs(float(plane.mean()) - float(shrunk.mean())) < 1.0
        np.testing.assert_array_equal(plane, kept)


@pytest.mark.parametrize(("height", "scale"), [(720, 1.0), (LEAST_LINES, 0.5), (120, 0.75)])
def test_whole_and_small_pictures_are_left_alone(height: int, scale: float) -> None:
    frame = make_frame(320, height)
    assert Shrinker().of(frame, scale) is frame
