"""Glasses: whether the person wears any, and where their frames are.

Frames are thin dark or bright lines around the eyes, and so are wrinkles. What wrinkles do not do is to cross the
bridge of the nose from one side to the other: only where a line does are there glasses, and only what hangs together
with it is frame. Lenses are left alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, LANDMARKS, LEFT_EYE, RIGHT_EYE

_THIN = np.ones((7, 7), np.uint8)
"""A line is what is thinner than this, in pixels of a look of 128."""
_NEXT = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_NO_BRIDGE, _BRIDGE = 0.10, 0.18
"""Contrast (log luma) by which a line across the bridge of the nose exceeds _NOISE: up to the first there are no
glasses, from the second there are. 4 of 283 portraits without glasses exceed the first, and all 26 with glasses."""
_NOISE = 2.0
"""Times the median contrast of all that looks like lines: noise, where it is dark."""
_NO_FRAME, _FRAME = 0.15, 0.30
"""The same for each place of a frame, once there are glasses."""
_BAND = np.array([(-0.85, -0.34), (0.85, -0.34), (0.85, 0.45), (-0.85, 0.45)])
"""Where frames lie about the middle between the eyes: to the left and down, in outer-eye distances."""
_BRIDGE_GRID = np.stack(np.meshgrid(np.linspace(-0.11, 0.11, 9), np.linspace(-0.14, 0.2, 28)), -1)
"""(rows, columns, 2) places about the root of the nose, in the same unit."""
_NOSE = np.array([(-0.1, 0.16), (0.1, 0.16), (0.22, 0.6), (-0.22, 0.6)])
"""The ridge and tip of the nose below the bridge, about its root: what shines there is no frame."""
_ARCH = np.ones((5, 1), np.uint8)
_EYES = tuple([LANDMARKS.index(mesh) for mesh in eye] for eye in (RIGHT_EYE, LEFT_EYE))
_RIGHT_OUTER, _LEFT_OUTER, _NOSE_ROOT = (LANDMARKS.index(mesh) for mesh in (33, 263, 168))


def glasses_frames(
    luma: NDArray[np.float32], landmarks: NDArray[np.float64]
) -> NDArray[np.float32] | None:
    """Where frames are, or None: no glasses.

    Args:
        luma: (S, S) logarithm of the crop's luma; lines are sought at S = 128.
        landmarks: (K, 2) in pixels of a CROP_SIZE crop.

    Returns:
        (S, S) 0..1, less than 1 everywhere when it is not sure that there are glasses.
    """
    side = luma.shape[0]
    points = (landmarks + 0.5) * (side / CROP_SIZE) - 0.5
    right, left, root = points[_RIGHT_OUTER], points[_LEFT_OUTER], points[_NOSE_ROOT]
    axes = np.array([left - right, (right[1] - left[1], left[0] - right[0])])
    corners = (right + left) / 2 + _BAND @ axes
    x0, y0 = np.floor(corners.min(axis=0)).clip(0, side).astype(int)
    x1, y1 = np.ceil(corners.max(axis=0) + 1).clip(0, side).astype(int)
    if min(x1 - x0, y1 - y0) < _THIN.shape[0]:
        return None
    part = np.ascontiguousarray(luma[y0:y1, x0:x1])
    dark, bright = (
        np.asarray(cv2.morphologyEx(part, kind, _THIN), np.float32)
        for kind in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    bridge = (root + _BRIDGE_GRID @ axes - (x0, y0)).astype(np.float32)
    noise = float(np.median(dark) + np.median(bright)) / 2
    contrast = max(_line_across(dark, bridge), _line_across(bright, bridge)) - _NOISE * noise
    sure = min((contrast - _NO_BRIDGE) / (_BRIDGE - _NO_BRIDGE), 1.0)
    if sure <= 0.0:
        return None
    lines = (np.maximum(dark, bright) - np.float32(_NO_FRAME)) / np.float32(_FRAME - _NO_FRAME)
    for eye in _EYES:
        lids = np.rint(points[eye] - (x0, y0)).astype(np.int32)
        cv2.fillPoly(lines, [lids], 0.0)
        cv2.polylines(lines, [lids], True, 0.0, 3)
    nose = np.rint(root + _NOSE @ axes - (x0, y0)).astype(np.int32)
    cv2.fillPoly(lines, [nose], 0.0)
    frame = _hanging_on(lines > 0.0, bridge)
    where = np.zeros((side, side), np.float32)
    where[y0:y1, x0:x1] = lines.clip(0.0, 1.0) * frame * np.float32(sure)
    return where


def _hanging_on(lines: NDArray[np.bool_], bridge: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The lines that hang together, over gaps of a pixel, with one on the bridge."""
    joined = cv2.dilate(lines.astype(np.uint8), _NEXT)
    _, parts = cv2.connectedComponents(joined, connectivity=8, ltype=cv2.CV_16U)
    x, y = np.rint(bridge).astype(np.intp).reshape(-1, 2).T
    inside = (x >= 0) & (x < parts.shape[1]) & (y >= 0) & (y < parts.shape[0])
    of_frame = np.zeros(int(parts.max()) + 1, np.bool_)
    of_frame[parts[y[inside], x[inside]]] = True
    of_frame[0] = False
    return np.asarray(of_frame[parts])


def _line_across(lines: NDArray[np.float32], grid: NDArray[np.float32]) -> float:
    """Contrast of the clearest line that goes, level or in an arch, from one side of the bridge to the other."""
    sampled = cv2.remap(lines, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR)
    return float(np.sort(cv2.dilate(sampled, _ARCH), axis=1)[:, 2].max())
