"""Light and camera for luma crops: how a bad webcam in a bad room would have seen them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.face_turn import PIXELS, SIZE

Luma = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What stays from one frame to the next."""

    gain: Plane
    """(SIZE, SIZE) light that falls on each pixel."""
    gamma: float
    contrast: float
    offset: float
    native: int
    """Pixels of the camera across the crop."""
    across: float
    """Blur along x and, `down`, along y, native pixels; 0 for none."""
    down: float
    smear: float
    """Motion blur, share of the crop; 0 for none."""
    heading: float
    noise: float
    """Of the sensor, 1 = full scale; more in the dark."""
    quality: int
    """JPEG, as near as a still comes to a video codec; 0 for none."""


def conditions(rng: np.random.Generator, calm: bool = False) -> Conditions:
    """Drawn anew: an office, and unless `calm` at times dim, back-lit, lit by a screen, far off or
    moving."""
    gain = np.ones((SIZE, SIZE), np.float32)
    if rng.random() < 0.45:
        slope = (PIXELS / SIZE - 0.5) @ rng.normal(0, 0.9, 2)
        gain *= np.clip(1 + slope, 0.15, 2).astype(np.float32)
    if rng.random() < 0.2:  # a hard shadow or a patch of sun
        edge = (PIXELS - rng.uniform(0.25, 0.75, 2) * SIZE) @ rng.normal(0, 0.5, 2)
        gain *= (1 - rng.uniform(0.2, 0.7) / (1 + np.exp(-edge))).astype(np.float32)
    dim = not calm and rng.random() < 0.24
    far = rng.random() < 0.5
    least = 60 if calm else 26
    return Conditions(
        gain=gain,
        gamma=float(np.exp(rng.normal(0, 0.4))) if rng.random() < 0.55 else 1.0,
        contrast=rng.uniform(0.12, 0.45) if dim else rng.uniform(0.45, 1.3),
        offset=rng.uniform(-0.4, 0.05) if dim else rng.normal(0, 0.12),
        native=round(float(np.exp(rng.uniform(np.log(least), np.log(SIZE))))) if far else SIZE,
        across=rng.uniform(0.3, 0.9 if calm else 1.6) if rng.random() < 0.35 else 0.0,
        down=rng.uniform(0.3, 0.9 if calm else 1.6),
        smear=rng.uniform(0.02, 0.09) if not calm and rng.random() < 0.2 else 0.0,
        heading=rng.uniform(0, np.pi),
        noise=rng.uniform(0.003, 0.02 if calm else 0.04) * (1.6 if dim else 1.0)
        if rng.random() < 0.7
        else 0.0,
        quality=int(rng.uniform(50 if calm else 12, 80)) if rng.random() < 0.4 else 0,
    )


def photograph(luma: Luma, seen: Conditions, rng: np.random.Generator) -> Luma:
    """The (SIZE, SIZE) crop as that camera gives it; only its noise is drawn here."""
    light: Plane = luma.astype(np.float32) / np.float32(255)
    if seen.gamma != 1.0:
        light **= seen.gamma
    contrast, middle = np.float32(seen.contrast), np.float32(0.5 + seen.offset)
    light = (light * seen.gain - np.float32(0.5)) * contrast + middle
    if seen.smear:
        light = _smeared(light, seen.smear * SIZE, seen.heading)
    if seen.native < SIZE:
        size = (seen.native, seen.native)
        light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    if seen.across:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), seen.across, sigmaY=seen.down))
    if seen.noise:
        light = light + seen.noise * rng.standard_normal(light.shape, np.float32)
    codes = (light * 255).clip(0, 255).astype(np.uint8)
    if seen.quality:
        stored = cv2.imencode(".jpg", codes, [cv2.IMWRITE_JPEG_QUALITY, seen.quality])[1]
        codes = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)
    if seen.native < SIZE:
        codes = np.asarray(
            cv2.resize(codes, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.uint8
        )
    return codes


def _smeared(light: Plane, length: float, heading: float) -> Plane:
    """Moved evenly along a straight line while the shutter was open."""
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel, middle = np.zeros((side, side), np.float32), (side - 1) / 2
    step = length / 2 * np.array([np.cos(heading), np.sin(heading)])
    ends = [tuple(np.rint(16 * (middle + sign * step)).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
    return np.asarray(cv2.filter2D(light, -1, kernel / max(float(kernel.sum()), 1.0)))
