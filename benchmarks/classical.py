"""Classical skin smoothing, to be beaten: what beauty filters do without a network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.float32]

THETA = 0.1
"""Variance at which half of the smoothing is left."""
SPREAD = 7.07
"""Factor on the distance from the mean before it is squared: GPUPixel's variance is 50 times that of values 0..1."""


def gpupixel(
    source: Rgb,
    skin: NDArray[np.float32],
    radius_px: float,
    alpha: float = 1.0,
    sharpen: float = 0.0,
) -> Rgb:
    """Mean and variance smoothing as GPUPixel's beauty filter does it, on skin only.

    ``k = (1 - v / (v + 0.1)) * clamp((min(R, mean_R - 0.1) - 0.2) * 4, 0, 1) * alpha``, v the mean over R, G, B of
    ``min((7.07 (I - mean))^2, 1)``; ``out = mix(I, mean, k) + 2 sharpen (I - gauss3)``. So edges, which are far
    from their mean, stay, and so does what is dark in red. (GPUPixel, Apache-2.0, beauty_face_unit_filter.cc and
    box_difference_filter.cc: the formula, restated.)

    Args:
        source: (H, W, 3) RGB code values 0..255.
        skin: (H, W) 0..1, where it acts; GPUPixel itself acts everywhere.
        radius_px: of the box mean. GPUPixel takes 16 pixels whatever the size of the face.
        alpha: strength 0..1.
        sharpen: how much of the finest detail is added back, 0..1.
    """
    picture = source / np.float32(255.0)
    side = 2 * max(round(radius_px), 1) + 1
    mean = cv2.blur(picture, (side, side))
    spread = np.minimum((np.float32(SPREAD) * (picture - mean)) ** 2, 1.0).mean(-1)
    bright = np.clip((np.minimum(picture[..., 0], mean[..., 0] - 0.1) - 0.2) * 4.0, 0.0, 1.0)
    share = np.clip((1.0 - spread / (spread + THETA)) * bright * alpha, 0.0, 1.0)[..., None]
    smooth = picture + (mean - picture) * share
    if sharpen:
        kernel = np.array((0.25, 0.5, 0.25), np.float32)
        smooth += 2.0 * sharpen * (picture - cv2.sepFilter2D(picture, -1, kernel, kernel))
    out = picture + (smooth - picture) * skin[..., None]
    return np.asarray(np.clip(out * 255.0, 0.0, 255.0), np.float32)
