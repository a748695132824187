"""What the product sees: pictures as it gets them, and the faces it takes up in them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot, oval_of
from stream_retouch.engine import FaceBox, FaceFinder
from stream_retouch.media.faces import SAME_FACE, Face, FaceTracker
from stream_retouch.media.frames import Picture, luma_full
from stream_retouch.media.pose import is_upright, overlap, size_px, transform_of_box
from stream_retouch.media.searching import search_width
from stream_retouch.media.sights import Sight, newcomer
from stream_retouch.media.tracks import ENOUGH

ALONE = 0.5
"""Score from which a box of the finder counts by itself."""


def picture_of_bgr(bgr: NDArray[np.uint8]) -> Picture:
    """(H, W, 3) uint8 BGR, even sides, as a full-range BT.601 4:2:0 picture."""
    ycc = cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb)
    half = cv2.resize(ycc, (bgr.shape[1] // 2, bgr.shape[0] // 2), interpolation=cv2.INTER_AREA)
    y, v, u = (np.ascontiguousarray(p, np.uint8) for p in (ycc[..., 0], half[..., 1], half[..., 2]))
    return Picture(y, u, v, True, "bt601", "center")


def picture_of_luma(luma: NDArray[np.uint8]) -> Picture:
    """(H, W) uint8 full-range luma, even sides, as a grey picture."""
    grey = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    return Picture(luma, grey, grey, True, "bt601", "center")


def found(finder: FaceFinder, picture: Picture) -> tuple[list[FaceBox], float]:
    """The finder's boxes in the picture as the tracker shows it to the finder; frame pixels per pixel of a box."""
    luma = luma_full(picture, search_width(picture.width, picture.height))
    return finder.find(luma), picture.width / luma.shape[1]


def raw(boxes: list[FaceBox], ratio: float) -> list[Spot]:
    """The boxes that the finder alone would stand for, nobody having looked closer."""
    spots = []
    for box in boxes:
        if box.score < ALONE:
            continue
        x, y = ((a + b) / 2 for a, b in ((box.x0, box.x1), (box.y0, box.y1)))
        size = float(np.sqrt(max(box.x1 - box.x0, 0.0) * max(box.y1 - box.y0, 0.0)))
        middle = (x + 0.5) * ratio - 0.5, (y + 0.5) * ratio - 0.5
        spots.append(Spot(*middle, size * ratio, box.roll, box.score))
    return spots


def accepted(
    finder: FaceFinder, picture: Picture, boxes: list[FaceBox], ratio: float
) -> list[Spot]:
    """The boxes in which the tracker's own close look finds a face, largest first, each face once.

    As `FaceTracker` acquires, but for its rules on whom it leaves alone: how many there may be, how small beside
    others, and how many looks one search may take.
    """
    sights: list[Sight] = []
    places = [(transform_of_box(box, ratio), box.score) for box in boxes]
    for place, score in sorted(places, key=lambda found: size_px(found[0]), reverse=True):
        if not is_upright(place) or _is_taken(place, sights):
            continue
        sight, _ = newcomer(finder, picture, place, score)
        if sight is not None and sight.share >= ENOUGH and not _is_taken(sight.transform, sights):
            sights.append(sight)
    return [oval_of(sight.landmarks) for sight in sights]


def _is_taken(place: NDArray[np.float64], sights: list[Sight]) -> bool:
    return any(overlap(place, sight.transform) > SAME_FACE for sight in sights)


def followed(finder: FaceFinder, picture: Picture) -> list[Spot]:
    """Whom a tracker follows a second after this picture came on, all its rules included."""
    tracker, faces = FaceTracker(finder), list[Face]()
    for second in (0.0, 0.5, 1.0):
        faces = tracker.update(picture, second)
        tracker.seek(picture)
    return [spot(face) for face in faces]


def spot(face: Face) -> Spot:
    """A followed face by its oval."""
    return oval_of(face.landmarks.astype(np.float64))


def strength(face: Face) -> float:
    """How strongly the face is retouched now, 0..1: it fades in and out."""
    return float(face.strength)
