"""Things worn on a head: glasses, headsets, masks, hair before the forehead. They follow the turned mesh."""

from __future__ import annotations

import numpy as np

from training.scenes.canvas import Brush, Canvas, Cast, ellipse
from training.scenes.scene import Floats, muted

# Outer corner, inner corner, brow above, cheek below, and where the temple ends, of each eye.
_EYES = ((33, 133, 105, 118, 127), (263, 362, 334, 347, 356))
_MASK = (197, 196, 126, 100, 118, 117, 123, 147, 177, 215, 58, 172, 136, 150, 149, 176, 148, 152,
         377, 400, 378, 379, 365, 397, 288, 435, 401, 376, 352, 346, 347, 329, 355, 419)  # fmt: skip
_HAIRLINE = (127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)


def _box(points: Floats, margin: float) -> tuple[Floats, Floats]:
    return points.min(axis=0) - margin, points.max(axis=0) + margin


def glasses(rng: np.random.Generator, canvas: Canvas, face: Cast, dark: bool) -> None:
    """A frame with two lenses, clear or dark, sometimes with a reflection in them."""
    size, mesh = face.size, face.mesh
    used = mesh[[i for eye in _EYES for i in eye]]
    colour = rng.uniform(5, 70, 3) if rng.random() < 0.7 else rng.uniform(60, 220, 3)
    thick, square = size * rng.uniform(0.008, 0.035), rng.uniform(0.5, 1.0)
    wide, high, drop = rng.uniform(0.95, 1.25), rng.uniform(0.55, 0.8), rng.uniform(0.05, 0.3)
    lens_tone, lens_alpha = rng.uniform(5, 60, 3), int(rng.uniform(170, 256))
    reflected, glare = rng.random() < 0.35, rng.uniform(150, 255, 3)
    glare_at, glare_wide, glare_alpha = (
        rng.uniform(-0.6, 0.6),
        rng.uniform(0.15, 0.6),
        rng.uniform(40, 230),
    )
    rims, inner = [], []
    for outer, middle, brow, cheek, _ in _EYES:
        across = (mesh[outer] - mesh[middle]) / 2 * wide * 1.35
        down = (mesh[cheek] - mesh[brow]) / 2 * high
        centre = (mesh[outer] + mesh[middle]) / 2 + down * drop + across * 0.08
        angle = np.arange(28) * (2 * np.pi / 28)
        cos, sin = np.cos(angle), np.sin(angle)
        cos, sin = np.sign(cos) * np.abs(cos) ** square, np.sign(sin) * np.abs(sin) ** square
        rims.append(centre + cos[:, None] * across + sin[:, None] * down)
        inner.append((centre, across, down))
    for rim, (centre, across, down) in zip(rims, inner, strict=True):
        brush = Brush(canvas, *_box(rim, thick * 2))
        if dark:
            brush.polygon(rim, lens_tone, lens_alpha)
            brush.soften(size * 0.006)
        brush.done()
        if reflected:
            brush = Brush(canvas, *_box(rim, thick * 2))
            left, right = centre + across * (glare_at - glare_wide), centre + across * glare_at
            brush.polygon(
                np.array([left - down * 0.7, right - down * 0.75, right + down * 0.3 - across * 0.2,
                          left + down * 0.4 - across * 0.2]),
                glare, int(glare_alpha),
            )  # fmt: skip
            brush.soften(size * 0.008)
            brush.done()
    brush = Brush(canvas, *_box(used, size * 0.15))
    for rim, eye in zip(rims, _EYES, strict=True):
        brush.line(np.vstack([rim, rim[:1]]), colour, thick)
        if face.visible.any() and abs(face.yaw_deg) < 60:
            brush.line(np.array([rim[0], mesh[eye[4]]]), colour, thick)
    bridge = np.array([rims[0][14], mesh[6] - (mesh[6] - mesh[9]) * 0.25, rims[1][14]])
    brush.line(bridge, colour, thick)
    brush.soften(size * 0.004)
    brush.done()


