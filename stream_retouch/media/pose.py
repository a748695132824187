"""Where a face's crop lies in the frame: as rows that can be smoothed, as a box, as a size.

A pose is (2, 2): the crop's middle, and the way from that middle to its corners along the face's own
x axis, both in frame pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, FaceBox
from stream_retouch.media.affine import Affine, bounds
from stream_retouch.media.regions import (
    ALIGNMENT_WEIGHTS,
    CANONICAL_EYES_PX,
    CANONICAL_OVAL,
    CANONICAL_POINTS,
)

Floats = NDArray[np.float64]

MIDDLE: Floats = ALIGNMENT_WEIGHTS @ CANONICAL_POINTS
"""The middle of the alignment in the crop: the point about which its errors turn and scale."""
REACH_PX = float(np.hypot(*(np.abs(MIDDLE - CROP_SIZE / 2) + CROP_SIZE / 2)))
"""From that middle to the farthest corner of the crop, crop pixels."""

_LOW, _HIGH = CANONICAL_OVAL
_OVAL_PX = float(np.sqrt(np.prod(_HIGH - _LOW)))


def pose_of(transform: Affine) -> Floats:
    """The pose of a similarity from crop to frame. An error of so many pixels in its second row is
    as many pixels at the crop's farthest corner."""
    return np.stack([transform[:, :2] @ MIDDLE + transform[:, 2], transform[:, 0] * REACH_PX])


def transform_of(pose: Floats) -> Affine:
    """The way back from `pose_of`."""
    a, b = pose[1] / REACH_PX
    matrix = np.array([[a, -b], [b, a]])
    return np.column_stack([matrix, pose[0] - matrix @ MIDDLE])


def transform_of_box(box: FaceBox, ratio: float) -> Affine:
    """The crop of a face whose oval fills the box once turned upright; `ratio` frame pixels per
    pixel of the box."""
    x0, y0, x1, y1 = ((v + 0.5) * ratio - 0.5 for v in (box.x0, box.y0, box.x1, box.y1))
    scale = float(np.sqrt(max(x1 - x0, 1.0) * max(y1 - y0, 1.0))) / _OVAL_PX
    a, b = scale * np.cos(box.roll), scale * np.sin(box.roll)
    matrix = np.array([[a, -b], [b, a]])
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.column_stack([matrix, centre - matrix @ ((_LOW + _HIGH) / 2)])


def eyes_px(transform: Affine) -> float:
    """Distance of the outer eye corners in the frame."""
    return float(np.hypot(*transform[:, 0])) * CANONICAL_EYES_PX


def size_px(transform: Affine) -> float:
    """The face's size in the frame: the square root of its upright oval box's area."""
    return float(np.hypot(*transform[:, 0])) * _OVAL_PX


def centre_of(transform: Affine) -> Floats:
    """(2,) the middle of the oval's box in the frame."""
    return np.asarray(transform[:, :2] @ ((_LOW + _HIGH) / 2) + transform[:, 2])


def apart(one: Affine, other: Affine) -> tuple[float, float]:
    """How far two crops lie apart in sizes of the smaller face, and how many times larger the
    larger one is."""
    small, large = sorted((size_px(one), size_px(other)))
    way = float(np.hypot(*(centre_of(one) - centre_of(other))))
    return way / max(small, 1e-6), large / max(small, 1e-6)


def overlap(one: Affine, other: Affine) -> float:
    """Intersection over union of the boxes around two ovals."""
    a, b = _box(one), _box(other)
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def _box(transform: Affine) -> Floats:
    """(x0, y0, x1, y1) around the oval of a face."""
    return bounds(transform, _LOW[0], _LOW[1], _HIGH[0], _HIGH[1])


def is_upright(transform: Affine) -> bool:
    """Whether a face is rolled by less than 70 degrees: an upside-down one is not followed."""
    return bool(transform[0, 0] > 0.34 * float(np.hypot(*transform[:, 0])))
