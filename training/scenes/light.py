"""Light: on single people before they are set into the frame, and on the whole frame."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenes.canvas import gained
from training.scenes.people import Relight
from training.scenes.scene import Picture, tone

Lights = frozenset[str]


def draw_lights(rng: np.random.Generator, difficulty: float) -> Lights:
    """Which lights a scene has: mostly none of note."""
    hard, names = 2 * difficulty, set()
    kind = rng.random()
    for name, share in (("dim", 0.13), ("backlit", 0.1), ("bright", 0.05)):
        if kind < share * hard:
            names.add(name)
            break
        kind -= share * hard
    for name, share in (("warm", 0.14), ("cold", 0.08), ("screen", 0.12), ("sidelight", 0.2)):
        if rng.random() < share * (0.4 + 0.6 * hard):
            names.add(name)
    return frozenset(names - {"cold"} if "warm" in names else names)


def on_person(rng: np.random.Generator, lights: Lights, difficulty: float) -> Relight:
    """What the lights do to one head: a gain across it and a gamma."""
    strength = 0.5 + difficulty
    gain = np.full((5, 5), float(np.exp(rng.normal(0, 0.12))))
    slope, level = rng.normal(0, 0.06, 2), 1.0
    if "sidelight" in lights:
        slope = slope + rng.choice([-1, 1]) * np.array([rng.uniform(0.25, 0.6), 0.0]) * strength
    if "screen" in lights:
        slope = slope + np.array([rng.normal(0, 0.1), rng.uniform(0.05, 0.3)]) * strength
    backlit = rng.uniform(0.28, 0.55) ** (0.5 + difficulty)
    if "backlit" in lights:
        level = backlit
    axis = np.linspace(-1, 1, 5)
    gain = gain * np.clip(1 + slope[0] * axis[None] + slope[1] * axis[:, None], 0.18, 1.8) * level
    gamma = float(np.exp(rng.normal(0, 0.12)))
    return Relight(gain.astype(np.float32), gamma)


def behind(rng: np.random.Generator, picture: Picture, lights: Lights) -> Picture:
    """A background before anybody stands in it: a window's glare where people are lit from behind."""
    gain, offset = rng.uniform(1.0, 1.5), rng.uniform(50, 120)
    if "backlit" not in lights:
        return picture
    return np.asarray(cv2.convertScaleAbs(picture, alpha=gain, beta=offset), np.uint8)


def on_frame(
    rng: np.random.Generator, picture: Picture, lights: Lights, difficulty: float
) -> Picture:
    """Exposure and colour of the whole frame."""
    channels = 1 if picture.ndim == 2 else 3
    strength = 0.5 + difficulty
    level, contrast = np.exp(rng.normal(0, 0.1)), rng.uniform(0.8, 1.1)
    dim, bright = rng.uniform(0.18, 0.5) ** strength, rng.uniform(1.15, 1.5)
    warm, screen = rng.uniform(0.1, 0.45) * strength, rng.uniform(0.3, 1.0, 3)
    if "dim" in lights:
        level *= dim
    if "bright" in lights:
        level *= bright
    colour = np.ones(3)
    if "warm" in lights:
        colour *= [1 - warm, 1 - 0.35 * warm, 1 + 0.4 * warm]
    if "cold" in lights:
        colour *= [1 + 0.3 * warm, 1 - 0.1 * warm, 1 - 0.5 * warm]
    codes = np.arange(256)[:, None] / 255.0
    lifted = (((codes - 0.5) * contrast + 0.5) * level * colour * 255).clip(0, 255)
    if channels == 1:
        table = np.asarray(lifted @ [0.114, 0.587, 0.299]).astype(np.uint8)
        picture = np.asarray(cv2.LUT(picture, table), np.uint8)
    else:
        picture = np.asarray(cv2.LUT(picture, lifted.astype(np.uint8)[None]), np.uint8)
    falloff, side = rng.uniform(0.3, 0.8) * min(strength, 1.2), int(rng.integers(3))
    if "screen" in lights:
        picture = _glow(picture, tuple(np.array(tone(screen, channels))), falloff, side)
    return picture


def _glow(picture: Picture, colour: tuple[float, ...], falloff: float, side: int) -> Picture:
    """Light of a screen's colour from below, the left or the right, dimmer with distance."""
    away = np.linspace(0, 1, 8, dtype=np.float32)
    grid = np.tile(away[::-1, None] if side == 0 else away[None], (1, 8) if side == 0 else (8, 1))
    grid = grid[:, ::-1] if side == 2 else grid
    size = (picture.shape[1], picture.shape[0])
    share = cv2.resize(np.ascontiguousarray(grid), size, interpolation=cv2.INTER_LINEAR)
    if picture.ndim == 2:
        # The eye of a luma camera: the screen's own brightness, 1 near it.
        return gained(
            picture, np.asarray(1.15 - share * np.float32(falloff * (1.2 - 0.4 * colour[0])))
        )
    gains = [1.15 - share * np.float32(falloff * (1.2 - 0.4 * value)) for value in colour]
    return np.asarray(cv2.multiply(picture, cv2.merge(gains), dtype=cv2.CV_8U), np.uint8)
