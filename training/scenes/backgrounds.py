"""What is behind the people: drawn rooms and patterns, and pieces of pictures without a face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage

from training.scenes.canvas import ellipse
from training.scenes.portraits import Portrait
from training.scenes.scene import Floats, Picture, muted, tone

_BUNDLED = {
    "coffee.png": (0.0, 1.0), "gravel.png": (0.0, 1.0), "color.png": (0.0, 1.0), "brick.png": (0.0, 1.0),
    "logo.png": (0.0, 1.0), "motorcycle_left.png": (0.0, 1.0), "text.png": (0.0, 1.0),
    "hubble_deep_field.jpg": (0.0, 1.0), "moon.png": (0.0, 1.0),
    "grass.png": (0.0, 1.0), "retina.jpg": (0.0, 1.0), "ihc.png": (0.0, 1.0), "rocket.jpg": (0.0, 1.0),
    "chelsea.png": (0.0, 1.0), "clock_motion.png": (0.0, 1.0), "camera.png": (0.66, 1.0),
}  # fmt: skip
"""Pictures that scikit-image brings along, and which share of their height shows nobody. The
astronaut, the cameraman's upper half and the coins, whose heads are faces, stay out."""
CAT = "chelsea.png"
_KEPT_PX = 480


@dataclass(frozen=True, slots=True, eq=False)
class Backgrounds:
    """Pictures to cut backgrounds from, by name."""

    pictures: dict[str, Picture]
    """(H, W) luma or (H, W, 3) BGR, without a human face."""


def bundled(colour: bool) -> Backgrounds:
    """The pictures of the scikit-image package that need no download and show no human face."""
    folder = Path(skimage.__file__).parent / "data"
    pictures = {}
    for name, (top, bottom) in _BUNDLED.items():
        flag = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
        whole = cv2.imread(str(folder / name), flag) if (folder / name).is_file() else None
        if whole is None:
            continue
        part = whole[int(top * whole.shape[0]) : int(bottom * whole.shape[0])]
        scale = _KEPT_PX / max(part.shape[:2])
        small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures[name] = np.asarray(small, np.uint8)
    return Backgrounds(pictures)


def background(
    rng: np.random.Generator,
    shape: tuple[int, int],
    channels: int,
    stock: Backgrounds,
    portraits: list[Portrait],
) -> Picture:
    """(H, W) or (H, W, 3) something to stand before."""
    kind = rng.random()
    if kind < 0.14:
        return smooth(rng, shape, channels, int(rng.integers(2, 9)))
    if kind < 0.22:
        return smooth(rng, shape, channels, int(rng.integers(12, 90)))
    if kind < 0.5:
        return room(rng, shape, channels)
    if kind < 0.56:
        return stripes(rng, shape, channels)
    if kind < 0.7:
        return clutter(rng, shape, channels, smooth(rng, shape, channels, 4))
    if kind < 0.9 and stock.pictures:
        names = sorted(stock.pictures)
        return piece(rng, stock.pictures[names[int(rng.integers(len(names)))]], shape)
    return piece_of_portrait(rng, portraits[int(rng.integers(len(portraits)))], shape)


