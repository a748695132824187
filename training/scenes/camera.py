"""What a bad webcam and a bad line make of a frame."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.scene import Picture

LARGEST_SIDE_PX = 1408
"""Largest side of a frame, pixels."""


def film(
    rng: np.random.Generator, picture: Picture, smallest_px: float, difficulty: float
) -> tuple[Picture, frozenset[str]]:
    """The frame as it arrives, and what happened to it.

    Args:
        smallest_px: size of the smallest face that is to stay findable; bounds the blur.
    """
    hard, found, unit = 2 * difficulty, set(), max(picture.shape[:2]) / 1280
    worst = 0.03 * smallest_px * (0.6 + 0.4 * hard)
    for name, share in (("defocus", 0.18), ("motion_blur", 0.14), ("upscaled", 0.22)):
        if rng.random() < share * (0.3 + 0.7 * hard):
            found.add(name)
    sigma = min(rng.uniform(0.8, 5.0) * unit, worst)
    if "defocus" in found and sigma > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    length, angle = min(rng.uniform(3, 26) * unit, 4 * worst), rng.uniform(0, np.pi)
    if "motion_blur" in found and length > 1:
        picture = np.asarray(cv2.filter2D(picture, -1, _streak(length, angle)), np.uint8)
    strength = rng.uniform(1.0, 4.0 + 14.0 * difficulty)
    if rng.random() < 0.35 * (0.4 + 0.6 * hard):
        found.add("noise")
    else:
        strength = rng.uniform(0.0, 1.5)
    picture = _noisy(rng, picture, strength)
    shrink = min(rng.uniform(1.2, 3.0), max(smallest_px / 10.0, 1.0))
    if "upscaled" in found and shrink > 1.1:
        size = (picture.shape[1], picture.shape[0])
        small = (round(size[0] / shrink), round(size[1] / shrink))
        shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(shrunk, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    quality = int(rng.uniform(28 - 18 * difficulty, 80))
    if rng.random() < 0.35 * (0.4 + 0.6 * hard):
        found.add("compressed")
        stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        flag = cv2.IMREAD_GRAYSCALE if picture.ndim == 2 else cv2.IMREAD_COLOR
        picture = np.asarray(cv2.imdecode(stored, flag), np.uint8)
    return picture, frozenset(found)


def _streak(length: float, angle: float) -> NDArray[np.float32]:
    """A line's kernel that sums to 1."""
    side = int(np.ceil(length)) // 2 * 2 + 3
    middle, half = (side - 1) / 2, length / 2
    kernel = np.zeros((side, side), np.float32)
    for step in np.linspace(-half, half, 4 * side):
        x, y = middle + step * np.cos(angle), middle + step * np.sin(angle)
        kernel[round(y), round(x)] += 1
    return np.asarray(kernel / kernel.sum(), np.float32)


@functools.cache
def _noise(channels: int) -> NDArray[np.int8]:
    """(LARGEST_SIDE_PX, LARGEST_SIDE_PX) or (LARGEST_SIDE_PX, LARGEST_SIDE_PX, 3) noise of deviation 24, drawn once."""
    shape = (
        (LARGEST_SIDE_PX, LARGEST_SIDE_PX)
        if channels == 1
        else (LARGEST_SIDE_PX, LARGEST_SIDE_PX, 3)
    )
    return np.random.default_rng(7).normal(0, 24, shape).clip(-127, 127).astype(np.int8)


def _noisy(rng: np.random.Generator, picture: Picture, strength: float) -> Picture:
    height, width = picture.shape[:2]
    place = rng.random(2)
    if strength < 0.4:
        return picture
    y, x = (int(v) for v in place * [LARGEST_SIDE_PX - height + 1, LARGEST_SIDE_PX - width + 1])
    grain = np.ascontiguousarray(
        _noise(1 if picture.ndim == 2 else 3)[y : y + height, x : x + width]
    )
    return np.asarray(
        cv2.addWeighted(picture, 1.0, grain, strength / 24, 0.0, dtype=cv2.CV_8U), np.uint8
    )
