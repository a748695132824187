"""Uneven tone: low-frequency blotches a little browner, or paler, than the skin around them."""

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
    (Region.FOREHEAD, 1.0),
    (Region.MOUTH, 0.9),
    (Region.CHIN, 0.7),
    (Region.JAW, 0.7),
    (Region.LEFT_CROWS_FEET, 0.5),
    (Region.RIGHT_CROWS_FEET, 0.5),
    (Region.NOSE, 0.3),
)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """Three to eight blotches of one colour, one mark each; some of them pale."""
    colour = mix(rng, (MELANIN, 0.8), (HAEMOGLOBIN, 0.2))
    deep = lerp(0.08, 0.24, strength)
    marks: list[Mark] = []
    for centre in canvas.place(rng, int(rng.integers(3, 9)), _WHERE, apart=11.0):
        radius = float(rng.uniform(6.0, 15.0)) * canvas.unit
        patch = blob(
            canvas, rng, centre, radius, reach=1.8, uneven=0.2, aspect=rng.uniform(0.45, 1.0)
        )
        if patch is None:
            continue
        h, w = patch.rho.shape
        rho = patch.rho + 0.16 * cloud(rng, h, w, 0.9 * radius)
        soft = smoothstep((1.55 - rho) / 1.5) * smoothstep((1.75 - patch.rho) / 0.5)
        mottle = np.clip(1.0 + 0.12 * cloud(rng, h, w, 2.5 * canvas.unit, 3), 0.3, 1.8)
        sign = -0.5 if rng.random() < 0.2 else 1.0
        density = sign * deep * float(rng.uniform(0.65, 1.15)) * soft * mottle
        marks += dot(
            canvas,
            Category.UNEVEN_TONE,
            patch.box,
            density,
            smoothstep(1.6 * soft),
            colour=colour,
        )
    return marks
