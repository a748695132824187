"""Drawn faces, and a finder that knows how they are drawn: no model.

A drawn face is a white disc for the person's right eye and a black one for the left, on grey; a
person has a dark or a bright disc for a mouth besides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, CropLandmarks, FaceBox
from stream_retouch.media.faces import Face, FaceTracker
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.regions import CANONICAL_OVAL, CANONICAL_POINTS

WIDTH, HEIGHT, FPS = 320, 180, 30.0
EYES = [LANDMARKS.index(33), LANDMARKS.index(263)]
MOUTH = LANDMARKS.index(17)
NOBODY, ANN, BOB = None, 44, 212
"""The level of a person's mouth."""
CORNERS = np.array([[0.0, 0, 1], [255, 0, 1], [0, 255, 1], [255, 255, 1]]).T
Transform = NDArray[np.float64]


def placed(x: float, y: float, scale: float = 0.4, roll: float = 0.0) -> Transform:
    """A crop-to-frame transform that puts the middle of the canonical face at (x, y)."""
    c, s = scale * np.cos(roll), scale * np.sin(roll)
    turn = np.array([[c, -s], [s, c]])
    return np.column_stack([turn, np.array([x, y]) - turn @ CANONICAL_POINTS.mean(axis=0)])


def landmarks_of(transform: Transform) -> NDArray[np.float64]:
    return CANONICAL_POINTS @ transform[:, :2].T + transform[:, 2]


def picture(
    *faces: Transform,
    who: int | None = NOBODY,
    grey: int = 128,
    full_range: bool = True,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Picture:
    """A picture of drawn faces, all of one person."""
    luma = np.full((size[1], size[0]), grey, np.uint8)
    for face in faces:
        points = landmarks_of(face)
        right, left = points[EYES]
        discs = [(right, 255, 16), (left, 0, 16)]
        if who is not None:
            discs.append((points[MOUTH], who, 36))
        for at, level, crop_px in discs:
            radius = round(crop_px * float(np.hypot(*face[:, 0])) * 16)
            place = (round(at[0] * 16), round(at[1] * 16))
            cv2.circle(luma, place, radius, level, -1, cv2.LINE_AA, 4)
    return picture_with(luma, full_range)


def picture_with(luma: NDArray[np.uint8], full_range: bool = True) -> Picture:
    """A colourless picture of this luma."""
    half = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, np.uint8)
    return Picture(luma, half, half, full_range, "bt601", "center")


def similarity(eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The canonical landmarks moved so that their eyes lie here."""
    now = CANONICAL_POINTS[EYES] @ np.array([1, 1j])
    then = eyes @ np.array([1, 1j])
    turn = (then[1] - then[0]) / (now[1] - now[0])
    moved = (CANONICAL_POINTS @ np.array([1, 1j]) - now[0]) * turn + then[0]
    return np.stack([moved.real, moved.imag], axis=1)


def box_of(transform: Transform) -> FaceBox:
    """The box of a face as a finder gives it: upright about its centre, with the roll."""
    low, high = CANONICAL_OVAL
    centre = transform[:, :2] @ ((low + high) / 2) + transform[:, 2]
    half = (high - low) / 2 * np.hypot(*transform[:, 0])
    roll = float(np.arctan2(transform[1, 0], transform[0, 0]))
    (x0, y0), (x1, y1) = (centre - half).tolist(), (centre + half).tolist()
    return FaceBox(x0, y0, x1, y1, roll)


@dataclass
class DrawnFaceFinder:
    """A FaceFinder for drawn faces that counts its calls."""

    noise_px: float = 0.0
    """Standard deviation of the error of all landmarks together, loose crop pixels."""
    phantom: FaceBox | None = None
    """A box that is reported although nothing is there."""
    presence: float = 1.0
    """Of a face."""
    hidden: list[int] = field(default_factory=list)
    """Landmarks that are not visible; they are guessed `guess_px` off, loose crop pixels."""
    guess_px: float = 0.0
    blind: bool = False
    """Whether the search finds nothing."""
    searches: int = 0
    looks: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        self.searches += 1
        boxes = [self.phantom] if self.phantom else []
        if self.blind:
            return boxes
        whites, blacks = self._discs(luma > 220), self._discs(luma < 36)
        for right in whites:
            left = min(
                blacks, key=lambda at: float(np.hypot(*(at - right))), default=right + [9, 0]
            )
            turn = (left - right) / np.hypot(
                *(CANONICAL_POINTS[EYES[1]] - CANONICAL_POINTS[EYES[0]])
            )
            matrix = np.array([[turn[0], -turn[1]], [turn[1], turn[0]]])
            shift = right - matrix @ CANONICAL_POINTS[EYES[0]]
            boxes.append(box_of(np.column_stack([matrix, shift])))
        return boxes

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        self.looks += len(crops)
        answers = [self._one(crop) for crop in crops]
        points = np.stack([a for a, _ in answers]).astype(np.float32)
        presence = np.array([p for _, p in answers], np.float32)
        visibility = np.ones(points.shape[:2], np.float32)
        visibility[:, self.hidden] = 0.0
        points[:, self.hidden] += self._rng.normal(0, self.guess_px, 2).astype(np.float32)
        return CropLandmarks(points, presence, visibility)

    def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        middle = np.full(2, (LANDMARK_CROP_SIZE - 1) / 2)
        eyes = []
        for mask, usual in zip((crop > 220, crop < 36), LOOSE_POINTS[EYES], strict=True):
            discs = self._discs(mask)
            if not discs:
                return LOOSE_POINTS, 0.0
            eyes.append(min(discs, key=lambda disc: float(np.hypot(*(disc - usual)))))
        points = similarity(np.stack(eyes)) + self._rng.normal(0, self.noise_px, 2)
        centred = np.abs(points.mean(axis=0) - middle).max() < 0.25 * LANDMARK_CROP_SIZE
        return points, float(centred) * self.presence

    @staticmethod
    def _discs(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        _, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        return [c for c, s in zip(centres[1:], stats[1:], strict=True) if s[cv2.CC_STAT_AREA] >= 6]


def run(tracker: FaceTracker, frames: Iterable[Picture], start: int = 0) -> list[list[Face]]:
    """The faces in each of the frames, of which the first is number `start` of the stream."""
    results = []
    for i, frame in enumerate(frames):
        results.append(tracker.update(frame, (start + i) / FPS))
        tracker.seek(frame)
    return results


def ids(faces: Iterable[Face]) -> list[int]:
    return [face.id for face in faces]


def error_px(face: Face, truth: Transform) -> float:
    """The largest error of a landmark, frame pixels."""
    return float(np.linalg.norm(face.landmarks - landmarks_of(truth), axis=1).max())


def slip_px(face: Face, truth: Transform) -> float:
    """How far the crop's corners lie from where they should, RMS, pixels of the crop."""
    off = (face.transform - truth) @ CORNERS / np.hypot(*truth[:, 0])
    return float(np.sqrt((off**2).sum(axis=0).mean()))