def headset(rng: np.random.Generator, canvas: Canvas, face: Cast) -> None:
    """A band over the head, two ear cups, often a boom microphone."""
    size, mesh = face.size, face.mesh
    ears = mesh[[234, 454]]
    top = mesh[10] + (mesh[10] - mesh[1]) * 0.55
    colour = np.full(3, rng.uniform(10, 60)) if rng.random() < 0.7 else rng.uniform(60, 240, 3)
    brush = Brush(canvas, *_box(np.vstack([ears, top[None], mesh[[152]]]), size * 0.35))
    angle = np.linspace(np.pi, 0, 15)
    middle, half = ears.mean(axis=0), (ears[1] - ears[0]) / 2 * 1.12
    up = top - middle
    band = middle + np.cos(angle)[:, None] * half + np.sin(angle)[:, None] * up
    brush.line(band, colour * 0.9, size * rng.uniform(0.04, 0.09))
    tilt = np.degrees(np.arctan2(*half[::-1]))
    for sign, turned in ((-1, face.yaw_deg), (1, -face.yaw_deg)):
        if turned < 30:
            place = middle + half * sign
            brush.ellipse(
                place, np.array([0.09, 0.17]) * size * rng.uniform(0.8, 1.2), tilt, colour
            )
            brush.ellipse(place, np.array([0.05, 0.1]) * size, tilt, colour * 1.4 + 10)
    if rng.random() < 0.6:
        sign = rng.choice([-1, 1])
        start, end = middle + half * sign, mesh[17] + half * sign * rng.uniform(0.1, 0.5)
        bend = (start + end) / 2 + half * sign * 0.2 + (mesh[152] - mesh[1]) * 0.3
        brush.line(np.array([start, bend, end]), colour, size * 0.02)
        brush.ellipse(end, np.array([0.05, 0.035]) * size, 0, colour * 0.6)
    brush.soften(size * 0.006)
    brush.done()


def mask(rng: np.random.Generator, canvas: Canvas, face: Cast) -> None:
    """A cloth or surgical mask over nose, mouth and chin."""
    size, outline = face.size, face.mesh[list(_MASK)]
    colours = ((235, 225, 205), (225, 200, 150), (245, 245, 245), (30, 30, 30), (90, 60, 50))
    colour = np.array(colours[int(rng.integers(5))], float) * rng.uniform(0.7, 1.0)
    low = face.mesh[152] - face.mesh[1]
    outline = (
        outline
        + np.where((np.arange(len(outline)) > 10) & (np.arange(len(outline)) < 24), 1, 0)[:, None]
        * low
        * 0.06
    )
    brush = Brush(canvas, *_box(np.vstack([outline, face.mesh[[234, 454]]]), size * 0.05))
    for ear, corner in ((234, 7), (454, 28)):
        brush.line(np.array([face.mesh[ear], outline[corner]]), colour * 0.9, size * 0.012)
    brush.polygon(outline, colour)
    for share in (0.3, 0.5, 0.7):
        left, right = face.mesh[123] + low * share * 0.9, face.mesh[352] + low * share * 0.9
        middle = face.mesh[1] + low * share
        brush.line(np.array([left * 0.8 + middle * 0.2, middle, right * 0.8 + middle * 0.2]),
                   colour * 0.88, size * 0.012, 0)  # fmt: skip
    brush.shade(rng, 0.08)
    brush.soften(size * 0.008)
    brush.done()


