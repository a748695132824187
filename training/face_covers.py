"""What comes between the camera and a face: hands, microphones, cups, masks, glasses, hair.

Drawn into loose luma crops; each gives the picture and how opaque it is, so that visibility of the
landmarks follows.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LANDMARKS, LEFT_EYE, LIPS, NOSE, RIGHT_EYE
from training.face_turn import PIXELS, SIZE

Luma = NDArray[np.uint8]
Floats = NDArray[np.float64]
Plane = NDArray[np.float32]
Cover = tuple[Plane, Plane]
"""(SIZE, SIZE) luma of a thing and its opacity, 0..1."""
_BITS = 4


def _at(group: tuple[int, ...]) -> list[int]:
    return [LANDMARKS.index(i) for i in group]


_OVAL, _LIPS, _NOSE = _at(FACE_OVAL), _at(LIPS), _at(NOSE)
_SIDES = tuple(_at(eye) for eye in (RIGHT_EYE, LEFT_EYE))


def covered(
    luma: Luma, points: Floats, texture: Callable[[], Plane], rng: np.random.Generator
) -> tuple[Luma, NDArray[np.bool_]]:
    """The crop with something before the face, and which of the (K, 2) points it hides."""
    thing, alpha = _drawn(luma, points, texture, rng)
    picture = luma * (1 - alpha) + thing * alpha
    return np.asarray(np.clip(picture, 0, 255), np.uint8), behind(alpha, points)


def behind(alpha: Plane, points: Floats) -> NDArray[np.bool_]:
    """(K,) points that something of this opacity hides; thin rims and strands hide none."""
    soft = cv2.GaussianBlur(alpha, (0, 0), 1.2)
    x, y = np.clip(np.rint(points), 0, SIZE - 1).astype(int).T
    return np.asarray(soft[y, x] > 0.55)


def _drawn(
    luma: Luma, points: Floats, texture: Callable[[], Plane], rng: np.random.Generator
) -> Cover:
    kind = rng.random()
    if kind < 0.3:
        return glasses(points, rng)
    if kind < 0.55:
        return hand(luma, points, rng)
    if kind < 0.68:
        return microphone(points, rng)
    if kind < 0.78:
        return cup(points, texture, rng)
    if kind < 0.84:
        return mask(points, rng)
    if kind < 0.92:
        return fringe(points, rng)
    return blobs(texture, rng)


def glasses(points: Floats, rng: np.random.Generator) -> Cover:
    """Rims, bridge and temples; in half of them dark, tinted or shining lenses."""
    middles = [points[side].mean(axis=0) for side in _SIDES]
    across = middles[1] - middles[0]
    apart = max(float(np.hypot(*across)), 4.0)
    angle = float(np.degrees(np.arctan2(across[1], across[0])))
    wide, high = apart * rng.uniform(0.34, 0.5), apart * rng.uniform(0.24, 0.42)
    # a turned face shows the far lens narrower
    widths = [float(np.ptp(points[side] @ across)) / apart for side in _SIDES]
    lens, rim = _empty(), _empty()
    thick = int(rng.choice([1, 1, 2, 3]))
    boxy = rng.random() < 0.5
    for middle, width in zip(middles, widths, strict=True):
        shape = _lens(middle, wide * width / max(widths), high, angle, boxy)
        cv2.fillPoly(lens, shape, 255, cv2.LINE_AA, _BITS)
        cv2.polylines(rim, shape, True, 255, thick, cv2.LINE_AA, _BITS)
    along = across / apart
    for start, end in (
        (middles[0] + wide * 0.8 * along, middles[1] - wide * 0.8 * along),
        (middles[0] - wide * along, points[_OVAL[27]]),
        (middles[1] + wide * along, points[_OVAL[9]]),
    ):
        cv2.line(rim, _point(start), _point(end), 255, thick, cv2.LINE_AA, _BITS)
    opacity = rng.uniform(0.75, 1.0) if rng.random() < 0.35 else rng.uniform(0.0, 0.35)
    level = rng.uniform(5, 60) if opacity > 0.4 or rng.random() < 0.5 else rng.uniform(120, 250)
    lens_alpha, rim_alpha = opacity * _unit(lens), _unit(rim)
    shine = np.full((SIZE, SIZE), level, np.float32)
    if rng.random() < 0.4:
        slant = PIXELS @ rng.normal(0, 0.08, 2)
        shine += (rng.uniform(20, 120) * np.clip(np.sin(slant + rng.uniform(0, 6)), 0, 1)).astype(
            np.float32
        )
    frame_level = rng.uniform(0, 70) if rng.random() < 0.75 else rng.uniform(90, 240)
    thing = np.where(rim_alpha > 0, frame_level, shine)
    return thing.astype(np.float32), np.maximum(lens_alpha, rim_alpha)


def hand(luma: Luma, points: Floats, rng: np.random.Generator) -> Cover:
    """Fingers side by side and, mostly, the hand they belong to, in about the face's own luma."""
    target = points[rng.integers(len(points))] + rng.normal(0, 4, 2)
    heading = rng.uniform(0, 360) if rng.random() < 0.3 else rng.normal(-90, 45)
    along = np.array([np.cos(np.radians(heading)), np.sin(np.radians(heading))])
    aside = np.array([-along[1], along[0]])
    thick, reach = rng.uniform(4.5, 9.5), rng.uniform(18, 40)
    fingers, spread = int(rng.integers(1, 5)), rng.uniform(0, 0.12)
    skin = float(np.median(luma[30:66, 30:66])) * rng.uniform(0.75, 1.2)
    thing, alpha = np.full((SIZE, SIZE), skin, np.float32), _empty()
    edges = _empty()
    for i in range(fingers):
        place = i - (fingers - 1) / 2
        tip = target + aside * place * thick * 1.05 - along * abs(place) * rng.uniform(0, 4)
        knuckle = tip - along * reach - aside * place * spread * reach
        line = (_point(tip), _point(knuckle))
        cv2.line(alpha, *line, 255, round(thick), cv2.LINE_AA, _BITS)
        cv2.line(edges, *line, 255, max(1, round(thick * 0.6)), cv2.LINE_AA, _BITS)
    if rng.random() < 0.75:
        palm = target - along * (reach + 10)
        axes = (round(rng.uniform(14, 24) * 16), round(max(thick * fingers * 0.6, 10) * 16))
        for plane in (alpha, edges):
            cv2.ellipse(
                plane, _point(palm), axes, float(heading), 0, 360, 255, -1, cv2.LINE_AA, _BITS
            )
    slope = (PIXELS / SIZE - 0.5) @ rng.normal(0, 60, 2)
    thing = thing * (0.72 + 0.28 * _unit(edges)) + slope.astype(np.float32)
    thing += rng.normal(0, 3, thing.shape).astype(np.float32)
    return thing, np.asarray(cv2.GaussianBlur(_unit(alpha), (0, 0), 0.6))


