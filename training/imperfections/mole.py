"""Moles: small, nearly round, brown to black, darker in the middle; some are raised."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, smoothstep
from training.imperfections.pigment import EUMELANIN, HAEMOGLOBIN, MELANIN, SHADOW, mix


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to four moles, one mark each."""
    marks: list[Mark] = []
    for centre in canvas.place(rng, int(rng.integers(1, 5)), apart=8.0):
        marks += mole(canvas, rng, centre, strength)
    return marks


def mole(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], strength: float
) -> list[Mark]:
    """One mole around a point in pixels."""
    size = lerp(0.85, 2.0, strength) * float(np.exp(rng.normal(0.0, 0.28)))
    radius = float(np.clip(size, 0.7, 3.4)) * canvas.unit
    spot = blob(canvas, rng, centre, radius, reach=2.6, uneven=0.05, aspect=rng.uniform(0.72, 1.0))
    if spot is None:
        return []
    h, w = spot.rho.shape
    rho = spot.rho + 0.04 * cloud(rng, h, w, 0.9 * radius)
    edge = float(rng.uniform(0.25, 0.5))
    inside = smoothstep((1.0 + edge - rho) / (2.0 * edge))
    mottle = 1.0 + 0.10 * cloud(rng, h, w, 0.5 * radius)
    depth = lerp(0.28, 1.05, strength) * float(np.exp(rng.normal(0.0, 0.18)))
    eu = float(np.clip(0.75 * depth + rng.normal(0.0, 0.12), 0.0, 0.85))
    core = (0.72 + 0.34 * np.clip(1.0 - rho * rho, 0.0, 1.0)) * mottle
    halo = 0.08 * np.exp(-((rho / 1.5) ** 2))
    density = (depth * (inside * core + halo * (rho > 0)))[..., None] * mix(
        rng, (EUMELANIN, eu), (MELANIN, 0.85 - eu), (HAEMOGLOBIN, 0.15)
    )
    if rng.random() < 0.4:
        lx, ly = canvas.light
        slope = (spot.x * lx + spot.y * ly) * np.exp(-(spot.rho**2))
        density = density - (rng.uniform(0.1, 0.3) * slope)[..., None] * SHADOW
    return dot(canvas, Category.MOLE, spot.box, density, smoothstep(1.25 * inside))
