"""What a composed frame is: its picture and who is where in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

HIDDEN_SHARE_IGNORED = 0.6
"""A face of which more than this share of the landmarks is hidden is neither right nor wrong to find."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneFace:
    """One face of a scene."""

    points: NDArray[np.float32]
    """(K, 2) landmarks in pixels of the scene, in the order of ``engine.LANDMARKS``; also beyond its rim."""
    visibility: NDArray[np.bool_]
    """(K,) False where something is before it, the head turned it away, or it lies outside."""
    roll: float
    """Radians, clockwise in the picture: of the line from the person's right eye to the left eye."""
    yaw_deg: float
    """Positive where the nose points to the picture's left."""
    pitch_deg: float
    """Positive where the nose points down; against the portrait, whose own pitch is small."""
    person: str
    conditions: frozenset[str]
    """Of ``small``, ``large``, ``rolled``, ``yawed``, ``pitched``, ``glasses``, ``sunglasses``, ``mask``, ``hat``,
    ``headset``, ``fringe``, ``hand``, ``microphone``, ``cup``, ``at_edge``, ``occluded``."""
    ignore: bool
    """Turned or hidden so far that to find it is neither right nor wrong."""

    @property
    def size(self) -> float:
        """Geometric mean of width and height of the oval, turned upright, pixels."""
        return oval_size(self.points, self.roll)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One frame."""

    picture: Picture
    """(H, W, C): BGR, or luma where C is 1."""
    faces: list[SceneFace]
    """Back to front; whoever is wholly covered or outside is left out."""
    conditions: frozenset[str]
    """Of ``webcam``, ``gallery``, ``crowd``, ``empty`` (and ``face_parts``: parts of a face in wrong places),
    ``dim``, ``bright``, ``warm``, ``cold``, ``backlit``, ``screen``, ``sidelight``, ``noise``, ``defocus``,
    ``motion_blur``, ``upscaled``, ``compressed``."""


def upright_oval(points: NDArray[np.floating], roll: float) -> tuple[Floats, Floats]:
    """Centre (2,) and width and height (2,) of the box around the oval of (K, 2) landmarks, turned upright."""
    oval = np.asarray(points[: len(FACE_OVAL)], np.float64)
    cos, sin = np.cos(roll), np.sin(roll)
    turn = np.array([[cos, sin], [-sin, cos]])
    upright = oval @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    return (low + high) / 2 @ turn, high - low


def oval_size(points: NDArray[np.floating], roll: float) -> float:
    """Geometric mean of the upright oval's width and height."""
    return float(np.sqrt(np.prod(upright_oval(points, roll)[1])))


def tone(colour: NDArray[np.floating], channels: int) -> tuple[float, ...]:
    """A BGR colour as cv2 draws it on a picture of 1 or 3 channels."""
    if channels == 1:
        return (float(colour @ np.array([0.114, 0.587, 0.299])),)
    return tuple(float(value) for value in colour)


def muted(rng: np.random.Generator) -> Floats:
    """(3,) BGR of walls, clothes and things: seldom a strong colour."""
    colour = rng.uniform(5, 250, 3)
    grey = rng.uniform(10, 240)
    return np.asarray(grey + (colour - colour.mean()) * rng.beta(0.8, 2.2)).clip(3, 252)
