"""A portrait as a relief: how far each of its pixels is from the camera, and what is behind the head.

Both are guesses good enough to turn a head by some fifty degrees: the depth of the 478 mesh points,
spread by a thin-plate spline (Duchon 1977) over the face and a little beyond, and a background with
the head painted out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LANDMARKS

SOURCE_EYES_PX = 72.0
"""Portraits are kept at this distance of the outer eye corners, twice that in a crop."""
STEP = 2.0
"""Pixels of the portrait between two points of the relief."""

Luma = NDArray[np.uint8]
Floats = NDArray[np.float64]
Plane = NDArray[np.float32]
_L = list(LANDMARKS)
_COARSE = 4  # the spline is evaluated at every so many points of the relief
_STIFFNESS = 0.02
_FURTHEST = 0.45  # behind the ears nothing counts; in outer-eye distances
_INPAINT_SCALE = 6


def _grid() -> Floats:
    across = np.arange(-114, 115, STEP * _COARSE)
    down = np.arange(-138, 124, STEP * _COARSE)
    across, down = (np.linspace(v[0], v[-1], (len(v) - 1) * _COARSE + 1) for v in (across, down))
    return np.stack(np.meshgrid(across, down), axis=-1)


GRID: Floats = _grid()
"""(h, w, 2) the relief's points, portrait pixels from the mean of the landmarks."""


@dataclass(frozen=True, eq=False)
class Source:
    """One portrait, shrunk."""

    luma: Luma
    """(H, W)."""
    mesh: Floats
    """(478, 3): x, y in pixels of `luma`, z towards the back in the same unit."""

    @cached_property
    def centre(self) -> Floats:
        """(3,) mean of the landmarks."""
        return np.asarray(self.mesh[_L].mean(axis=0))

    @cached_property
    def head(self) -> Floats:
        """(478, 3) the mesh about its centre."""
        return np.asarray(self.mesh - self.centre)

    @cached_property
    def relief(self) -> Plane:
        """(h, w) depth at GRID about the centre's, towards the back."""
        known = self.head / SOURCE_EYES_PX
        at = GRID[::_COARSE, ::_COARSE].reshape(-1, 2) / SOURCE_EYES_PX
        depth = _spline(known[:468, :2], known[:468, 2], at)
        furthest = float(known[list(FACE_OVAL), 2].max()) + _FURTHEST
        depth = np.minimum(depth, furthest).reshape(GRID[::_COARSE, ::_COARSE].shape[:2])
        return _upsampled(depth * SOURCE_EYES_PX)

    @cached_property
    def solid(self) -> NDArray[np.bool_]:
        """(h, w) where GRID is on the head or the neck."""
        oval = self.head[list(FACE_OVAL), :2]
        middle = oval.mean(axis=0)
        grow = np.where(oval[:, 1:] < middle[1], [1.26, 1.42], [1.26, 1.06])
        outline = middle + (oval - middle) * grow
        left, right, chin = outline[27 - 3], outline[9 + 3], outline[18]
        neck = np.array(
            [left, right, [0.8 * right[0], GRID[-1, 0, 1]], [0.8 * left[0], GRID[-1, 0, 1]]]
        )
        mask = np.zeros(GRID.shape[:2], np.uint8)
        for shape in (outline, neck if chin[1] < GRID[-1, 0, 1] else outline):
            cv2.fillPoly(mask, [np.rint((shape - GRID[0, 0]) / STEP).astype(np.int32)], 1)
        return mask > 0

    @cached_property
    def background(self) -> Luma:
        """(H, W) the portrait with its head painted out, roughly."""
        height, width = self.luma.shape
        size = (max(8, width // _INPAINT_SCALE), max(8, height // _INPAINT_SCALE))
        small = cv2.resize(self.luma, size, interpolation=cv2.INTER_AREA)
        corner = self.centre[:2] + GRID[0, 0]
        place = np.array([[STEP, 0, corner[0]], [0, STEP, corner[1]]])
        place *= np.array([[size[0] / width], [size[1] / height]])
        mask = cv2.warpAffine(self.solid.astype(np.uint8), place, size, flags=cv2.INTER_NEAREST)
        mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        painted = cv2.inpaint(small, mask, 3, cv2.INPAINT_TELEA)
        large = cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC)
        head = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        return np.asarray(np.where(head, large, self.luma), np.uint8)


def load_source(picture: Path, mesh: NDArray[np.floating]) -> Source:
    """One portrait with its (478, 3) landmarks in pixels, shrunk by area to SOURCE_EYES_PX.

    Raises:
        FileNotFoundError: there is no such picture, or it is none.
    """
    luma = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    if luma is None:
        raise FileNotFoundError(picture)
    scale = SOURCE_EYES_PX / float(np.hypot(*(mesh[263] - mesh[33])[:2]))
    small = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ratio = np.array([small.shape[1] / luma.shape[1], small.shape[0] / luma.shape[0], scale])
    shift = np.array([0.5, 0.5, 0.0])
    return Source(
        np.asarray(small, np.uint8), (np.asarray(mesh, np.float64) + shift) * ratio - shift
    )


def _spline(places: Floats, values: Floats, at: Floats) -> Floats:
    """Thin-plate spline through (N, 2) places, evaluated at (M, 2)."""
    count = len(places)
    square = np.zeros((count + 3, count + 3))
    square[:count, :count] = _bending(places, places) + _STIFFNESS * np.eye(count)
    square[:count, count:] = np.column_stack([np.ones(count), places])
    square[count:, :count] = square[:count, count:].T
    weights = np.linalg.solve(square, np.concatenate([values, np.zeros(3)]))
    plane = np.column_stack([np.ones(len(at)), at]) @ weights[count:]
    return np.asarray(_bending(at, places) @ weights[:count] + plane)


def _bending(some: Floats, others: Floats) -> Floats:
    squared = ((some[:, None] - others[None]) ** 2).sum(axis=-1)
    return np.asarray(0.5 * squared * np.log(np.maximum(squared, 1e-12)))


def _upsampled(coarse: Floats) -> Plane:
    """From every _COARSE-th point to all."""
    height, width = GRID.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    where = (np.stack([x, y], axis=-1) / _COARSE).astype(np.float32)
    fine = cv2.remap(
        coarse.astype(np.float32), where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.GaussianBlur(fine, (0, 0), _COARSE / 2), np.float32)
