"""Scars: a pale or pink seam with relief, or a few pits."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import Sheet, blob, dot, ends, stroke
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, ribbon, smoothstep
from training.imperfections.pigment import HAEMOGLOBIN, MELANIN, SHADOW

_WHERE = (
    (Region.LEFT_CHEEK, 1.4),
    (Region.RIGHT_CHEEK, 1.4),
    (Region.FOREHEAD, 1.0),
    (Region.CHIN, 0.8),
    (Region.JAW, 0.5),
    (Region.MOUTH, 0.5),
    (Region.NOSE, 0.2),
)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One or two scars, one mark each."""
    marks: list[Mark] = []
    for centre in canvas.place(rng, int(rng.integers(1, 3)), _WHERE, apart=18.0):
        kind = _pits if rng.random() < 0.4 else _seam
        marks += kind(canvas, rng, centre, strength)
    return marks


def _seam(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], strength: float
) -> list[Mark]:
    turn = rng.uniform(-np.pi / 2, np.pi / 2)
    half = 0.5 * float(rng.uniform(5.0, 15.0)) * canvas.unit
    way = np.array((np.cos(turn), np.sin(turn)))
    beside = np.array((-way[1], way[0]))
    middle = np.array(centre)
    bend = middle + beside * rng.normal(0, 0.12) * half
    width = float(rng.uniform(0.55, 1.25)) * canvas.unit
    shift = 0.3 * width * ribbon(rng, 5)
    path = stroke(canvas, [middle - way * half, bend, middle + way * half], 5.5 * width, shift)
    if path is None:
        return []
    h, w = path.along.shape
    d = path.beside / (width * path.profile(np.clip(1.0 + 0.28 * ribbon(rng, 5), 0.5, 1.6)))
    length = ends(path.along, 0.3)
    body = np.exp(-((np.abs(d) / 1.1) ** 3)) * length
    halo = np.exp(-0.5 * (d / 2.2) ** 2) * length
    rough = 1.0 + 0.22 * cloud(rng, h, w, 1.2 * width, 3)
    young = float(rng.uniform(0.0, 1.0))
    pale = lerp(0.07, 0.24, strength) * (1.0 - 0.75 * young)
    pink = lerp(0.08, 0.32, strength) * young
    density = -(pale * body * rough)[..., None] * (0.55 * MELANIN + 0.45)
    density = density + (pink * (0.65 * body * rough + 0.35 * halo))[..., None] * HAEMOGLOBIN
    # `beside` grows along (-way_y, way_x): its slope against the light makes one flank bright, one dark.
    facing = float(beside @ canvas.light)
    raised = 1.0 if rng.random() < 0.55 else -1.0
    relief = lerp(0.10, 0.32, strength) * raised * facing
    density -= (relief * d * np.exp(-0.5 * (d / 0.9) ** 2) * length)[..., None] * SHADOW
    groove = lerp(0.04, 0.14, strength) * (0.5 if raised > 0 else 1.0)
    density += (groove * np.exp(-0.5 * (d / 0.45) ** 2) * length)[..., None] * SHADOW
    return dot(
        canvas, Category.SCAR, path.box, density, smoothstep(1.4 * np.maximum(body, 0.6 * halo))
    )


def _pits(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], strength: float
) -> list[Mark]:
    sheet = Sheet(canvas, Category.SCAR)
    lx, ly = canvas.light
    for _ in range(int(rng.integers(2, 7))):
        where = np.array(centre) + rng.normal(0, 3.2, 2) * canvas.unit
        radius = float(np.clip(np.exp(rng.normal(0.12, 0.3)), 0.6, 2.2)) * canvas.unit
        pit = blob(
            canvas, rng, where, radius, reach=2.6, uneven=0.13, aspect=rng.uniform(0.55, 1.0)
        )
        if pit is None:
            continue
        deep = lerp(0.14, 0.44, strength) * float(rng.uniform(0.7, 1.2))
        bowl = np.exp(-((pit.rho / 0.95) ** 2.5))
        slope = (pit.x * lx + pit.y * ly) * np.exp(-((pit.rho / 1.0) ** 2))
        shade = deep * (0.75 * slope + 0.42 * bowl) - 0.12 * deep * np.exp(
            -(((pit.rho - 1.35) / 0.35) ** 2)
        )
        sheet.lay(
            pit.box,
            shade.astype(np.float32)[..., None] * SHADOW
            + (0.10 * deep * bowl)[..., None] * HAEMOGLOBIN,
            smoothstep((1.75 - pit.rho) / 0.9),
        )
    return sheet.mark()
