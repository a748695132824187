"""Redness: large soft patches of blood colour on cheeks, nose, chin or brow, mottled and sometimes with veins."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, smoothstep
from training.imperfections.pigment import HAEMOGLOBIN, MELANIN, mix

_PLACES: tuple[tuple[tuple[Region, tuple[int, ...], float, float], ...], ...] = (
    (
        (Region.RIGHT_CHEEK, (50, 205, 101), 17.0, 0.8),
        (Region.LEFT_CHEEK, (280, 425, 330), 17.0, 0.8),
    ),
    ((Region.NOSE, (4, 5, 195), 11.0, 0.75),),
    ((Region.CHIN, (199, 200), 10.5, 0.7),),
    ((Region.GLABELLA, (9, 8), 8.5, 0.8),),
    ((Region.MOUTH, (203, 206), 7.0, 0.6), (Region.MOUTH, (423, 426), 7.0, 0.6)),
)
"""Groups of places that redden together: region, mesh points around the middle, radius in units, aspect."""
_OFTEN = (0.5, 0.2, 0.14, 0.08, 0.08)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to three places, one mark per patch."""
    dark = 0.4 if canvas.luma < 0.42 else 0.08
    colour = mix(rng, (HAEMOGLOBIN, 1.0 - dark), (MELANIN, dark))
    deep = lerp(0.07, 0.22, strength)
    marks: list[Mark] = []
    for index in rng.choice(len(_PLACES), int(rng.integers(1, 4)), replace=False, p=_OFTEN):
        for region, around, size, aspect in _PLACES[index]:
            centre = canvas.landmarks[list(around)].mean(0) + rng.normal(0, 0.12 * size, 2)
            radius = size * float(rng.uniform(0.75, 1.25)) * canvas.unit
            patch = blob(
                canvas,
                rng,
                centre,
                radius,
                reach=1.6,
                uneven=0.14,
                aspect=aspect * float(rng.uniform(0.85, 1.15)),
            )
            if patch is None:
                continue
            h, w = patch.rho.shape
            rho = patch.rho + 0.10 * cloud(rng, h, w, 7.0 * canvas.unit)
            soft = smoothstep((1.55 - rho) / 1.6) * smoothstep((1.58 - patch.rho) / 0.3)
            mottle = 1.0 + 0.15 * cloud(rng, h, w, 2.2 * canvas.unit, 3)
            density = deep * float(rng.uniform(0.8, 1.15)) * soft * np.clip(mottle, 0.3, 2.0)
            marks += dot(
                canvas,
                Category.REDNESS,
                patch.box,
                density,
                smoothstep(1.6 * soft),
                region=region,
                colour=colour,
            )
    return marks
