"""A portrait's head turned in depth: which place of the portrait shows where, and which is hidden.

The head is a height field over the portrait. Pitch moves places along columns and yaw along rows, so
each is undone in one dimension, where what stands before what is a running maximum. Around the head
the turn dies away: shoulders and backdrop stay.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL

GRID = 65
REACH = 1.6
"""The turn works within +-REACH of the mean landmark, in face sizes, on GRID x GRID nodes."""
_CELL = 2 * REACH / (GRID - 1)
_PIVOT_Y, _PIVOT_Z = 0.15, 0.3
_FOLD = 0.06
"""A landmark is hidden if the place shown where it lies is further from it than this, in face sizes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One head, turned, in unit coordinates."""

    shift: NDArray[np.float32]
    """(GRID, GRID, 2) to add to a place of the turned picture to reach its place in the portrait."""
    points: Floats
    """(478, 2) where the mesh went."""
    seen: NDArray[np.bool_]
    """(478,) False where the head itself is before the point."""


def depth_grid(unit_mesh: Floats) -> Floats:
    """(GRID, GRID) z of the head: the mesh smoothed, and the head's sides and crown behind the oval."""
    oval = unit_mesh[list(FACE_OVAL)]
    middle = oval[:, :2].mean(axis=0)
    back = float(np.median(unit_mesh[[234, 454, 127, 356], 2]))
    known = [unit_mesh]
    for factor, share in ((1.12, 0.5), (1.3, 0.9), (1.6, 1.0), (2.2, 1.0)):
        place = middle + (oval[:, :2] - middle) * factor
        depth = oval[:, 2] + share * (back - oval[:, 2])
        known.append(np.column_stack([place, depth]))
    points = np.vstack(known)
    axis = np.linspace(-REACH, REACH, GRID)
    across, down = (np.exp(-((axis[:, None] - points[:, i]) ** 2) / (2 * 0.05**2)) for i in (0, 1))
    total, weight = (down * points[:, 2]) @ across.T, down @ across.T
    return np.asarray((total + 1e-9 * back) / (weight + 1e-9))


@functools.cache
def _axes() -> tuple[Floats, Floats, Floats]:
    """(GRID,) node positions, (GRID, GRID) how fully each place turns, (GRID, 1) row offsets."""
    axis = np.linspace(-REACH, REACH, GRID)
    x, y = np.meshgrid(axis, axis)
    away = np.hypot(x / 0.62, (y + 0.05) / 0.8)
    fade = np.clip(1 - (away - 1) / 0.9, 0, 1)
    smooth = np.asarray(fade * fade * (3 - 2 * fade), np.float64)
    return axis, smooth, np.arange(GRID)[:, None].astype(np.float64) * 10


def turn(unit_mesh: Floats, depth: Floats, yaw_deg: float, pitch_deg: float, near: float) -> Turn:
    """The head turned about its middle.

    Args:
        unit_mesh: (478, 3) of the portrait (of its mirror image if that is what is drawn).
        depth: (GRID, GRID) of the same.
        yaw_deg: positive takes the nose to the picture's left.
        pitch_deg: positive takes the nose down.
        near: 1 / distance of the camera in face sizes, less that of the portrait's own.
    """
    axis, fade, _ = _axes()
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    z = depth - _PIVOT_Z
    y, x = (axis - _PIVOT_Y)[:, None], axis[None]
    z1 = y * np.sin(pitch) + z * np.cos(pitch)
    y1 = (y * np.cos(pitch) - z * np.sin(pitch)) / (1 + near * z1)
    forward_y = y + _PIVOT_Y + fade * (y1 - y)
    # Rows first along columns: transposed, so that both passes invert along the last axis.
    from_y = _inverse(forward_y.T, pitch > 0).T
    z_there = _along_columns(z1, from_y)
    fade_there = _along_columns(fade, from_y)
    z2 = -x * np.sin(yaw) + z_there * np.cos(yaw)
    x2 = (x * np.cos(yaw) + z_there * np.sin(yaw)) / (1 + near * z2)
    forward_x = x + fade_there * (x2 - x)
    from_x = _inverse(forward_x, yaw < 0)
    source_y = _along_columns(from_y.T, from_x.T).T
    shift = np.stack([from_x - axis[None], source_y - axis[:, None]], -1).astype(np.float32)

    flat = unit_mesh[:, :2]
    down = flat + np.column_stack([np.zeros(len(flat)), _at(forward_y - axis[:, None], flat)])
    points = down + np.column_stack([_at(forward_x - axis[None], down), np.zeros(len(flat))])
    shown = points + np.stack([_at(shift[:, :, i], points) for i in (0, 1)], 1)
    return Turn(shift, points, np.hypot(*(shown - flat).T) < _FOLD)


def _inverse(forward: Floats, from_start: bool) -> Floats:
    """(GRID, GRID): for each node of a row, the place that `forward` takes there and that is in front.

    Near places move towards the row's end if `from_start`, and cover what lies there; else the reverse.
    """
    axis, _, offset = _axes()
    if from_start:
        front = np.maximum.accumulate(forward, axis=1)
    else:
        front = np.minimum.accumulate(forward[:, ::-1], axis=1)[:, ::-1]
    rising = front + offset + np.arange(GRID) * 1e-9
    place = np.tile(axis, (GRID, 1))
    nodes = (axis + offset).ravel()
    return np.interp(nodes, rising.ravel(), place.ravel()).reshape(GRID, GRID)


def _along_columns(values: Floats, rows: Floats) -> Floats:
    """Values (GRID, GRID) looked up in the same column at other rows, given as unit positions."""
    position = np.clip((rows + REACH) / _CELL, 0, GRID - 1.000001)
    low = position.astype(int)
    part = position - low
    column = np.arange(GRID)[None]
    return np.asarray(values[low, column] * (1 - part) + values[low + 1, column] * part)


def _at(field: NDArray[np.floating], points: Floats) -> Floats:
    """(N,) bilinear look-up in a (GRID, GRID) field at unit positions; 0 beyond it."""
    place = ((points + REACH) / _CELL).astype(np.float32)
    values = cv2.remap(
        field.astype(np.float32), place[:, None, 0], place[:, None, 1], cv2.INTER_LINEAR
    )
    return np.asarray(values, np.float64)[:, 0]
