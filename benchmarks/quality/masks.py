"""How well M_s says where the imperfections are: M_gt in the crop, Soft-IoU and the similarity of the two masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmarks.quality.views import COUNTS, Views
from stream_retouch.media.affine import Affine, compose, crop_from_grid

Mask = NDArray[np.float32]
_FINE = 8
"""Samples across a cell of the layer, about a native pixel apart or less."""
_SEEN = 128 / 255


def true_mask(s: Views, transform: Affine, cells: int) -> Mask:
    """M_gt (cells, cells), 0..1: how much of each cell's skin was asked to change.

    Args:
        cells: side of the engine's layer, which covers the whole crop.
        transform: crop pixels to pixels of the picture, as the frame path found the face.
    """
    asked = np.abs(s.source - s.target).max(-1)
    soft = np.clip(asked / np.float32(COUNTS), 0.0, 1.0)
    side = cells * _FINE
    fine = cv2.warpAffine(
        soft,
        compose(transform, crop_from_grid(side)),
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    return np.asarray(cv2.resize(fine, (cells, cells), interpolation=cv2.INTER_AREA), np.float32)


def soft_iou(ours: Mask, truth: Mask) -> float | None:
    """Soft-IoU of two masks 0..1 (RetouchGPT's code, ``cal_softmIou``); None where both are empty."""
    a, b = ours > _SEEN, truth > _SEEN
    both = a & b
    common = float((ours[both] + truth[both]).sum()) / 2.0
    union = float(ours[a].sum()) + float(truth[b].sum()) - common
    return common / union if union > 0 else None


def mask_ssim(ours: Mask, truth: Mask) -> float:
    """Structural similarity of two masks 0..1."""
    return float(structural_similarity(ours, truth, data_range=1.0))  # type: ignore[no-untyped-call]
