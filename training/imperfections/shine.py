"""Shine: the mirror image of the light on oily skin, broken up by pores."""

from __future__ import annotations

import cv2
import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, pores, smoothstep

_PLACES: tuple[tuple[tuple[Region, tuple[int, ...], float, float, float], ...], ...] = (
    ((Region.FOREHEAD, (151, 151, 9), 13.0, 0.5, 0.0),),
    ((Region.NOSE, (5, 4), 3.6, 0.62, 1.57), (Region.NOSE, (197, 195), 4.2, 0.3, 1.57)),
    (
        (Region.RIGHT_CHEEK, (50, 118), 7.0, 0.5, 0.5),
        (Region.LEFT_CHEEK, (280, 347), 7.5, 0.5, -0.5),
    ),
    ((Region.CHIN, (199, 200), 4.5, 0.65, 0.0),),
    ((Region.FOREHEAD, (69, 104), 6.5, 0.6, -0.3), (Region.FOREHEAD, (299, 333), 6.5, 0.6, 0.3)),
)
"""Groups of places that shine together: region, mesh points around the middle, radius in units, aspect, angle."""
_OFTEN = (0.27, 0.27, 0.24, 0.08, 0.14)
_TINT = np.array((1.0, 0.99, 0.96), np.float32)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to three places, one mark per highlight."""
    bright = lerp(0.10, 0.38, strength)
    marks: list[Mark] = []
    for index in rng.choice(len(_PLACES), int(rng.integers(1, 4)), replace=False, p=_OFTEN):
        for region, around, size, aspect, angle in _PLACES[index]:
            centre = canvas.landmarks[list(around)].mean(0)
            centre = centre + rng.normal(0, 0.10 * size, 2) * canvas.unit
            centre[0] += 0.3 * size * canvas.light[0] * canvas.unit
            radius = size * float(rng.uniform(0.75, 1.3)) * canvas.unit
            spot = blob(
                canvas, rng, centre, radius, reach=2.6, uneven=0.10, aspect=aspect, angle=angle
            )
            if spot is None:
                continue
            h, w = spot.rho.shape
            rho = np.maximum(spot.rho + 0.08 * cloud(rng, h, w, radius), 0.0)
            lobe = np.exp(-((rho / 1.05) ** 1.7)) * smoothstep((2.5 - spot.rho) / 0.9)
            x0, y0, x1, y1 = spot.box
            clean = canvas.rgb[y0:y1, x0:x1]
            grain = 1.0 + 0.07 * cloud(rng, h, w, 1.2 * canvas.unit)
            grain -= 0.45 * pores(rng, h, w, canvas.unit)
            grain += 7.0 * _texture(clean, 1.3 * canvas.unit)
            add = (bright * lobe * np.clip(grain, 0.1, 1.8))[..., None] * _TINT * (1.0 - clean)
            marks += dot(
                canvas,
                Category.SHINE,
                spot.box,
                np.zeros((h, w), np.float32),
                smoothstep(1.5 * lobe),
                region=region,
                add=add,
            )
    return marks


def _texture(rgb: np.ndarray, sigma: float) -> np.ndarray:
    """(h, w) the picture's own fine relief: green minus its blur; what stands out shines most."""
    green = np.ascontiguousarray(rgb[..., 1])
    return green - cv2.GaussianBlur(green, (0, 0), sigma)
