"""Portraits placed in a 720p frame, and the noise of a camera over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot, oval_of
from stream_retouch.engine import LANDMARKS
from stream_retouch.errors import MediaError
from training.splits import Portrait

WIDTH, HEIGHT = 1280, 720
NOISE_CODES = 2.5
"""Standard deviation of the noise, luma code values: a webcam in a room."""

Luma = NDArray[np.uint8]
Points = NDArray[np.float64]


class CameraNoise:
    """Fresh noise for every frame, from a few fields shifted and turned about: drawing 0.9 M normals would be slow."""

    def __init__(self, seed: int, codes: float = NOISE_CODES) -> None:
        self._rng = np.random.default_rng(seed)
        shape = (4, HEIGHT + 256, WIDTH + 256)
        self._fields = np.rint(self._rng.standard_normal(shape, np.float32) * codes).astype(
            np.int16
        )

    def __call__(self, luma: Luma) -> Luma:
        """`luma`, at most 1280x720, with noise added."""
        rng, (height, width) = self._rng, luma.shape
        field = self._fields[rng.integers(len(self._fields))]
        top, left = (int(n) for n in rng.integers(0, 257, 2))
        piece = field[top : top + height, left : left + width]
        piece = piece[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
        noisy = cv2.add(
            luma.astype(np.int16), np.ascontiguousarray(piece) * int(rng.choice((-1, 1)))
        )
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One portrait at the size it is shown in, area-shrunk."""

    luma: Luma
    """(h, w)."""
    points: Points
    """(K, 2) landmarks in its pixels."""
    spot: Spot
    """Of those."""
    person: str

    def at(self, x: float, y: float) -> tuple[Luma, Points]:
        """The (HEIGHT, WIDTH) frame whose face's oval is centred at x, y, and its landmarks.

        Around the portrait its border is repeated, as a plain wall would go on.
        """
        shift = np.array([x - self.spot.x, y - self.spot.y])
        to_frame = np.column_stack([np.eye(2), shift])
        frame = cv2.warpAffine(
            self.luma,
            to_frame,
            (WIDTH, HEIGHT),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(frame, np.uint8), self.points + shift


def load_still(portrait: Portrait, size: float) -> Still:
    """The portrait with an oval of `size` pixels (at most its own).

    Raises:
        MediaError: no readable picture.
    """
    luma = cv2.imread(str(portrait.file), cv2.IMREAD_GRAYSCALE)
    if luma is None:
        raise MediaError(str(portrait.file), "no readable picture; copy the portraits again")
    points = portrait.landmarks[list(LANDMARKS)].astype(np.float64)
    scale = size / oval_of(points).size
    shape = round(luma.shape[1] * scale), round(luma.shape[0] * scale)
    small = np.asarray(cv2.resize(luma, shape, interpolation=cv2.INTER_AREA), np.uint8)
    ratio = np.array([shape[0] / luma.shape[1], shape[1] / luma.shape[0]])
    placed = (points + 0.5) * ratio - 0.5
    return Still(small, placed, oval_of(placed), portrait.person_id)


def one_each(people: Sequence[Portrait]) -> list[Portrait]:
    """The first portrait of every person."""
    return list({p.person_id: p for p in reversed(people)}.values())[::-1]


def bgr_of(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3), sides cut to even numbers.

    Raises:
        MediaError: no readable picture.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(str(path), "no readable picture; copy the portraits again")
    return np.asarray(bgr[: bgr.shape[0] // 2 * 2, : bgr.shape[1] // 2 * 2], np.uint8)
