"""Acne: clusters of lesions of every age on blotchy red ground, with comedones between them."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import blob, dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import cloud, lerp, smoothstep, splat
from training.imperfections.pigment import HAEMOGLOBIN, SHADOW
from training.imperfections.pimple import Age, lesion

_WHERE = (
    (Region.LEFT_CHEEK, 1.3),
    (Region.RIGHT_CHEEK, 1.3),
    (Region.FOREHEAD, 1.0),
    (Region.CHIN, 1.2),
    (Region.JAW, 0.8),
)
_AGES: tuple[Age, ...] = ("fresh", "white", "flat", "brown")


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to three clusters, one mark each."""
    marks: list[Mark] = []
    for centre in canvas.place(rng, int(rng.integers(1, 4)), _WHERE, apart=26.0):
        marks += _cluster(canvas, rng, centre, strength)
    return marks


def _cluster(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], strength: float
) -> list[Mark]:
    reach = float(rng.uniform(9.0, 18.0)) * canvas.unit
    ground = blob(canvas, rng, centre, reach, reach=1.7, uneven=0.16, aspect=rng.uniform(0.6, 1.0))
    if ground is None:
        return []
    x0, y0, x1, y1 = ground.box
    h, w = ground.rho.shape
    soft = smoothstep((1.6 - ground.rho) / 1.4)
    blotch = np.clip(0.6 + 0.6 * cloud(rng, h, w, 3.0 * canvas.unit), 0.0, 2.0)
    density = (lerp(0.03, 0.11, strength) * soft * blotch)[..., None] * HAEMOGLOBIN
    mask = 0.25 * soft
    add = np.zeros_like(density)
    density += _comedones(canvas, rng, ground.box, centre, reach)[..., None] * SHADOW
    for x, y in _spread(canvas, rng, centre, reach, int(rng.integers(5, 12))):
        age = _AGES[int(rng.choice(4, p=(0.30, 0.14, 0.32, 0.24)))]
        size = float(np.clip(1.15 * np.exp(rng.normal(0.0, 0.32)), 0.6, 2.2))
        vigour = float(np.clip(strength * rng.uniform(0.3, 1.0), 0.0, 1.0))
        made = lesion(canvas, rng, (x, y), size, vigour, age)
        if made is None:
            continue
        (a0, b0, a1, b1), part, cover, shine = made
        left, top, right, low = max(a0, x0), max(b0, y0), min(a1, x1), min(b1, y1)
        if left >= right or top >= low:
            continue
        here = np.s_[top - y0 : low - y0, left - x0 : right - x0]
        there = np.s_[top - b0 : low - b0, left - a0 : right - a0]
        density[here] += part[there]
        add[here] += shine[there]
        mask[here] = np.maximum(mask[here], cover[there])
    fade = smoothstep((1.68 - ground.rho) / 0.2)
    return dot(
        canvas,
        Category.ACNE,
        ground.box,
        density * fade[..., None],
        mask * fade,
        add=add * fade[..., None],
    )


def _spread(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], reach: float, count: int
) -> list[tuple[float, float]]:
    """Points scattered around a centre, closer together in the middle, all on skin."""
    turn = rng.uniform(0, 2 * np.pi, count)
    far = reach * rng.uniform(0.0, 1.0, count) ** 0.65
    x, y = centre[0] + far * np.cos(turn), centre[1] + far * np.sin(turn)
    inside = (x > 1) & (y > 1) & (x < canvas.side - 2) & (y < canvas.side - 2)
    return [
        (float(a), float(b))
        for a, b in zip(x[inside], y[inside], strict=True)
        if canvas.skin[int(b), int(a)] > 0.8
    ]


def _comedones(
    canvas: Canvas,
    rng: np.random.Generator,
    box: tuple[int, int, int, int],
    centre: tuple[float, float],
    reach: float,
) -> np.ndarray:
    """(h, w) shade of clogged pores between the lesions."""
    spots = np.array(_spread(canvas, rng, centre, reach, int(rng.integers(6, 22))), np.float32)
    shape = (box[3] - box[1], box[2] - box[0])
    if not len(spots):
        return np.zeros(shape, np.float32)
    n = len(spots)
    return splat(
        shape,
        spots[:, 0] - box[0],
        spots[:, 1] - box[1],
        (canvas.unit * rng.uniform(0.28, 0.5, n)).astype(np.float32),
        rng.uniform(0.06, 0.2, n).astype(np.float32),
        rng.uniform(0.7, 1.0, n).astype(np.float32),
        rng.uniform(0, np.pi, n).astype(np.float32),
    )
