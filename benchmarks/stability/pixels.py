"""Where the faces are in a frame, and its colours there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL
from stream_retouch.media.colour import coding
from stream_retouch.media.faces import Face
from stream_retouch.media.frames import Picture

Rgb = NDArray[np.float32]
Mask = NDArray[np.bool_]
MARGIN = 0.12
"""Of a box around faces, in face heights: what moves into a face comes from there."""


@dataclass(frozen=True, slots=True)
class Box:
    """Luma pixels x0 <= x < x1, y0 <= y < y1; all even."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def luma(self) -> tuple[slice, slice]:
        """Of a luma plane."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def chroma(self) -> tuple[slice, slice]:
        """Of a chroma plane."""
        return slice(self.y0 // 2, self.y1 // 2), slice(self.x0 // 2, self.x1 // 2)


def oval(face: Face) -> NDArray[np.float32]:
    """(36, 2) the face's outline, frame pixels: `FACE_OVAL` comes first among the landmarks."""
    return face.landmarks[: len(FACE_OVAL)]


def box_around(faces: Sequence[Face], picture: Picture) -> Box | None:
    """The box of their ovals with MARGIN; None without a face, or if it lies outside the picture."""
    if not faces:
        return None
    points = np.concatenate([oval(face) for face in faces])
    low, high = points.min(axis=0), points.max(axis=0)
    room = MARGIN * max(float(np.ptp(oval(face)[:, 1])) for face in faces)
    x0, y0 = (max(int(v - room) // 2 * 2, 0) for v in low)
    x1 = min(int(high[0] + room) // 2 * 2 + 2, picture.width // 2 * 2)
    y1 = min(int(high[1] + room) // 2 * 2 + 2, picture.height // 2 * 2)
    return Box(x0, y0, x1, y1) if x1 - x0 >= 16 and y1 - y0 >= 16 else None


def face_area(faces: Sequence[Face], box: Box) -> Mask:
    """(h, w) of the box, True within the faces' ovals."""
    inside = np.zeros((box.y1 - box.y0, box.x1 - box.x0), np.uint8)
    for face in faces:
        points = np.rint(oval(face) - (box.x0, box.y0)).astype(np.int32)
        cv2.fillPoly(inside, [points], 1)
    return inside.astype(bool)


def rgb_of(picture: Picture, box: Box) -> Rgb:
    """(h, w, 3) full-range RGB code values of the box."""
    luma = picture.y[box.luma]
    size = (luma.shape[1], luma.shape[0])
    cb, cr = (
        cv2.resize(np.ascontiguousarray(plane[box.chroma]).astype(np.float32), size)
        for plane in (picture.u, picture.v)
    )
    codes = cv2.merge((luma.astype(np.float32), cb, cr))
    rgb = cv2.transform(codes, coding(picture.matrix, picture.full_range).rgb)
    return np.asarray(np.clip(rgb, 0.0, 255.0), np.float32)
