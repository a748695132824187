"""The two sheets that go with the figures: painted faces, and real skin at native resolution."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.heldout import Scene
from benchmarks.quality.pictures import Rgb, bytes_of
from benchmarks.quality.real import Face
from benchmarks.quality.views import Views

Row = NDArray[np.uint8]
_PAINTED_SIDE, _REAL_SIDE = 320, 380
REAL_ROWS = 8
DIFFERENCE = 4.0
"""Times so much the difference is shown, about grey."""


def painted_row(s: Views, out: Rgb, mask: NDArray[np.float32] | None, scene: Scene) -> Row:
    """Before, after, target in the face's skin, and M_s in the aligned crop."""
    ys, xs = np.where(scene.skin > 0.3)
    box = slice(max(ys.min() - 20, 0), ys.max() + 20), slice(max(xs.min() - 20, 0), xs.max() + 20)
    size = (_PAINTED_SIDE, _PAINTED_SIDE)
    cells = [
        cv2.resize(bytes_of(p[box]), size, interpolation=cv2.INTER_AREA)
        for p in (s.source, out, s.target)
    ]
    shown = np.zeros(size, np.uint8)
    if mask is not None:
        fine = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR)
        shown = np.rint(fine * 255.0).astype(np.uint8)
    return np.hstack([*cells, np.repeat(shown[..., None], 3, 2)])


def real_row(f: Face, out: Rgb) -> Row:
    """Before, after and their difference where the face has most blobs, one pixel for one."""
    x0, y0 = _richest(f)
    window = slice(y0, y0 + _REAL_SIDE), slice(x0, x0 + _REAL_SIDE)
    before, after = f.source[window], out[window]
    difference = 128.0 + DIFFERENCE * (after - before)
    return np.hstack([bytes_of(p) for p in (before, after, difference)])


def write(path: Path, rows: list[Row]) -> bool:
    """Writes a sheet as JPEG; False if there is nothing to show."""
    if not rows:
        return False
    picture = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return True


def spread(count: int, shown: int) -> set[int]:
    """Numbers of `shown` of `count` things, evenly spread."""
    return {int(i) for i in np.linspace(0, max(count - 1, 0), min(shown, count))}


def _richest(f: Face) -> tuple[int, int]:
    """First column and row of the window with most skin and blobs, inside the picture."""
    height, width = f.source.shape[:2]
    weight = 2e-5 * f.whole_skin
    for blob in f.blobs:
        weight[blob.y + f.box[1], blob.x + f.box[0]] += 1.0
    sums = cv2.boxFilter(
        weight, -1, (_REAL_SIDE, _REAL_SIDE), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    half = _REAL_SIDE // 2
    valid = sums[half : height - half, half : width - half]
    y, x = np.unravel_index(int(valid.argmax()), valid.shape)
    return int(x), int(y)