def smooth(rng: np.random.Generator, shape: tuple[int, int], channels: int, cells: int) -> Picture:
    """Smooth noise about one colour; few cells look like an unsharp wall."""
    middle, spread = muted(rng), rng.uniform(4, 45)
    grey = rng.normal(0, spread, (cells, cells, 1)) + rng.normal(0, spread / 4, (cells, cells, 3))
    nodes = (middle + grey).clip(0, 255)
    small = _channels(nodes, channels)
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def room(rng: np.random.Generator, shape: tuple[int, int], channels: int) -> Picture:
    """A wall with windows, pictures, shelves, lamps, a door or a table."""
    height, width = shape
    picture = smooth(rng, shape, channels, int(rng.integers(2, 4)))
    for _ in range(int(rng.integers(1, 6))):
        kind, colour = rng.random(), muted(rng)
        x, y = rng.uniform(-0.1, 0.9) * width, rng.uniform(-0.1, 0.8) * height
        w, h = rng.uniform(0.06, 0.5) * width, rng.uniform(0.1, 0.8) * height
        if kind < 0.3:  # a window or a picture in its frame
            _box(picture, x, y, w, h, colour * 0.5, channels)
            edge = rng.uniform(0.02, 0.08) * h
            _box(picture, x + edge, y + edge, w - 2 * edge, h - 2 * edge, colour, channels)
            if rng.random() < 0.5:
                bars = int(rng.integers(1, 4))
                for i in range(1, bars + 1):
                    _box(picture, x + w * i / (bars + 1), y, edge, h, colour * 0.5, channels)
                _box(picture, x, y + h / 2, w, edge, colour * 0.5, channels)
        elif kind < 0.6:  # a shelf of books
            _shelf(rng, picture, x, y, w, h, channels)
        elif kind < 0.75:  # a lamp
            rim = ellipse(np.array([x, y]), np.array([w, w]) * rng.uniform(0.1, 0.3), 0)
            colour = rng.uniform(200, 255, 3)
            cv2.fillPoly(
                picture, [np.rint(rim).astype(np.int32)], tone(colour, channels), cv2.LINE_AA
            )
        elif kind < 0.9:
            _box(picture, x, y, w, height, colour, channels)
        else:
            _box(picture, 0, height * rng.uniform(0.6, 0.95), width, height, colour, channels)
    if rng.random() < 0.5:
        sigma = rng.uniform(0.5, 6) * max(shape) / 1280
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.3)), np.uint8)
    return picture


def _shelf(
    rng: np.random.Generator,
    picture: Picture,
    x: float,
    y: float,
    w: float,
    h: float,
    channels: int,
) -> None:
    rows = int(rng.integers(1, 5))
    wood, tones = muted(rng), [muted(rng) for _ in range(12)]
    _box(picture, x, y, w, h, wood * 0.4, channels)
    for row in range(rows):
        floor, at = y + h * (row + 1) / rows, x
        while at < x + w:
            book = w * rng.uniform(0.02, 0.08)
            tall = h / rows * rng.uniform(0.55, 0.92)
            colour = tones[int(rng.integers(12))]
            _box(picture, at, floor - tall, min(book, x + w - at), tall, colour, channels)
            at += book * rng.uniform(1.0, 1.25)
        _box(picture, x, floor, w, h * 0.02, wood, channels)


def _box(
    picture: Picture, x: float, y: float, w: float, h: float, colour: Floats, channels: int
) -> None:
    corner, other = (round(x), round(y)), (round(x + w), round(y + h))
    cv2.rectangle(picture, corner, other, tone(colour, channels), cv2.FILLED)


def stripes(rng: np.random.Generator, shape: tuple[int, int], channels: int) -> Picture:
    """Stripes, checks or rings of two colours."""
    height, width = shape
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    pitch, angle = (
        np.exp(rng.uniform(np.log(6), np.log(120))) * max(shape) / 1280,
        rng.uniform(0, np.pi),
    )
    kind, phase, low, high = rng.random(), rng.uniform(0, 6), muted(rng), muted(rng)
    along = (x * np.cos(angle) + y * np.sin(angle)) * np.float32(2 * np.pi / pitch) + np.float32(
        phase
    )
    if kind < 0.6:
        wave = np.sin(along, dtype=np.float32)
    elif kind < 0.85:
        wave = np.sin(along, dtype=np.float32) * np.sin(
            y * np.float32(2 * np.pi / pitch) - x * np.float32(0.01)
        )
    else:
        away = np.hypot(
            x - np.float32(rng.uniform(0, width)), y - np.float32(rng.uniform(0, height))
        )
        wave = np.sin(away * np.float32(2 * np.pi / pitch), dtype=np.float32)
    codes = np.clip(wave * np.float32(rng.uniform(60, 400)) + 128, 0, 255).astype(np.uint8)
    share = np.arange(256)[:, None] / 255
    table = _channels((low + (high - low) * share)[:, None], channels)
    if channels == 3:
        codes = np.asarray(cv2.merge([codes, codes, codes]))
    return np.asarray(cv2.LUT(codes, table), np.uint8)


