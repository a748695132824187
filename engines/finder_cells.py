"""From the finder network's cells to boxes: the few that are sure, one for each face.

Plain numpy, shared by serving, training and benchmarks. A cell answers six numbers: face logit, offset x and y of
the oval's middle from the cell's middle in strides, log of the oval's size over UNIT strides, cosine and sine of the
roll (together of any length).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

STRIDES = (8, 16, 32)
UNIT = 4.0
OVAL_ASPECT = 0.838
"""Width of the canonical face's oval over its height (`stream_retouch.media.regions.CANONICAL_OVAL`)."""
SURE = 0.15
"""Score from which a cell is a candidate: low, since the landmarker has its say too."""
SAME_DISTANCE = 0.45
"""Of two candidates whose middles are nearer than this, in sizes of the larger, the less sure one goes."""
MOST = 64
"""Candidates that are looked at."""

Faces = NDArray[np.float64]


def faces_of(cells: Sequence[NDArray[np.float32]], sure: float = SURE) -> Faces:
    """(n, 5) x, y and size of each face's oval in canvas pixels, roll in radians, score 0..1; surest first.

    Args:
        cells: per level (6, h, w).
        sure: score from which a cell counts.
    """
    candidates = np.concatenate(
        [_sure_cells(level, stride, sure) for level, stride in zip(cells, STRIDES, strict=True)]
    )
    candidates = candidates[np.argsort(-candidates[:, 4], kind="stable")][:MOST]
    kept: list[NDArray[np.float64]] = []
    for candidate in candidates:
        if not any(_same(candidate, other) for other in kept):
            kept.append(candidate)
    return np.array(kept).reshape(-1, 5)


def _sure_cells(level: NDArray[np.float32], stride: int, sure: float) -> Faces:
    bar = np.log(sure / (1 - sure))
    rows, columns = np.nonzero(level[0] > bar)
    logit, dx, dy, log_size, cosine, sine = level[:, rows, columns].astype(np.float64)
    middle = (stride - 1) / 2
    return np.stack(
        [
            columns * stride + middle + dx * stride,
            rows * stride + middle + dy * stride,
            UNIT * stride * np.exp(np.clip(log_size, -6, 6)),
            np.arctan2(sine, cosine),
            1 / (1 + np.exp(-np.clip(logit, -30, 30))),
        ],
        axis=1,
    )


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two candidates are one face: near each other for the larger, or the smaller within the larger."""
    distance = float(np.hypot(*(one[:2] - other[:2])))
    larger, smaller = max(one[2], other[2]), min(one[2], other[2])
    # a face that is half as large or less may stand before another one's ear, not before its nose
    reach = SAME_DISTANCE if smaller > 0.5 * larger else 0.3
    return distance < float(reach * larger)