def fringe(rng: np.random.Generator, canvas: Canvas, face: Cast) -> None:
    """Strands of the person's own hair before forehead, sometimes down to the eyes or beside the cheeks."""
    size, mesh = face.size, face.mesh
    line, up = mesh[list(_HAIRLINE)], mesh[10] - mesh[1]
    brow = mesh[list(_BROWS)].mean(axis=0)
    length = np.hypot(*(brow - mesh[10])) * rng.uniform(0.4, 1.35)
    colour = face.hair * rng.uniform(0.6, 1.0)
    brush = Brush(canvas, *_box(line, size * 0.45))
    slant, kind = rng.normal(0, 0.35), rng.random()
    down = -up / np.hypot(*up)
    across = np.array([down[1], -down[0]])
    for i in np.linspace(1, len(line) - 2, int(rng.integers(18, 40))):
        start = line[int(i)] * (1 - i % 1) + line[min(int(i) + 1, len(line) - 1)] * (i % 1)
        if kind < 0.3 and abs(i - 7) < 2.5:  # parted in the middle
            continue
        start = start - down * 0.12 * size
        reach = (length + 0.1 * size) * rng.uniform(0.7, 1.1)
        end = start + down * reach + across * (slant + rng.normal(0, 0.12)) * reach
        bend = (start + end) / 2 + across * rng.normal(0, 0.02) * size
        brush.line(np.array([start, bend, end]), colour * rng.uniform(0.7, 1.3),
                   size * rng.uniform(0.02, 0.06))  # fmt: skip
    brush.soften(size * 0.006)
    brush.done()


def cap(rng: np.random.Generator, canvas: Canvas, face: Cast) -> None:
    """A hat or a hood's rim over the crown."""
    size, mesh = face.size, face.mesh
    ears = mesh[[127, 356]]
    middle, half = ears.mean(axis=0), (ears[1] - ears[0]) / 2 * rng.uniform(1.15, 1.35)
    up = mesh[10] - mesh[1]
    angle = np.linspace(np.pi, 0, 17)
    colour = muted(rng)
    edge = middle + up * rng.uniform(0.15, 0.5)
    crown = (
        edge + np.cos(angle)[:, None] * half + np.sin(angle)[:, None] * up * rng.uniform(0.7, 1.0)
    )
    brush = Brush(canvas, *_box(crown, size * 0.3))
    brush.polygon(crown, colour)
    tilt = np.degrees(np.arctan2(*half[::-1]))
    brim = ellipse(
        edge, np.array([np.hypot(*half) * rng.uniform(1.0, 1.3), 0.1 * size]), float(tilt)
    )
    brush.polygon(brim, colour * 0.75)
    brush.shade(rng, 0.12)
    brush.soften(size * 0.008)
    brush.done()


def torso(rng: np.random.Generator, canvas: Canvas, face: Cast) -> None:
    """Clothes over neck and shoulders; the body leans less than the head."""
    neck, lean = face.at(0.0, 0.75), -0.6 * np.arctan2(face.to_frame[1, 0], face.to_frame[0, 0])
    straight = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    body = straight @ face.to_frame[:, :2]
    wide, collar, slope = rng.uniform(0.85, 1.25), rng.uniform(0.0, 0.45), rng.uniform(0.1, 0.35)
    right = np.array([
        (0.0, 0.12 + collar), (0.24, 0.02), (0.34, 0.0), (0.6 * wide, 0.5 * slope), (0.95 * wide, slope),
        (1.1 * wide, slope + 0.25), (1.2 * wide, 1.2), (1.25 * wide, 4.0),
    ])  # fmt: skip
    outline = np.vstack([right, right[::-1] * [-1, 1]]) @ body.T + neck
    colour = muted(rng)
    brush = Brush(canvas, *_box(outline, 0.05 * face.size))
    brush.polygon(outline, colour)
    if rng.random() < 0.35:  # a pattern, a tie, lapels
        tint, count = muted(rng), int(rng.integers(1, 10))
        for x in np.linspace(-0.8, 0.8, count) if count > 1 else [0.0]:
            path = np.array([[x * 0.7, 0.3 + collar], [x, 4.0]]) @ body.T + neck
            brush.line(path, tint, face.size * rng.uniform(0.02, 0.12), 0)
    brush.line(outline[:5], colour * 0.7, 0.025 * face.size, 0)
    brush.line(outline[-5:], colour * 0.7, 0.025 * face.size, 0)
    brush.shade(rng, 0.12)
    brush.soften(face.size * 0.008)
    brush.done()
