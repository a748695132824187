"""Under the eyes: dark circles (colour) and bags (shape), both told in the lower lid's own coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import Stroke, dot, ends, stroke
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, ribbon, smoothstep
from training.imperfections.pigment import HAEMOGLOBIN, MELANIN, SHADOW, VEIN, mix

_RIGHT = (130, 25, 110, 24, 23, 22, 26, 112, 243)
"""The fold below the right eye's lashes, outer corner to inner corner: left to right in the picture."""
_LEFT = (463, 341, 256, 252, 253, 254, 339, 255, 359)
"""The same below the left eye, inner to outer corner: left to right in the picture too."""


def _under(
    canvas: Canvas, region: Region, depth: float
) -> tuple[Stroke, NDArray[np.float32]] | None:
    """Lid coordinates and (h, w) 0 at the inner, 1 at the outer corner; `beside` grows downwards."""
    lid = _RIGHT if region is Region.RIGHT_UNDER_EYE else _LEFT
    path = stroke(canvas, [canvas.landmarks[i] for i in lid], depth + 2.0 * canvas.unit)
    if path is None:
        return None
    outwards = path.along if region is Region.LEFT_UNDER_EYE else 1.0 - path.along
    return path, outwards


def paint_circles(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """Dark circles under both eyes: crescents, deepest at the inner corner, bluish or brown."""
    share = float(rng.uniform(0.0, 1.0)) if canvas.luma > 0.45 else float(rng.uniform(0.6, 1.0))
    colour = mix(
        rng, (MELANIN, share), (VEIN, 0.75 * (1 - share)), (HAEMOGLOBIN, 0.35 * (1 - share))
    )
    dark = lerp(0.10, 0.36, strength)
    wide, tilt = float(rng.uniform(7.5, 12.0)), float(rng.uniform(0.0, 0.5))
    marks: list[Mark] = []
    for region in (Region.RIGHT_UNDER_EYE, Region.LEFT_UNDER_EYE):
        depth = wide * float(rng.uniform(0.9, 1.1)) * canvas.unit
        under = _under(canvas, region, 1.35 * depth)
        if under is None:
            continue
        path, outwards = under
        h, w = path.along.shape
        local = depth * path.profile(1.0 + 0.07 * ribbon(rng, 5)) * (1.15 - 0.4 * outwards)
        t = path.beside / local
        fall = smoothstep((t + 0.12) / 0.2) * np.exp(-((np.maximum(t, 0.0) / 0.72) ** 2.4))
        inner = 1.0 - tilt * smoothstep(outwards * 1.1)
        crescent = fall * inner * ends(path.along, 0.22)
        mottle = np.clip(1.0 + 0.10 * cloud(rng, h, w, 3.5 * canvas.unit, 3), 0.5, 1.5)
        density = dark * float(rng.uniform(0.9, 1.1)) * crescent * mottle
        marks += dot(
            canvas,
            Category.DARK_CIRCLE,
            path.box,
            density,
            smoothstep(1.5 * crescent),
            region=region,
            colour=colour,
        )
    return marks


def paint_bags(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """Bags under both eyes: a pad that catches the light, a dark crease below it, shade under the lid."""
    deep = lerp(0.12, 0.34, strength)
    wide = float(rng.uniform(6.5, 9.5))
    marks: list[Mark] = []
    for region in (Region.RIGHT_UNDER_EYE, Region.LEFT_UNDER_EYE):
        depth = wide * float(rng.uniform(0.93, 1.07)) * canvas.unit
        under = _under(canvas, region, 2.1 * depth)
        if under is None:
            continue
        path, outwards = under
        # The crease hangs lowest a little outside the middle and runs into the inner corner.
        hang = np.maximum(np.sin(np.pi * np.clip(outwards * 0.92 + 0.06, 0.0, 1.0)), 0.0) ** 0.6
        crease_at = (0.35 + 0.65 * hang) * path.profile(1.0 + 0.05 * ribbon(rng, 5))
        t = path.beside / (depth * np.maximum(crease_at, 0.2))
        crease = np.exp(-(((t - 1.0) / np.where(t < 1.0, 0.26, 0.42)) ** 2))
        thin = 0.35 * np.exp(-(((t - 1.0) / 0.11) ** 2))
        pad = np.exp(-(((t - 0.5) / 0.24) ** 2))
        lid = 0.35 * np.exp(-(((t - 0.06) / 0.10) ** 2))
        length = ends(path.along, 0.3) * (1.0 - 0.35 * smoothstep(outwards * 1.4 - 0.5))
        density = deep * (0.75 * crease + thin - 0.42 * pad + lid) * length
        cover = np.maximum(crease, np.maximum(0.8 * pad, 1.5 * lid)) * length
        marks += dot(
            canvas,
            Category.EYE_BAG,
            path.box,
            density,
            smoothstep(1.35 * cover),
            region=region,
            colour=mix(rng, (SHADOW, 1.0)),
        )
    return marks
