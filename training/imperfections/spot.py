"""Spots: flat brown patches from sun or age, irregular in outline, even in depth; some are old red marks."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, smoothstep
from training.imperfections.pigment import HAEMOGLOBIN, MELANIN, mix

_WHERE = (
    (Region.LEFT_CHEEK, 1.0),
    (Region.RIGHT_CHEEK, 1.0),
    (Region.FOREHEAD, 0.9),
    (Region.LEFT_CROWS_FEET, 0.8),
    (Region.RIGHT_CROWS_FEET, 0.8),
    (Region.NOSE, 0.4),
    (Region.CHIN, 0.5),
    (Region.JAW, 0.5),
    (Region.MOUTH, 0.3),
    (Region.GLABELLA, 0.4),
)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """Two to six spots, one mark each."""
    marks: list[Mark] = []
    red = 0.7 if rng.random() < 0.2 else 0.15
    for centre in canvas.place(rng, int(rng.integers(2, 7)), _WHERE, apart=7.0):
        radius = float(np.clip(np.exp(rng.normal(0.62, 0.34)), 1.0, 4.2)) * canvas.unit
        spot = blob(
            canvas, rng, centre, radius, reach=2.2, uneven=0.12, aspect=rng.uniform(0.55, 1.0)
        )
        if spot is None:
            continue
        h, w = spot.rho.shape
        rho = spot.rho + 0.07 * cloud(rng, h, w, 0.9 * radius)
        edge = float(rng.uniform(0.35, 0.8))
        inside = smoothstep((1.0 + edge - rho) / (2.0 * edge))
        mottle = np.clip(1.0 + 0.12 * cloud(rng, h, w, 0.6 * radius, 3), 0.4, 1.6)
        depth = lerp(0.10, 0.36, strength) * float(np.exp(rng.normal(0.0, 0.2)))
        marks += dot(
            canvas,
            Category.SPOT,
            spot.box,
            depth * inside * mottle,
            smoothstep(1.25 * inside),
            colour=mix(rng, (MELANIN, 1.0 - red), (HAEMOGLOBIN, red)),
        )
    return marks
