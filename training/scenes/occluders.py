"""Things before a face: hands, microphones, cups."""

from __future__ import annotations

import numpy as np

from training.scenes.canvas import Brush, Canvas, Cast
from training.scenes.scene import Floats

_CHIN, _LIP, _NOSE = 152, 17, 1


def hand(rng: np.random.Generator, canvas: Canvas, face: Cast, strength: float) -> None:
    """A few fingers and a palm of the person's own skin, reaching up to somewhere on the face."""
    tip = face.mesh[int(rng.choice([_CHIN, _LIP, _NOSE, 205, 425, 33, 263, 10], p=HAND_PLACES))]
    tip = tip + rng.normal(0, 0.12, 2) * face.size
    draw_hand(rng, canvas, tip, face.size * rng.uniform(0.75, 1.05 + 0.3 * strength), face.skin)


HAND_PLACES = (0.2, 0.16, 0.1, 0.18, 0.18, 0.07, 0.07, 0.04)


def draw_hand(
    rng: np.random.Generator, canvas: Canvas, tip: Floats, size: float, skin: Floats
) -> None:
    """A hand whose middle fingertip is at `tip`; `size` is about the length of the hand."""
    lean = rng.normal(0, 0.6)
    up = np.array([np.sin(lean), -np.cos(lean)])
    across = np.array([-up[1], up[0]])
    palm = tip - up * 0.62 * size
    elbow = palm - up * 3.5 * size
    reach = np.full(2, size)
    brush = Brush(canvas, np.minimum(palm, elbow) - reach, np.maximum(palm, elbow) + reach)
    skin = skin * rng.uniform(0.75, 1.15)
    dark, light = skin * 0.72, skin * 1.08
    count, spread, curl = int(rng.integers(2, 5)), rng.uniform(0.0, 0.35), rng.uniform(0.3, 1.0)
    wide = size * rng.uniform(0.075, 0.1)
    brush.line(np.array([elbow, palm]), dark, size * 0.27)
    brush.line(np.array([elbow, palm]), skin, size * 0.24, 0)
    brush.ellipse(palm, np.array([0.2, 0.27]) * size, np.degrees(lean), skin)
    thumb = palm + across * 0.42 * size * rng.choice([-1, 1]) + up * rng.uniform(0, 0.25) * size
    for outer, colour in ((1.0, dark), (0.8, skin), (0.35, light)):
        brush.line(np.array([palm, (palm + thumb) / 2, thumb]), colour, wide * 1.1 * outer)
    for i in range(count):
        lateral = (i - (count - 1) / 2) * wide * 1.15
        base = palm + across * lateral + up * 0.15 * size
        aim = up + across * (i - (count - 1) / 2) * spread
        length = size * (0.47 - 0.03 * abs(i - (count - 1) / 2)) * (1 if i == count // 2 else curl)
        joint = base + aim * length * 0.55
        end = joint + (aim + across * rng.normal(0, 0.12)) * length * 0.45
        path = np.array([base, joint, end])
        for outer, colour in ((1.0, dark), (0.82, skin), (0.35, light)):
            brush.line(path, colour, wide * outer)
        brush.ellipse(end, np.array([0.25, 0.32]) * wide, np.degrees(lean), light * 1.04, 255)
    brush.shade(rng, 0.12)
    brush.soften(size * 0.008)
    brush.done()


def microphone(rng: np.random.Generator, canvas: Canvas, face: Cast, strength: float) -> None:
    """A microphone on a stand or an arm before the mouth."""
    size = face.size
    head = face.mesh[_LIP] + rng.normal(0, 0.16, 2) * size + [0, 0.1 * size]
    side = rng.choice([-1.0, 1.0])
    foot = head + np.array([side * rng.uniform(0.0, 1.6), rng.uniform(0.8, 1.6)]) * size
    radius = size * rng.uniform(0.1, 0.16 + 0.08 * strength)
    brush = Brush(canvas, np.minimum(head, foot) - radius * 2, np.maximum(head, foot) + radius * 2)
    grey = np.full(3, rng.uniform(15, 90))
    brush.line(np.array([head, foot]), grey * 0.8, radius * rng.uniform(0.35, 1.0))
    tilt = np.degrees(np.arctan2(*(foot - head)[::-1]))
    long = radius * rng.uniform(1.0, 1.8)
    brush.ellipse(head, np.array([long, radius]), tilt, grey * rng.uniform(1, 2))
    for offset in np.linspace(-0.6, 0.6, int(rng.integers(2, 6))):
        rib = head + (foot - head) / np.hypot(*(foot - head)) * long * offset
        normal = np.array([-(foot - head)[1], (foot - head)[0]]) / np.hypot(*(foot - head))
        half = normal * radius * np.sqrt(1 - offset**2) * 0.9
        brush.line(np.array([rib - half, rib + half]), grey * 0.5, radius * 0.08)
    brush.ellipse(head - radius * 0.35, np.full(2, radius * 0.25), 0, grey + 90)
    brush.soften(size * 0.01)
    brush.done()


def cup(rng: np.random.Generator, canvas: Canvas, face: Cast, strength: float) -> None:
    """A cup, a mug or a glass at the mouth."""
    size = face.size
    rim = face.mesh[_LIP] + rng.normal(0, 0.07, 2) * size
    wide, tall = size * rng.uniform(0.16, 0.2 + 0.06 * strength), size * rng.uniform(0.35, 0.55)
    lean = rng.normal(0, 0.2)
    down, right = np.array([np.sin(lean), np.cos(lean)]), np.array([np.cos(lean), -np.sin(lean)])
    foot, narrow = rim + down * tall, rng.uniform(0.65, 1.0)
    brush = Brush(canvas, rim - 2.2 * size * 0.5, foot + 1.6 * size * 0.5)
    colour = rng.uniform(20, 250, 3)
    handle = (rim + foot) / 2 + right * wide * 1.25 * rng.choice([-1, 1])
    brush.ellipse(handle, np.array([0.3 * wide, tall * 0.3]), -np.degrees(lean), colour * 0.8)
    brush.polygon(
        np.array(
            [rim - right * wide, rim + right * wide, foot + right * wide * narrow,
             foot + down * wide * 0.15, foot - right * wide * narrow]
        ),
        colour,
    )  # fmt: skip
    shadow = rng.uniform(0.55, 0.85)
    brush.polygon(
        np.array([rim + right * wide * 0.3, rim + right * wide, foot + right * wide * narrow,
                  foot + right * wide * 0.3 * narrow]),
        colour * shadow,
    )  # fmt: skip
    brush.ellipse(rim, np.array([wide, wide * 0.22]), -np.degrees(lean), colour * 0.6)
    brush.shade(rng, 0.08)
    brush.soften(size * 0.008)
    brush.done()
    if rng.random() < 0.6:
        tip = (rim + foot) / 2 + right * wide * rng.uniform(-0.5, 0.5) - down * 0.1 * size
        draw_hand(rng, canvas, tip, size * 0.7, face.skin)
