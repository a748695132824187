"""Enlarged pores: a field of tiny dark dots, each with a lit lower lip, on the nose and the inner cheeks."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, pores, smoothstep
from training.imperfections.pigment import MELANIN, SHADOW, mix

_PLACES = (
    (Region.NOSE, (4, 5, 195), 11.0, 0.75),
    (Region.RIGHT_CHEEK, (101, 36, 205), 12.0, 0.75),
    (Region.LEFT_CHEEK, (330, 266, 425), 11.0, 0.75),
    (Region.CHIN, (199, 200), 7.0, 0.8),
    (Region.FOREHEAD, (151, 9), 10.0, 0.6),
)
_OFTEN = (0.85, 0.85, 0.85, 0.15, 0.2)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """Nose and both inner cheeks as a rule, one mark per place."""
    deep = lerp(0.16, 0.46, strength)
    scale = lerp(0.85, 1.15, strength) * float(rng.uniform(0.9, 1.15))
    colour = mix(rng, (SHADOW, 0.7), (MELANIN, 0.3))
    chosen = [p for p, often in zip(_PLACES, _OFTEN, strict=True) if rng.random() < often]
    marks: list[Mark] = []
    for region, around, size, aspect in chosen or _PLACES[:1]:
        centre = canvas.landmarks[list(around)].mean(0)
        radius = size * float(rng.uniform(0.85, 1.15)) * canvas.unit
        field = blob(canvas, rng, centre, radius, reach=1.5, uneven=0.12, aspect=aspect)
        if field is None:
            continue
        h, w = field.rho.shape
        soft = smoothstep((1.4 - field.rho) / 0.8)
        drift = np.clip(1.0 + 0.3 * cloud(rng, h, w, 5.0 * canvas.unit), 0.2, 1.6)
        fine = 1.0 if region is Region.NOSE else 0.8
        holes = fine * pores(rng, h, w, canvas.unit, fine * scale)
        lip = max(round(0.42 * scale * canvas.unit), 1)
        lit = np.zeros_like(holes)
        lit[lip:] = holes[:-lip]
        shade = deep * soft * drift * (holes - 0.35 * lit)
        mask = np.maximum(smoothstep(2.2 * holes), 0.35) * soft
        marks += dot(canvas, Category.PORES, field.box, shade, mask, region=region, colour=colour)
    return marks