def microphone(points: Floats, rng: np.random.Generator) -> Cover:
    """A ball on a stick before mouth or chin, or a headset's boom from the cheek."""
    mouth = points[_LIPS].mean(axis=0)
    level = rng.uniform(5, 80) if rng.random() < 0.8 else rng.uniform(100, 230)
    thing, alpha = np.full((SIZE, SIZE), level, np.float32), _empty()
    if rng.random() < 0.3:
        cheek = points[_OVAL[9 if rng.random() < 0.5 else 27]]
        tip = mouth + 0.35 * (cheek - mouth) + rng.normal(0, 3, 2)
        cv2.line(alpha, _point(cheek), _point(tip), 255, int(rng.integers(1, 4)), cv2.LINE_AA, 4)
        cv2.circle(alpha, _point(tip), round(rng.uniform(2, 5) * 16), 255, -1, cv2.LINE_AA, _BITS)
        return thing, _unit(alpha)
    ball = mouth + [rng.normal(0, 10), rng.uniform(-2, 22)]
    radius = rng.uniform(5, 14)
    heading = np.radians(rng.normal(90, 25))
    foot = ball + 90 * np.array([np.cos(heading), np.sin(heading)])
    stick = round(radius * rng.uniform(0.5, 1.3))
    cv2.line(alpha, _point(ball), _point(foot), 255, stick, cv2.LINE_AA, _BITS)
    cv2.circle(alpha, _point(ball), round(radius * 16), 255, -1, cv2.LINE_AA, _BITS)
    weave = np.sin(PIXELS[..., 0] * rng.uniform(0.8, 2.5)) * np.sin(
        PIXELS[..., 1] * rng.uniform(0.8, 2.5)
    )
    gleam = np.exp(-((PIXELS - ball + radius / 3) ** 2).sum(axis=-1) / radius**2)
    thing += (rng.uniform(0, 25) * weave + rng.uniform(0, 90) * gleam).astype(np.float32)
    return thing, _unit(alpha)


