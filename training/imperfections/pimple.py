"""Pimples: a red halo, a raised head with light and shade, sometimes with pus. One lesion at any age."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Box, Canvas, Mark
from training.imperfections.noise import cloud, lerp, smoothstep
from training.imperfections.pigment import HAEMOGLOBIN, MELANIN, SHADOW, mix

Age = Literal["fresh", "white", "flat", "brown"]
"""fresh = raised and red, white = with a white head, flat = a red mark that is left, brown = an old one."""

_WHERE = (
    (Region.LEFT_CHEEK, 1.0),
    (Region.RIGHT_CHEEK, 1.0),
    (Region.FOREHEAD, 1.0),
    (Region.CHIN, 1.6),
    (Region.MOUTH, 0.9),
    (Region.NOSE, 0.8),
    (Region.GLABELLA, 1.0),
    (Region.JAW, 0.8),
)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to four single pimples, one mark each."""
    marks: list[Mark] = []
    ages: tuple[Age, ...] = ("fresh", "white", "flat")
    for centre in canvas.place(rng, int(rng.integers(1, 5)), _WHERE, apart=9.0):
        size = lerp(1.1, 2.0, strength) * float(np.exp(rng.normal(0.0, 0.22)))
        age = ages[int(rng.choice(3, p=(0.5, 0.38, 0.12)))]
        made = lesion(canvas, rng, centre, size, strength, age)
        if made is not None:
            box, density, mask, add = made
            marks += dot(canvas, Category.PIMPLE, box, density, mask, add=add)
    return marks


def lesion(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: tuple[float, float],
    size: float,
    strength: float,
    age: Age,
) -> tuple[Box, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]] | None:
    """One lesion with a head of radius `size` units: box, (h, w, 3) density, (h, w) mask, (h, w, 3) highlight."""
    radius = size * canvas.unit
    spot = blob(canvas, rng, centre, radius, reach=4.2, uneven=0.10, aspect=rng.uniform(0.75, 1.0))
    if spot is None:
        return None
    h, w = spot.rho.shape
    rho = spot.rho * (1.0 + 0.10 * cloud(rng, h, w, 1.2 * radius))
    wide = float(rng.uniform(1.5, 2.3)) if age in ("fresh", "white") else 1.1
    halo = np.exp(-((rho / wide) ** 2))
    head = smoothstep((1.5 - rho) / 1.0)
    red = lerp(0.16, 0.46, strength) * float(np.exp(rng.normal(0.0, 0.2)))
    mottle = 1.0 + 0.14 * cloud(rng, h, w, 0.8 * radius)
    blood = red * (0.42 * halo + 0.58 * head) * mottle
    share = 0.75 if age == "brown" else 0.22 if age == "flat" else 0.16
    if canvas.luma < 0.42:
        share = max(share, 0.6)
    if age in ("flat", "brown"):
        blood *= 0.75
    density = blood[..., None] * mix(rng, (HAEMOGLOBIN, 1.0 - share), (MELANIN, share))
    add = np.zeros((h, w, 3), np.float32)
    if age in ("fresh", "white"):
        lx, ly = canvas.light
        bump = np.exp(-((spot.rho / 1.05) ** 2))
        relief = lerp(0.08, 0.26, strength) * float(rng.uniform(0.6, 1.2))
        density -= (relief * (spot.x * lx + spot.y * ly) * bump)[..., None] * SHADOW
        glint = np.hypot(spot.x - 0.42 * lx, (spot.y - 0.42 * ly) * 1.3) / 0.42
        tone = canvas.tone_at(*centre)
        wet = float(rng.uniform(0.10, 0.42)) * lerp(0.6, 1.0, strength)
        add += (wet * np.exp(-(glint**2)))[..., None] * (1.0 - tone)
        if age == "white":
            _whiten(rng, spot.rho, tone, density, add)
    mask = smoothstep(1.3 * (0.42 * halo + 0.58 * head))
    return spot.box, density, mask, add


def _whiten(
    rng: np.random.Generator,
    rho: NDArray[np.float32],
    tone: NDArray[np.float32],
    density: NDArray[np.float32],
    add: NDArray[np.float32],
) -> None:
    """Turns the middle of a lesion into a pus head: the colour of pale, slightly yellow wax."""
    reach = float(rng.uniform(0.34, 0.6))
    pus = smoothstep((1.35 * reach - rho) / (0.7 * reach))[..., None]
    pus = pus * float(rng.uniform(0.55, 0.95))
    density *= 1.0 - 0.85 * pus
    lit = tone * (0.92, 0.98, 0.88) + np.array((0.16, 0.15, 0.07)) * (0.4 + 0.6 * tone.mean())
    add += (pus * np.clip(lit - tone, -0.05, 0.25)).astype(np.float32)
