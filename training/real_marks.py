"""Where a portrait may hold a real mark: the training loss looks away there.

Painted marks are exact, but the clean portraits are not clean: they have moles, freckles, pimples and lines of their
own, and nobody marked them. A network that is told to remove all moles and shown such a face must not be punished
for removing a real one. So this detector wants recall, not precision.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_UNIT_SHARE = 0.0032
"""Unit over side of the cached square, where 1.25 crops hold an outer-eye distance of 0.40 crops."""
_DARK_SIGMAS = (0.4, 0.7, 1.1, 1.8, 2.8)
_RED_SIGMAS = (0.7, 1.2, 2.0, 3.2)
"""Scales of the filters, units."""
_DARK_FLOOR, _RED_FLOOR = 0.7, 0.45
"""Least filter answer that counts, CIE L* and a*, whatever the local texture: very smooth skin has no marks."""
_LEAST, _MOST = 0.05, 0.15
"""The share of the skin to look away from lies between these."""


def may_be_real(
    rgb: NDArray[np.uint8], skin: NDArray[np.float32], unit: float | None = None
) -> NDArray[np.float32]:
    """(R, R) 0..1 where a mole, pimple, freckle, red spot or line may be. About half a second at R = 832.

    Dark blobs and lines answer to the larger eigenvalue of the luma's Hessian, red ones to a difference of
    Gaussians on a*; both are compared with their own spread in the neighbourhood.

    Args:
        rgb: (R, R, 3) clean aligned face.
        skin: (R, R) 0..1.
        unit: a hundredth of the outer-eye distance in pixels; None takes the cached square's.
    """
    unit = unit or _UNIT_SHARE * rgb.shape[0]
    solid = (skin > 0.5).astype(np.float32)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    luma = _closed(lab[..., 0], solid, 4.0 * unit)
    red = _closed(lab[..., 1], solid, 4.0 * unit)
    score = np.zeros(skin.shape, np.float32)
    for sigma in _DARK_SIGMAS:
        score = np.maximum(
            score, _deviation(_darkness(luma, sigma * unit), solid, unit, _DARK_FLOOR)
        )
    for sigma in _RED_SIGMAS:
        inner = cv2.GaussianBlur(red, (0, 0), sigma * unit)
        outer = cv2.GaussianBlur(red, (0, 0), 1.6 * sigma * unit)
        score = np.maximum(score, _deviation(inner - outer, solid, unit, _RED_FLOOR))
    return _looked_away(score * solid, solid, unit)


def _closed(
    channel: NDArray[np.float32], solid: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """The channel with what is not skin replaced by the skin around it, so that edges of the skin do not answer."""
    weight = cv2.GaussianBlur(solid, (0, 0), sigma) + 1e-3
    mean = cv2.GaussianBlur(channel * solid, (0, 0), sigma) / weight
    return np.where(solid > 0, channel, mean)


def _darkness(luma: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """(R, R) scale-normalised curvature across the darkest direction: positive on dark dots and dark lines."""
    smooth = cv2.GaussianBlur(luma, (0, 0), sigma)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8.0, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8.0
    dxx, dxy = cv2.Sobel(dx, cv2.CV_32F, 1, 0) / 8.0, cv2.Sobel(dx, cv2.CV_32F, 0, 1) / 8.0
    dyy = cv2.Sobel(dy, cv2.CV_32F, 0, 1) / 8.0
    middle, half = (dxx + dyy) / 2.0, (dxx - dyy) / 2.0
    return (middle + np.sqrt(half * half + dxy * dxy)) * np.float32(sigma * sigma)


def _deviation(
    answer: NDArray[np.float32], solid: NDArray[np.float32], unit: float, floor: float
) -> NDArray[np.float32]:
    """How many local spreads an answer stands above its local mean; the marks themselves hardly widen the spread."""
    inside = answer[solid > 0]
    if not inside.size:
        return np.zeros_like(answer)
    low, high = np.quantile(inside[:: max(inside.size // 20000, 1)], (0.05, 0.95))
    clipped = np.clip(answer, low, high) * solid
    sigma = 12.0 * unit / 4.0
    side = (answer.shape[1] // 4, answer.shape[0] // 4)
    weight, mean, square = (
        cv2.GaussianBlur(cv2.resize(m, side, interpolation=cv2.INTER_AREA), (0, 0), sigma)
        for m in (solid, clipped, clipped * clipped)
    )
    weight = weight + 1e-3
    mean = mean / weight
    spread = np.sqrt(np.maximum(square / weight - mean * mean, 0.0))
    wide = [cv2.resize(m, answer.shape[::-1]) for m in (mean, np.maximum(spread, floor / 3.0))]
    return (answer - wide[0]) / wide[1] * (answer > floor)


def _looked_away(
    score: NDArray[np.float32], solid: NDArray[np.float32], unit: float
) -> NDArray[np.float32]:
    """The score cut at three spreads, or where the share of the skin stays within bounds; grown and softened."""
    reach = 2 * max(round(1.1 * unit), 1) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    # The rim of the skin always answers; it must not use up the share.
    rim = 2 * round(3.0 * unit) + 1
    core = cv2.erode(solid, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim)))
    area = max(float(core.sum()), 1.0)

    def grown(cut: float) -> tuple[NDArray[np.float32], float]:
        seeds = cv2.dilate((score > cut).astype(np.float32), disc) * solid
        return seeds, float((seeds * core).sum()) / area

    cut = 3.0
    found, share = grown(cut)
    while share > _MOST and cut < 12.0:
        cut *= 1.08
        found, share = grown(cut)
    while share < _LEAST and cut > 1.6:
        cut /= 1.08
        found, share = grown(cut)
    return np.clip(cv2.GaussianBlur(found, (0, 0), 0.5 * unit) * 1.4, 0.0, 1.0)
