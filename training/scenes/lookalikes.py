"""Things that a finder may take for a face and must not."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from training.scenes.backgrounds import CAT, Backgrounds, skin_tone
from training.scenes.canvas import Brush, Canvas, ellipse
from training.scenes.occluders import draw_hand
from training.scenes.portraits import Level, Portrait
from training.scenes.scene import Floats, tone


def draw_lookalike(
    rng: np.random.Generator, canvas: Canvas, stock: Backgrounds, at: Floats, size: float
) -> None:
    """One thing about as large as a face of `size` pixels."""
    kind = int(rng.integers(9))
    if kind == 7:
        draw_hand(rng, canvas, at, size * rng.uniform(0.8, 1.6), skin_tone(rng))
        return
    if kind == 8 and CAT in stock.pictures:
        _cat(rng, canvas, stock, at, size)
        return
    reach = np.full(2, 1.3 * size)
    brush = Brush(canvas, at - reach, at + reach)
    (_smiley, _socket, _clock, _headlamps, _button, _bare_head, _snowman, _button, _clock)[kind](
        rng, brush, at, size
    )
    brush.shade(rng, 0.08)
    brush.soften(0.01 * size)
    brush.done()


def _smiley(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    colour = np.array([40, 210, 250.0]) if rng.random() < 0.6 else rng.uniform(0, 255, 3)
    line = rng.uniform(0, 60, 3)
    brush.ellipse(at, np.full(2, 0.55 * size), 0, line)
    brush.ellipse(at, np.full(2, 0.52 * size), 0, colour)
    for x in (-0.19, 0.19):
        brush.ellipse(at + [x * size, -0.15 * size], np.array([0.06, 0.09]) * size, 0, line)
    bend, wide = rng.uniform(-0.15, 0.3), rng.uniform(0.15, 0.32)
    along = np.linspace(-1, 1, 9)
    curve = 0.2 + bend * (1 - along * along) - bend / 2
    mouth = at + size * np.stack([along * wide, curve], 1)
    brush.line(mouth, line, size * rng.uniform(0.02, 0.06))


def _socket(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    plate, hole = rng.uniform(140, 250, 3), rng.uniform(5, 70, 3)
    brush.polygon(_rectangle(at, 0.5 * size, rng.uniform(0.5, 0.65) * size), plate)
    brush.polygon(_rectangle(at, 0.43 * size, 0.5 * size), plate * 0.92)
    slots = rng.random() < 0.5
    for x in (-0.18, 0.18):
        place = at + [x * size, -0.1 * size]
        if slots:
            brush.polygon(_rectangle(place, 0.03 * size, 0.1 * size), hole)
        else:
            brush.ellipse(place, np.full(2, 0.06 * size), 0, hole)
    if rng.random() < 0.7:
        brush.ellipse(at + [0, 0.2 * size], np.array([0.07, 0.08]) * size, 0, hole)


def _clock(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    rim, dial, ink = rng.uniform(0, 120, 3), rng.uniform(180, 255, 3), rng.uniform(0, 80, 3)
    brush.ellipse(at, np.full(2, 0.56 * size), 0, rim)
    brush.ellipse(at, np.full(2, 0.5 * size), 0, dial)
    for hour in np.arange(12) * (np.pi / 6):
        out = np.array([np.cos(hour), np.sin(hour)]) * size
        brush.line(np.array([at + 0.41 * out, at + 0.46 * out]), ink, 0.02 * size)
    for length, wide in ((0.26, 0.035), (0.4, 0.022)):
        angle = rng.uniform(0, 2 * np.pi)
        end = at + length * size * np.array([np.cos(angle), np.sin(angle)])
        brush.line(np.array([at, end]), ink, wide * size)


def _headlamps(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    body, glass = rng.uniform(10, 230, 3), rng.uniform(180, 255, 3)
    brush.polygon(_rectangle(at, 0.7 * size, 0.42 * size), body)
    for x in (-0.42, 0.42):
        place = at + [x * size, -0.08 * size]
        brush.ellipse(place, np.full(2, 0.19 * size), 0, body * 0.4)
        brush.ellipse(place, np.full(2, 0.15 * size), 0, glass)
    for y in np.linspace(0.06, 0.32, int(rng.integers(2, 6))):
        row = at + np.array([[-0.34, y], [0.34, y]]) * size
        brush.line(row, body * 0.3, 0.03 * size)


def _button(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    colour = rng.uniform(10, 240, 3)
    brush.ellipse(at, np.full(2, 0.5 * size), 0, colour * 0.6)
    brush.ellipse(at, np.full(2, 0.42 * size), 0, colour)
    count, turn = (2, 3, 4)[int(rng.integers(3))], rng.uniform(0, 6)
    for i in range(count):
        angle = turn + i * 2 * np.pi / count
        place = at + 0.15 * size * np.array([np.cos(angle), np.sin(angle)])
        brush.ellipse(place, np.full(2, 0.06 * size), 0, colour * 0.25)


def _bare_head(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    """A head of skin and hair without a face, or from behind."""
    skin, hair = skin_tone(rng), rng.uniform(5, 120, 3)
    neck = at + np.array([[-0.17, 0.3], [0.17, 0.3], [0.2, 0.9], [-0.2, 0.9]]) * size
    if rng.random() < 0.7:
        brush.polygon(neck, skin * 0.8)
    if rng.random() < 0.7:
        brush.ellipse(at - [0, 0.1 * size], np.array([0.54, 0.64]) * size, 0, hair)
    front = hair * 1.2 if rng.random() < 0.25 else skin
    brush.ellipse(at, np.array([0.44, 0.56]) * size, rng.normal(0, 6), front)


def _snowman(rng: np.random.Generator, brush: Brush, at: Floats, size: float) -> None:
    """Dark blobs on a light oval, two of them side by side or not."""
    ground = skin_tone(rng) if rng.random() < 0.5 else rng.uniform(120, 255, 3)
    brush.ellipse(at, rng.uniform(0.4, 0.6, 2) * size, 0, ground)
    for _ in range(int(rng.integers(1, 7))):
        place = at + rng.uniform(-0.3, 0.3, 2) * size
        brush.ellipse(place, rng.uniform(0.03, 0.1, 2) * size, 0, ground * rng.uniform(0.1, 0.6))


def _cat(
    rng: np.random.Generator, canvas: Canvas, stock: Backgrounds, at: Floats, size: float
) -> None:
    cat = stock.pictures[CAT]
    height, width = canvas.shape
    wide = round(2.2 * size)
    tall = round(wide * cat.shape[0] / cat.shape[1])
    x, y = round(at[0] - wide / 2), round(at[1] - tall / 2)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + wide, width), min(y + tall, height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    whole = cv2.resize(cat, (wide, tall), interpolation=cv2.INTER_AREA)
    patch = np.ascontiguousarray(whole[y0 - y : y1 - y, x0 - x : x1 - x])
    canvas.blend(np.asarray(patch, np.uint8), np.full(patch.shape[:2], 255, np.uint8), x0, y0)


def _rectangle(at: Floats, half_wide: float, half_tall: float) -> Floats:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return np.asarray(at + corners * [half_wide, half_tall])


def avatar(rng: np.random.Generator, canvas: Canvas) -> None:
    """The canvas' window as the tile of somebody without a camera: a disc with a letter or a drawn bust."""
    x0, y0, x1, y1 = canvas.window
    low, high = np.array([x0, y0], float), np.array([x1 - 1, y1 - 1], float)
    brush, at, size = Brush(canvas, low, high), (low + high) / 2, float((high - low).min())
    brush.polygon(_rectangle(at, (x1 - x0) / 2, (y1 - y0) / 2), rng.uniform(10, 90, 3))
    colour, bust = rng.uniform(60, 230, 3), rng.random() < 0.5
    brush.ellipse(at, np.full(2, 0.25 * size), 0, colour)
    light = np.array([240.0, 240.0, 240.0])
    if bust:
        brush.ellipse(at - [0, 0.06 * size], np.full(2, 0.09 * size), 0, light)
        brush.ellipse(at + [0, 0.14 * size], np.array([0.15, 0.1]) * size, 0, light)
    else:
        arm = 0.1 * size
        brush.line(at + np.array([[-arm, arm], [-0.3 * arm, -arm], [arm, arm]]), light, 0.03 * size)
    brush.done()


