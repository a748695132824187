"""Wrinkles and fine lines: dark in the core, lit at the lips, uneven along their length."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.plan import Category, Region
from training.imperfections.brush import Sheet, dot, furrow, stroke
from training.imperfections.canvas import Canvas, Mark
from training.imperfections.noise import lerp, ribbon
from training.imperfections.pigment import SHADOW, mix

_BROWS = (54, 63, 105, 66, 107, 9, 336, 296, 334, 293, 284)
_TOP = (54, 103, 67, 109, 10, 338, 297, 332, 284)
_RIGHT_LID = (130, 25, 110, 24, 23, 22, 26, 112, 243)
_LEFT_LID = (463, 341, 256, 252, 253, 254, 339, 255, 359)


def paint_forehead(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to four long wavy lines across the forehead, one mark each."""
    points = canvas.landmarks
    count = int(rng.integers(1, 5))
    gap = rng.uniform(0.17, 0.3)
    heights = rng.uniform(0.28, 1.0 - gap * (count - 1) / 2) + gap * np.arange(count)
    heights = heights + rng.normal(0.0, 0.02, count)
    across = np.linspace(0.0, 1.0, 11)
    brows = points[list(_BROWS)]
    tops = points[list(_TOP)]
    top = np.stack([np.interp(across, np.linspace(0, 1, 9), tops[:, k]) for k in (0, 1)], 1)
    up = top.mean(0) - brows.mean(0)
    colour = mix(rng, (SHADOW, 1.0))
    wave = ribbon(rng, 5) * canvas.unit
    marks: list[Mark] = []
    for height in heights:
        lift = 0.35 * (brows - brows.mean(0)) @ up / (up @ up)
        level = (
            brows.mean(0) + (brows - brows.mean(0)) * (1, 0) + np.outer(lift + height, up * 1.25)
        )
        start, stop = sorted(rng.choice(11, 2, replace=False))
        if stop - start < 5:
            start, stop = max(0, start - 3), min(10, start + 5)
        start, stop = max(start, 1), min(stop, 9)
        shift = 0.7 * wave + 0.3 * canvas.unit * ribbon(rng, 8)
        width = lerp(0.34, 0.62, strength) * float(rng.uniform(0.8, 1.3)) * canvas.unit
        path = stroke(canvas, level[start : stop + 1], 9.0 * width, shift)
        if path is None:
            continue
        shade, cover = furrow(path, rng, width, taper=0.25)
        depth = lerp(0.07, 0.25, strength) * float(rng.uniform(0.6, 1.2))
        marks += dot(
            canvas,
            Category.FOREHEAD_WRINKLE,
            path.box,
            depth * shade,
            cover,
            region=Region.FOREHEAD,
            colour=colour,
        )
    return marks