def clutter(
    rng: np.random.Generator, shape: tuple[int, int], channels: int, picture: Picture
) -> Picture:
    """Polygons and ellipses, some of them the colour of skin, drawn over a picture in place."""
    height, width = shape
    for _ in range(int(rng.integers(4, 26))):
        size = np.exp(rng.uniform(np.log(10), np.log(260))) * max(shape) / 1280
        at = rng.uniform(0, 1, 2) * [width, height]
        colour = skin_tone(rng) if rng.random() < 0.35 else muted(rng)
        if rng.random() < 0.5:
            rim = ellipse(at, size * rng.uniform(0.3, 1, 2), rng.uniform(0, 180))
        else:
            angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            rim = at + size * rng.uniform(0.4, 1) * np.stack([np.cos(angle), np.sin(angle)], 1)
        places = [np.rint(rim).astype(np.int32)]
        if rng.random() < 0.75:
            cv2.fillPoly(picture, places, tone(colour, channels), cv2.LINE_AA)
        else:
            thick = max(round(size * 0.06), 1)
            cv2.polylines(picture, places, True, tone(colour, channels), thick, cv2.LINE_AA)
    return picture


def skin_tone(rng: np.random.Generator) -> Floats:
    """(3,) BGR, from pale to dark."""
    depth = rng.uniform(0, 1)
    return np.asarray(
        np.array([165, 190, 235]) * (1 - depth) + np.array([35, 50, 85]) * depth
    ) * rng.uniform(0.8, 1.08)


def piece(rng: np.random.Generator, source: Picture, shape: tuple[int, int]) -> Picture:
    """A turned, scaled piece of a picture that fills the frame."""
    height, width = source.shape[:2]
    share, turn = np.exp(rng.uniform(np.log(0.25), 0)), rng.normal(0, 15)
    scale = max(shape[0] / height, shape[1] / width) / share
    at = rng.uniform(0.5 * share, 1 - 0.5 * share, 2) * [width, height]
    return _cut(source, at, scale, turn, rng.random() < 0.5, shape)


def piece_of_portrait(
    rng: np.random.Generator, portrait: Portrait, shape: tuple[int, int]
) -> Picture:
    """Clothes or backdrop of a portrait, from well below the chin."""
    level = portrait.level(90)
    height = level.matte.shape[0]
    chin = level.centre[1] + 0.72 * level.size
    at = np.array([rng.uniform(0.1, 0.9) * level.matte.shape[1], rng.uniform(chin, height)])
    below = source_below(level.picture, int(chin))
    at[1] = (at[1] - int(chin)).clip(0, below.shape[0] - 1)
    scale = max(shape) / level.size * rng.uniform(0.6, 2.5)
    return _cut(below, at, scale, rng.uniform(-180, 180), rng.random() < 0.5, shape)


def source_below(picture: Picture, row: int) -> Picture:
    """The rows of a portrait below the chin; a mirrored border of these holds no face."""
    return np.ascontiguousarray(picture[min(row, picture.shape[0] - 8) :])


def _cut(
    source: Picture, at: Floats, scale: float, turn: float, mirrored: bool, shape: tuple[int, int]
) -> Picture:
    middle = (float(at[0]), float(at[1]))
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, turn, scale), np.float64)
    matrix[:, 2] += np.array([shape[1], shape[0]]) / 2 - at
    if mirrored:
        matrix[0] *= -1
        matrix[0, 2] += shape[1]
    cut = cv2.warpAffine(source, matrix, (shape[1], shape[0]), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cut, np.uint8)


def _channels(bgr: Floats, channels: int) -> Picture:
    """(H, W, 3) BGR to what a picture of so many channels holds, 8 bits."""
    codes = bgr.clip(0, 255)
    if channels == 1:
        return np.asarray(codes @ [0.114, 0.587, 0.299]).astype(np.uint8)
    return codes.astype(np.uint8)
