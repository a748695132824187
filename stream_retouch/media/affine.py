"""Affine maps between a crop, its layers and the planes of a frame.

A map is a (2, 3) float64 array A: ``target_xy = A[:, :2] @ source_xy + A[:, 2]``, pixel centres at
whole numbers. A face's *transform* maps crop pixels (of a CROP_SIZE crop) to luma pixels of the
frame.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE

Affine = NDArray[np.float64]
Siting = Literal["left", "center"]


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner` first and `outer` to its result."""
    both = outer[:, :2] @ inner
    both[:, 2] += outer[:, 2]
    return both


def invert(affine: Affine) -> Affine:
    """The way back; raises ``numpy.linalg.LinAlgError`` for a map that flattens the plane."""
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack((linear, -linear @ affine[:, 2]))


def axis_aligned(scale_x: float, shift_x: float, scale_y: float, shift_y: float) -> Affine:
    """The map x -> scale_x * x + shift_x, y -> scale_y * y + shift_y."""
    return np.array([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]])


def crop_from_grid(size: float) -> Affine:
    """From a grid of `size` pixels a side that covers the whole crop to crop pixels."""
    step = CROP_SIZE / size
    return axis_aligned(step, 0.5 * step - 0.5, step, 0.5 * step - 0.5)


def luma_from_chroma(siting: Siting) -> Affine:
    """From 4:2:0 chroma pixels to luma pixels: "left" is on the even columns, "center" between."""
    return axis_aligned(2.0, 0.0 if siting == "left" else 0.5, 2.0, 0.5)


def scale_of(affine: Affine) -> float:
    """How many target pixels one source pixel is long, the square root of the change of area."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))


def bounds(affine: Affine, x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float64]:
    """(x0, y0, x1, y1) of the image of the box with these corners, in target pixels."""
    corners = np.array([[x0, x1, x0, x1], [y0, y0, y1, y1]])
    images = affine[:, :2] @ corners + affine[:, 2:]
    return np.concatenate((images.min(axis=1), images.max(axis=1)))