def paint_crows_feet(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """A fan of two to five lines from each outer eye corner, one mark a side."""
    colour = mix(rng, (SHADOW, 1.0))
    count = int(rng.integers(2, 6))
    marks: list[Mark] = []
    sides = ((Region.RIGHT_CROWS_FEET, 33, 133), (Region.LEFT_CROWS_FEET, 263, 362))
    only = int(rng.integers(0, 2)) if rng.random() < 0.12 else None
    for number, (region, outer, inner) in enumerate(sides):
        if only is not None and number != only:
            continue
        corner = canvas.landmarks[outer]
        out = corner - canvas.landmarks[inner]
        out = out / np.hypot(*out)
        down = np.array((-out[1], out[0])) * np.sign(out[0])
        sheet = Sheet(canvas, Category.CROWS_FEET)
        angles = np.linspace(-0.38, 0.8, count) + rng.normal(0, 0.09, count)
        for angle in angles:
            ray = np.cos(angle) * out + np.sin(angle) * down
            near = corner + (rng.uniform(4.5, 8.0) * ray + 2.0 * out) * canvas.unit
            far = near + ray * rng.uniform(8.0, 18.0) * canvas.unit
            bow = (-0.05 * np.sign(angle - 0.1) + rng.normal(0, 0.03)) * np.hypot(*(far - near))
            middle = (near + far) / 2 + bow * np.array((-ray[1], ray[0])) * np.sign(out[0])
            width = lerp(0.28, 0.5, strength) * float(rng.uniform(0.8, 1.25)) * canvas.unit
            ordered = (near, middle, far) if near[0] < far[0] else (far, middle, near)
            shift = 0.18 * canvas.unit * ribbon(rng, 5)
            path = stroke(canvas, ordered, 8.0 * width, shift)
            if path is None:
                continue
            shade, cover = furrow(path, rng, width, taper=0.4)
            depth = lerp(0.08, 0.28, strength) * float(rng.uniform(0.5, 1.2))
            sheet.lay(path.box, depth * shade, cover)
        marks += sheet.mark(region, colour)
    return marks


def paint_fine(canvas: Canvas, rng: np.random.Generator, strength: float) -> list[Mark]:
    """One to three groups of short thin lines: under an eye, above the lip, on a cheek, between the brows."""
    groups = (_under_eye, _under_eye, _above_lip, _cheek, _between_brows)
    marks: list[Mark] = []
    colour = mix(rng, (SHADOW, 1.0))
    for index in rng.choice(len(groups), int(rng.integers(1, 4)), replace=False):
        sheet = Sheet(canvas, Category.FINE_LINE)
        region = groups[index](canvas, rng, strength, sheet, index == 1)
        marks += sheet.mark(region, colour)
    return marks


def _fine(
    canvas: Canvas,
    rng: np.random.Generator,
    strength: float,
    sheet: Sheet,
    points: list[np.ndarray],
    light: float = 1.0,
) -> None:
    """One thin line through points, laid on the sheet."""
    width = lerp(0.24, 0.42, strength) * float(rng.uniform(0.85, 1.25)) * canvas.unit
    path = stroke(canvas, points, 8.0 * width, 0.12 * canvas.unit * ribbon(rng, 5))
    if path is None:
        return
    shade, cover = furrow(path, rng, width, taper=0.4, uneven=0.4, light=light)
    depth = lerp(0.07, 0.22, strength) * float(rng.uniform(0.65, 1.2))
    sheet.lay(path.box, depth * shade, cover)


def _under_eye(
    canvas: Canvas, rng: np.random.Generator, strength: float, sheet: Sheet, left: bool
) -> Region:
    lid = canvas.landmarks[list(_LEFT_LID if left else _RIGHT_LID)]
    across = lid[-1] - lid[0]
    down = np.array((-across[1], across[0])) / np.hypot(*across)
    below = float(rng.uniform(2.5, 4.0))
    for _ in range(int(rng.integers(2, 5))):
        start = int(rng.integers(0, 4))
        stop = int(rng.integers(start + 3, 9))
        tilt = np.linspace(0, rng.normal(0, 1.2), stop - start + 1)
        steps = [lid[start + k] + down * (below + tilt[k]) * canvas.unit for k in range(len(tilt))]
        _fine(canvas, rng, strength, sheet, steps)
        below += float(rng.uniform(1.6, 3.2))
    return Region.LEFT_UNDER_EYE if left else Region.RIGHT_UNDER_EYE


def _above_lip(
    canvas: Canvas, rng: np.random.Generator, strength: float, sheet: Sheet, _: bool
) -> Region:
    lip = canvas.landmarks[[40, 39, 37, 0, 267, 269, 270]]
    base = canvas.landmarks[[92, 165, 167, 164, 393, 391, 322]]
    for place in rng.uniform(0.0, 6.0, int(rng.integers(3, 7))):
        low, high = (
            np.array([np.interp(place, np.arange(7), row[:, k]) for k in (0, 1)])
            for row in (lip, base)
        )
        share = float(rng.uniform(0.45, 0.95))
        start = low + (high - low) * 0.12
        bend = (start + high) / 2 + rng.normal(0, 0.25, 2) * canvas.unit
        _fine(canvas, rng, strength, sheet, [start, bend, low + (high - low) * share], 0.0)
    return Region.MOUTH


def _cheek(
    canvas: Canvas, rng: np.random.Generator, strength: float, sheet: Sheet, _: bool
) -> Region:
    left = bool(rng.random() < 0.5)
    corner = canvas.landmarks[291 if left else 61]
    out = 1.0 if left else -1.0
    radius = float(rng.uniform(14.0, 18.0))
    for _line in range(int(rng.integers(2, 4))):
        middle, spread = float(rng.uniform(-0.6, 0.3)), float(rng.uniform(0.2, 0.45))
        turn = np.linspace(middle - spread, middle + spread, 7)
        ring = radius * canvas.unit * np.stack((out * np.cos(turn), np.sin(turn)), 1)
        _fine(canvas, rng, strength, sheet, list(corner + ring), -0.5 * out)
        radius += float(rng.uniform(2.5, 5.0))
    return Region.LEFT_CHEEK if left else Region.RIGHT_CHEEK


def _between_brows(
    canvas: Canvas, rng: np.random.Generator, strength: float, sheet: Sheet, _: bool
) -> Region:
    points = canvas.landmarks
    sides = (107, 336) if rng.random() < 0.6 else ((107,) if rng.random() < 0.5 else (336,))
    for brow in sides:
        foot = 0.55 * points[brow] + 0.45 * points[9]
        nose = 0.6 * points[8] + 0.4 * (points[55] if brow == 107 else points[285])
        top = foot + (foot - nose) * float(rng.uniform(-0.1, 0.5))
        bend = (top + nose) / 2 + rng.normal(0, 0.5, 2) * canvas.unit
        _fine(canvas, rng, min(strength + 0.3, 1.0), sheet, [top, bend, nose], 0.0)
    return Region.GLABELLA
