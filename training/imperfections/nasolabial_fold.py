"""Nasolabial folds: a crease from the nose wing to beside the mouth corner, its shade soft towards the cheek."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import dot, ends, stroke
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import lerp, ribbon, smoothstep
from training.imperfections.pigment import SHADOW, mix

_RIGHT = ((129, 203, 0.45), (203, 203, 0.0), (206, 165, 0.3), (216, 92, 0.5), (212, 57, 0.5))
_LEFT = ((358, 423, 0.45), (423, 423, 0.0), (426, 391, 0.3), (436, 322, 0.5), (432, 287, 0.5))
"""Points of the fold from the nose down: mesh index, second index, share of the second."""


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """Both folds, one mark each, a little unlike each other."""
    deep = lerp(0.10, 0.36, strength)
    marks: list[Mark] = []
    reach = int(rng.integers(4, 6))
    for row, cheek in ((_RIGHT, -1.0), (_LEFT, 1.0)):
        points = [
            canvas.landmarks[a] * (1.0 - share) + canvas.landmarks[b] * share for a, b, share in row
        ]
        unit = canvas.unit
        path = stroke(canvas, points[:reach], 9.0 * unit, 0.35 * unit * ribbon(rng, 5))
        if path is None:
            continue
        # Walking down, the right-hand side in the picture is the smaller x: cheek of the right fold.
        d = -cheek * path.beside / unit
        thin = float(rng.uniform(0.45, 0.8))
        core = np.exp(-0.5 * (d / thin) ** 2) * path.profile(
            np.clip(1.0 + 0.3 * ribbon(rng, 6), 0.3, 1.5)
        )
        wide = float(rng.uniform(2.2, 4.2))
        soft = np.where(d > 0, np.exp(-0.5 * (d / wide) ** 2), np.exp(-0.5 * (d / 1.0) ** 2))
        lit = np.exp(-0.5 * ((d + 2.4) / 1.3) ** 2)
        length = ends(path.along, 0.35) * (1.05 - 0.35 * path.along)
        crease = float(rng.uniform(0.22, 0.6))
        shade = (crease * core + 0.62 * soft - 0.16 * lit) * length
        cover = np.maximum(soft, core) * ends(path.along, 0.25)
        marks += dot(
            canvas,
            Category.NASOLABIAL_FOLD,
            path.box,
            deep * float(rng.uniform(0.85, 1.15)) * shade,
            smoothstep(1.4 * cover),
            region=Region.MOUTH,
            colour=mix(rng, (SHADOW, 1.0)),
        )
    return marks