def cup(points: Floats, texture: Callable[[], Plane], rng: np.random.Generator) -> Cover:
    """A cup, a glass or a telephone before the lower half of the face or beside it."""
    middle = points[_LIPS].mean(axis=0) + [rng.normal(0, 14), rng.uniform(-6, 22)]
    top, bottom, high = rng.uniform(10, 24), rng.uniform(7, 20), rng.uniform(18, 42)
    corners = np.array([[-top, 0], [top, 0], [bottom, high], [-bottom, high]])
    lean = np.radians(rng.normal(0, 22))
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    alpha = _empty()
    cv2.fillPoly(alpha, _polygon(corners @ turn.T + middle), 255, cv2.LINE_AA, _BITS)
    round_ = np.cos((PIXELS[..., 0] - middle[0]) / (1.3 * top)) * rng.uniform(10, 70)
    thing = rng.uniform(20, 230) + round_ + 0.25 * (texture() - 128) * (rng.random() < 0.5)
    opacity = rng.uniform(0.35, 0.7) if rng.random() < 0.15 else 1.0
    return thing.astype(np.float32), (opacity * _unit(alpha)).astype(np.float32)


def mask(points: Floats, rng: np.random.Generator) -> Cover:
    """A cloth over nose, mouth and chin."""
    bridge = points[_NOSE[rng.integers(0, 4)]]
    rim = points[_OVAL[9:28]]
    centre = rim.mean(axis=0)
    outline = np.vstack([bridge, centre + (rim - centre) * rng.uniform(0.95, 1.1)])
    alpha = _empty()
    cv2.fillPoly(alpha, _polygon(outline), 255, cv2.LINE_AA, _BITS)
    folds = np.sin((PIXELS @ rng.normal([0, 0.45], 0.1)) + rng.uniform(0, 6)) * rng.uniform(0, 18)
    slope = (PIXELS / SIZE - 0.5) @ rng.normal(0, 40, 2)
    return (rng.uniform(25, 235) + folds + slope).astype(np.float32), _unit(alpha)


def fringe(points: Floats, rng: np.random.Generator) -> Cover:
    """Hair over the forehead, or locks down one side."""
    level = rng.uniform(10, 90) if rng.random() < 0.75 else rng.uniform(110, 200)
    alpha = _empty()
    top = points[_OVAL[0]]
    brow = points[_NOSE[0]]
    down = brow - top
    aside = np.array([-down[1], down[0]])
    side = rng.choice([-1.0, 1.0]) if rng.random() < 0.5 else 0.0
    for _ in range(int(rng.integers(25, 60))):
        place = side * rng.uniform(0.9, 1.7) if side else rng.uniform(-1.4, 1.4)
        start = top - 0.5 * down + aside * place * 1.2
        length = rng.uniform(1.6, 4.0) if side else rng.uniform(0.8, 1.5)
        end = start + length * down + aside * rng.normal(0, 0.12)
        cv2.line(alpha, _point(start), _point(end), 255, int(rng.integers(1, 4)), cv2.LINE_AA, 4)
    strands = np.sin(PIXELS @ (aside / max(np.hypot(*aside), 1.0)) * rng.uniform(1.5, 3.5)) * 18
    thing = level + strands + rng.normal(0, 8, (SIZE, SIZE))
    return thing.astype(np.float32), _unit(alpha)


def blobs(texture: Callable[[], Plane], rng: np.random.Generator) -> Cover:
    """A few soft ellipses with a texture of their own."""
    alpha, middle = _empty(), rng.uniform(0.1, 0.95, 2) * SIZE
    for _ in range(rng.integers(1, 5)):
        centre = middle + rng.normal(0, 7, 2)
        axes = (round(rng.uniform(3, 20) * 16), round(rng.uniform(3, 9) * 16))
        cv2.ellipse(
            alpha, _point(centre), axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA, _BITS
        )
    soft = cv2.GaussianBlur(_unit(alpha), (0, 0), rng.uniform(0.4, 1.5)).astype(np.float32)
    return (texture() * 0.3 + rng.uniform(10, 170)).astype(np.float32), soft


def _lens(
    middle: Floats, wide: float, high: float, angle: float, boxy: bool
) -> list[NDArray[np.int32]]:
    """A superellipse: round, or a box with round corners."""
    t = np.linspace(0, 2 * np.pi, 25)[:-1]
    power = 0.5 if boxy else 0.9
    x = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power * wide
    y = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power * high
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return _polygon(np.stack([cos * x - sin * y, sin * x + cos * y], 1) + middle)


def _polygon(corners: Floats) -> list[NDArray[np.int32]]:
    return [np.rint(corners * 2**_BITS).astype(np.int32)]


def _point(place: Floats) -> tuple[int, int]:
    x, y = np.rint(place * 2**_BITS).astype(int).tolist()
    return x, y


def _empty() -> Luma:
    return np.zeros((SIZE, SIZE), np.uint8)


def _unit(mask_: Luma) -> Plane:
    return np.asarray(mask_.astype(np.float32) / 255, np.float32)
