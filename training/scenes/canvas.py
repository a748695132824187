"""The frame while it is being composed: what is painted last hides the landmarks beneath it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.scene import Floats, Picture, tone

_SHIFT = 4  # fractional bits of the coordinates that cv2 draws at
_ONE = 1 << _SHIFT


@dataclass(slots=True, eq=False)
class Cast:
    """One person in the frame so far."""

    mesh: Floats
    """(478, 2) in frame pixels."""
    points: Floats
    """(K, 2), `mesh` at ``engine.LANDMARKS``."""
    visible: NDArray[np.bool_]
    """(K,)."""
    to_frame: Floats
    """(2, 3) from unit coordinates to frame pixels, before the head turned."""
    size: float
    yaw_deg: float
    pitch_deg: float
    person: str
    skin: Floats
    """(3,) BGR."""
    hair: Floats
    conditions: set[str] = field(default_factory=set)
    ignore: bool = False

    def at(self, x: float, y: float) -> Floats:
        """(2,) frame pixels of a unit place that does not turn with the head."""
        return np.asarray(self.to_frame @ [x, y, 1.0])


class Canvas:
    """A picture that remembers whose landmarks can still be seen."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        """(H, W) luma or (H, W, 3) BGR; painted in place."""
        self.cast: list[Cast] = []
        self.window = (0, 0, picture.shape[1], picture.shape[0])
        """x0, y0, x1, y1 outside which brushes do not reach."""

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.picture.ndim == 2 else 3

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.picture.shape[0], self.picture.shape[1]

    @property
    def unit(self) -> float:
        """Pixels here per pixel of a 1280-wide frame."""
        return max(self.shape) / 1280

    def blend(self, patch: Picture, alpha: Picture, x: int, y: int) -> None:
        """Lays a patch with its (h, w) alpha over the frame at a corner inside it."""
        height, width = alpha.shape
        under = self.picture[y : y + height, x : x + width]
        share = alpha.astype(np.float32) * np.float32(1 / 255)
        rest = np.float32(1) - share
        under[:] = cv2.blendLinear(patch, np.ascontiguousarray(under), share, rest)
        for person in self.cast:
            place = np.rint(person.points - [x, y]).astype(int)
            inside = ((place >= 0) & (place < [width, height])).all(axis=1)
            column, row = place[inside].T
            person.visible[inside] &= alpha[row, column] < 128


class Brush:
    """Draws one opaque thing, with its alpha, in frame coordinates."""

    def __init__(self, canvas: Canvas, low: Floats, high: Floats) -> None:
        first, last = canvas.window[:2], canvas.window[2:]
        left, top = (int(v) for v in np.clip(np.floor(low) - 3, first, last))
        right, bottom = (int(v) for v in np.clip(np.ceil(high) + 4, first, last))
        self._canvas, self._x, self._y = canvas, left, top
        self.empty = bottom <= top or right <= left
        # One pixel to draw on where nothing of the thing is inside the window.
        shape = (1, 1) if self.empty else (bottom - top, right - left)
        self._alpha = np.zeros(shape, np.uint8)
        deep = shape if canvas.channels == 1 else (*shape, 3)
        self._picture: Picture = np.zeros(deep, np.uint8)
        self._fresh = True

    def polygon(self, points: Floats, colour: Floats, alpha: int = 255) -> None:
        """A filled polygon."""
        if self.empty:
            return
        places = [self._place(points)]
        self._first(colour)
        tones = tone(colour, self._canvas.channels)
        cv2.fillPoly(self._picture, places, tones, cv2.LINE_AA, _SHIFT)
        if alpha:
            cv2.fillPoly(self._alpha, places, (alpha,), cv2.LINE_AA, _SHIFT)

    def line(self, points: Floats, colour: Floats, thickness: float, alpha: int = 255) -> None:
        """An open polyline with round ends."""
        if self.empty:
            return
        places, wide = [self._place(points)], max(round(thickness), 1)
        self._first(colour)
        tones = tone(colour, self._canvas.channels)
        cv2.polylines(self._picture, places, False, tones, wide, cv2.LINE_AA, _SHIFT)
        if alpha:
            cv2.polylines(self._alpha, places, False, (alpha,), wide, cv2.LINE_AA, _SHIFT)

    def ellipse(
        self, centre: Floats, axes: Floats, angle_deg: float, colour: Floats, alpha: int = 255
    ) -> None:
        """A filled ellipse."""
        self.polygon(ellipse(centre, axes, angle_deg), colour, alpha)

    def shade(self, rng: np.random.Generator, strength: float, cells: int = 4) -> None:
        """Uneven light over all that was drawn."""
        noise = rng.normal(1, strength, (cells, cells)).astype(np.float32)
        if self.empty:
            return
        size = (self._alpha.shape[1], self._alpha.shape[0])
        gain = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
        self._picture = gained(self._picture, np.asarray(gain))

    def soften(self, sigma: float) -> None:
        """Blurs what was drawn, and its rim."""
        if not self.empty and sigma > 0.25:
            self._picture = np.asarray(cv2.GaussianBlur(self._picture, (0, 0), sigma), np.uint8)
            self._alpha = np.asarray(cv2.GaussianBlur(self._alpha, (0, 0), sigma), np.uint8)

    def done(self) -> None:
        """Lays it over the frame."""
        if not self.empty:
            self._canvas.blend(self._picture, self._alpha, self._x, self._y)

    def _first(self, colour: Floats) -> None:
        if self._fresh:  # the rim of what is drawn first fades into its own colour, not into black
            self._picture[:] = np.uint8(np.clip(tone(colour, self._canvas.channels), 0, 255))
            self._fresh = False

    def _place(self, points: Floats) -> NDArray[np.int32]:
        return np.rint((np.asarray(points) - [self._x, self._y]) * _ONE).astype(np.int32)


def ellipse(centre: Floats, axes: Floats, angle_deg: float) -> Floats:
    """(24, 2) outline."""
    angle = np.arange(24) * (2 * np.pi / 24)
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    rim = np.stack([np.cos(angle), np.sin(angle)], 1) * axes
    return np.asarray(rim @ [[cos, sin], [-sin, cos]] + centre)


def gained(picture: Picture, gain: NDArray[np.float32]) -> Picture:
    """A picture times an (H, W) gain, clipped."""
    deep = gain if picture.ndim == 2 else cv2.merge([gain, gain, gain])
    return np.asarray(cv2.multiply(picture, deep, dtype=cv2.CV_8U), np.uint8)