def without_face(rng: np.random.Generator, portrait: Portrait, size: float) -> tuple[Level, bool]:
    """A portrait with the face blanked, or with its parts in the wrong places; and whether it is the latter."""
    level = portrait.level(size)
    picture = level.picture.copy()
    low = np.rint(level.centre - np.array([0.48, 0.62]) * level.size).astype(int).clip(0)
    high = np.rint(level.centre + np.array([0.48, 0.56]) * level.size).astype(int)
    kind = rng.random()
    if kind < 0.5:
        region = picture[low[1] : high[1], low[0] : high[0]]
        cells = int(rng.choice([2, 3, 4]))
        tall, wide = region.shape[0] // cells, region.shape[1] // cells
        order = _deranged(rng, cells)
        parts = [
            region[y * tall : (y + 1) * tall, x * wide : (x + 1) * wide].copy()
            for y in range(cells)
            for x in range(cells)
        ]
        for to, origin in enumerate(order):
            y, x = divmod(to, cells)
            part = parts[origin][::-1] if rng.random() < 0.4 else parts[origin]
            region[y * tall : (y + 1) * tall, x * wide : (x + 1) * wide] = part
        return dataclasses.replace(level, picture=picture), True
    colour = (
        portrait.skin if kind < 0.75 else portrait.hair if kind < 0.88 else rng.uniform(0, 255, 3)
    )
    rim = ellipse(level.centre - [0, 0.03 * level.size], np.array([0.5, 0.64]) * level.size, 0)
    channels = portrait.channels
    cv2.fillPoly(picture, [np.rint(rim).astype(np.int32)], tone(colour, channels), cv2.LINE_AA)
    return dataclasses.replace(level, picture=picture), False


def _deranged(rng: np.random.Generator, cells: int) -> list[int]:
    """An order of cells x cells tiles in which no tile keeps its place or its row's neighbour."""
    count = cells * cells
    while True:
        order = [int(i) for i in rng.permutation(count)]
        stays = sum(order[i] == i for i in range(count))
        together = sum(order[i] + 1 == order[i + 1] for i in range(count - 1) if (i + 1) % cells)
        if stays == 0 and together == 0:
            return order
