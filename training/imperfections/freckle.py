"""Freckles: many tiny light-brown dots over nose and cheeks, thinning out towards the edges."""

from __future__ import annotations

import cv2
import numpy as np

from stream_retouch.language.plan import REGIONS, Category, Region
from training.imperfections.brush import dot
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import lerp, smoothstep, splat
from training.imperfections.pigment import HAEMOGLOBIN, MELANIN, mix

_WHERE = (
    (Region.LEFT_CHEEK, 0.8),
    (Region.RIGHT_CHEEK, 0.8),
    (Region.NOSE, 1.3),
    (Region.LEFT_UNDER_EYE, 0.7),
    (Region.RIGHT_UNDER_EYE, 0.7),
    (Region.GLABELLA, 0.25),
    (Region.FOREHEAD, 0.2),
    (Region.MOUTH, 0.12),
)
_COARSE = 64


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """A freckled face, one mark per region that has freckles."""
    x, y = _scatter(canvas, rng, int(lerp(110, 380, strength) * rng.uniform(0.5, 1.3)))
    if not x.size:
        return []
    n = x.size
    size = np.clip(np.exp(rng.normal(-0.5, 0.36, n)), 0.28, 1.4) * canvas.unit
    depth = lerp(0.08, 0.30, strength) * np.clip(np.exp(rng.normal(-0.1, 0.5, n)), 0.2, 2.0)
    aspect, angle = rng.uniform(0.5, 1.0, n), rng.uniform(0, np.pi, n)
    colour = mix(rng, (MELANIN, 0.8), (HAEMOGLOBIN, 0.2))
    home = canvas.regions_at(x, y)
    marks: list[Mark] = []
    for index in np.unique(home):
        mine = home == index
        margin = 2.5 * float(size[mine].max())
        box = canvas.clip(
            x[mine].min() - margin,
            y[mine].min() - margin,
            x[mine].max() + margin,
            y[mine].max() + margin,
        )
        if box is None:
            continue
        shade = splat(
            (box[3] - box[1], box[2] - box[0]),
            (x[mine] - box[0]).astype(np.float32),
            (y[mine] - box[1]).astype(np.float32),
            size[mine].astype(np.float32),
            depth[mine].astype(np.float32),
            aspect[mine].astype(np.float32),
            angle[mine].astype(np.float32),
            hardness=1.1,
        )
        mask = smoothstep(shade / np.float32(0.55 * np.median(depth)))
        marks += dot(
            canvas, Category.FRECKLE, box, shade, mask, region=REGIONS[index], colour=colour
        )
    return marks


def _scatter(canvas: Canvas, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of freckles: dense across the bridge of the nose and the upper cheeks, in drifts."""
    named = sum(w * canvas.regions[REGIONS.index(r)] for r, w in _WHERE)
    weight = cv2.resize(np.asarray(named, np.float32), (_COARSE, _COARSE))
    middle = canvas.landmarks[[5, 50, 280]].mean(0) * _COARSE / canvas.side
    rows, cols = np.mgrid[:_COARSE, :_COARSE]
    step = canvas.side / _COARSE / canvas.unit
    far = np.hypot((cols - middle[0]) / 1.5, rows - middle[1] + 2) * step
    drift = cv2.resize(
        rng.standard_normal((10, 10)), (_COARSE, _COARSE), interpolation=cv2.INTER_CUBIC
    )
    weight = weight * np.maximum(canvas.coarse_skin - 0.8, 0) * np.exp(-((far / 31.0) ** 2))
    total = np.cumsum(weight * np.exp(0.8 * drift))
    if total[-1] < 1e-6:
        return np.zeros(0), np.zeros(0)
    cells = np.searchsorted(total, rng.random(count) * total[-1])
    scale = canvas.side / _COARSE
    x = (cells % _COARSE + rng.random(count)) * scale - 0.5
    y = (cells // _COARSE + rng.random(count)) * scale - 0.5
    return x, y
