"""Stray hairs: thin dark curves from the hairline across forehead, temple or cheek."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category
from training.imperfections.brush import Sheet, stroke
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import lerp, ribbon, smoothstep

_HAIRLINE = (162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389)
_TEMPLES = (0, 1, 11, 12)


def paint(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to three strands of one to three hairs, one mark a strand."""
    marks: list[Mark] = []
    tint = np.array((0.92, 1.0, 1.06), np.float32) * np.exp(rng.normal(0, 0.04, 3))
    for _ in range(int(rng.integers(1, 4))):
        marks += _strand(canvas, rng, strength, tint.astype(np.float32))
    return marks


def _strand(
    canvas: Canvas, rng: np.random.Generator, strength: float, tint: np.ndarray
) -> list[Mark]:
    number = int(rng.integers(len(_HAIRLINE)))
    root = _root(canvas, canvas.landmarks[_HAIRLINE[number]])
    middle = canvas.landmarks[9]
    inwards = (middle - root) / max(float(np.hypot(*(middle - root))), 1.0)
    if number in _TEMPLES:
        inwards = np.array((0.35 * np.sign(inwards[0]), 0.94))
    turn = float(rng.normal(0.0, 0.55))
    c, s = np.cos(turn), np.sin(turn)
    way = np.array((c * inwards[0] - s * inwards[1], s * inwards[0] + c * inwards[1]))
    length = float(rng.uniform(28.0, 75.0)) * canvas.unit
    bow = float(rng.normal(0.0, 0.13)) * length
    sheet = Sheet(canvas, Category.STRAY_HAIR)
    for _ in range(int(rng.choice((1, 2, 3), p=(0.62, 0.28, 0.1)))):
        start = root + rng.normal(0, 1.2, 2) * canvas.unit
        tip = start + way * length * float(rng.uniform(0.55, 1.1))
        tip = tip + rng.normal(0, 0.09, 2) * length
        centre = (start + tip) / 2 + np.array((-way[1], way[0])) * bow * float(
            rng.uniform(0.6, 1.4)
        )
        _hair(canvas, rng, strength, sheet, [start, centre, tip])
    return sheet.mark(colour=tint)


def _root(canvas: Canvas, point: np.ndarray) -> np.ndarray:
    """The last skin above a point of the face oval."""
    x, y = float(point[0]), float(point[1])
    while (
        y > 2
        and canvas.skin[min(int(y), canvas.side - 1), int(np.clip(x, 0, canvas.side - 1))] > 0.4
    ):
        y -= 2.0
    return np.array((x, y))


def _hair(
    canvas: Canvas,
    rng: np.random.Generator,
    strength: float,
    sheet: Sheet,
    points: list[np.ndarray],
) -> None:
    """One hair, drawn with the pixel's own width: thinner than a pixel means paler, not narrower."""
    sigma = lerp(0.08, 0.16, strength) * float(rng.uniform(0.8, 1.2)) * canvas.unit
    seen = max(sigma, 0.42)
    path = stroke(canvas, points, 5.0 * seen + 2.0, 0.35 * canvas.unit * ribbon(rng, 4))
    if path is None:
        return
    a = path.along
    length = smoothstep(a / 0.06) * smoothstep((1.0 - a) / 0.45)
    line = np.exp(-0.5 * (path.beside / seen) ** 2) * (sigma / seen)
    gleam = np.clip(1.0 + 0.25 * ribbon(rng, 6), 0.4, 1.4)
    dark = lerp(0.45, 1.05, strength) * float(rng.uniform(0.75, 1.15))
    shadow = 0.05 * np.exp(-0.5 * ((path.beside - 2.2 * seen) / (2.5 * seen)) ** 2)
    cover = smoothstep(1.5 * np.exp(-0.5 * (path.beside / (1.6 * seen)) ** 2)) * length
    sheet.lay(path.box, (dark * line * path.profile(gleam) + shadow) * length, cover)
