"""The face that a clip is about: where it is in each frame, and which frames make a segment.

Distances are measured on the aligned face square: a face fills a tenth of a frame, and in features of whole frames
the background, which no filter touches, would drown it. One face, the largest; its square comes from the reference
video and is used for every row, so that rows differ by their pixels and not by where somebody looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, LANDMARKS, FaceFinder
from stream_retouch.media.affine import Affine
from stream_retouch.media.faces import Face, FaceTracker
from stream_retouch.media.frames import picture_of, take_crop
from stream_retouch.media.regions import alignment

SQUARE = CROP_SIZE
"""Side of the aligned face square, pixels."""
SEGMENT = 16
"""Frames in a row that make one vector: a set of 39 clips is too small for a covariance."""
RUN_UP = 8
"""Frames before the first segment that are retouched but not measured: trackers and smoothers settle."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The face in one frame."""

    id: int
    """Stays while it is the same face; another one after a cut."""
    transform: Affine
    """(2, 3) crop to frame."""
    points: Points
    """(N, 2) frame pixels: the landmarks of the tracker (N = K), or an exact mesh (N = 478)."""
    regions: NDArray[np.float32]
    """(12, 32, 32) over the crop."""
    shown: bool
    """Whether it is in full view."""


def follow(frames: Iterable[av.VideoFrame], finder: FaceFinder) -> list[Sight | None]:
    """The largest face of each frame as the tracker that serves sees it; None where there is none."""
    tracker, sights = FaceTracker(finder), []
    for frame in frames:
        picture = picture_of(frame)
        faces = tracker.update(picture, float(frame.time or 0.0))
        tracker.seek(picture)
        sights.append(_sight(faces[0]) if faces else None)
    return sights


def _sight(face: Face) -> Sight:
    points = face.landmarks.astype(np.float64)
    return Sight(face.id, face.transform, points, face.regions, face.strength >= 1.0)


def placed(sight: Sight, points: Points) -> Sight:
    """The same face with these points, aligned by them.

    Args:
        points: (K, 2) as `LANDMARKS`, or (478, 2) of the whole mesh; frame pixels.
    """
    marks = points if len(points) == len(LANDMARKS) else points[list(LANDMARKS)]
    return Sight(sight.id, alignment(marks), points, sight.regions, sight.shown)


def segments(sights: Sequence[Sight | None], run_up: int = RUN_UP) -> list[int]:
    """First frames of the segments: SEGMENT frames in a row that show one face whole, none in two segments."""
    starts, first, last = [], run_up, None
    for i in range(run_up, len(sights)):
        sight = sights[i]
        if sight is None or not sight.shown:
            first, last = i + 1, None
            continue
        if last is not None and sight.id != last:
            first = i
        last = sight.id
        if i - first + 1 == SEGMENT:
            starts.append(first)
            first = i + 1
    return starts


def square(frame: av.VideoFrame, sight: Sight) -> NDArray[np.uint8]:
    """(SQUARE, SQUARE, 3) RGB of the aligned face."""
    return take_crop(picture_of(frame), sight.transform, SQUARE)
