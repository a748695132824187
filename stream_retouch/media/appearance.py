"""What a face looks like, small: enough to know it again a second later, no more.

This is no recognition of persons: the picture is dropped with the track, and two people who look
alike in 24 pixels are one. Measured on 25 real clips: a followed face and its own last half second,
hands crossing it included, 0.57 and more (99.5 % of frames 0.82 and more), the same a second later
0.79 and more; 110 cuts between different speakers before one wall, median 0.64, 95 % below 0.83.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARK_CROP_SIZE
from stream_retouch.media.affine import axis_aligned, compose
from stream_retouch.media.regions import CANONICAL_OVAL, alignment

Appearance = NDArray[np.float32]
"""(24, 24) luma of the face's oval, zero-mean and of unit norm; all 0 if there is no contrast."""

UNKNOWN = 0.7
"""Likeness where one of two appearances shows nothing: no reason to take a face for another one, nor
to know it elsewhere."""

_SIDE = 24
NOTHING: Appearance = np.zeros((_SIDE, _SIDE), np.float32)
"""The appearance of nobody."""
_REACH_PX = 216.0
"""Side of what it shows, crop pixels."""
_LEAST_CONTRAST = 2.0
"""Standard deviation in luma codes below which there is nothing to tell faces apart by."""

_STEP = _REACH_PX / _SIDE
_CENTRE = (CANONICAL_OVAL[0] + CANONICAL_OVAL[1]) / 2
_TO_CROP = axis_aligned(
    _STEP, _CENTRE[0] - _STEP * (_SIDE - 1) / 2, _STEP, _CENTRE[1] - _STEP * (_SIDE - 1) / 2
)
# Pixels of the loose crop halved by area: the rest of the way down is a bilinear warp.
_HALVED = axis_aligned(0.5, -0.25, 0.5, -0.25)


def _oval() -> NDArray[np.float32]:
    """1 inside the canonical oval, 0 outside: what lies around a face does not go where it
    goes."""
    half = (CANONICAL_OVAL[1] - CANONICAL_OVAL[0]) / 2 / _STEP
    place = np.arange(_SIDE) - (_SIDE - 1) / 2
    far = (place[None, :] / half[0]) ** 2 + (place[:, None] / half[1]) ** 2
    return np.asarray(far < 1.0, np.float32)


_OVAL = _oval()
_AREA = float(_OVAL.sum())


def appearance_of(crop: NDArray[np.uint8], points: NDArray[np.floating]) -> Appearance:
    """The appearance of the face in a loose crop; `points` (K, 2) are its landmarks there."""
    side = LANDMARK_CROP_SIZE // 2
    halved = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    to_halved = compose(_HALVED, compose(alignment(points), _TO_CROP))
    small = cv2.warpAffine(
        halved,
        to_halved,
        (_SIDE, _SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    small -= float(small.ravel() @ _OVAL.ravel()) / _AREA
    small *= _OVAL
    return _unit(small, _LEAST_CONTRAST * float(np.sqrt(_AREA)))


def likeness(one: Appearance, other: Appearance) -> float:
    """-1..1, how alike two appearances are whatever the light's strength."""
    if not one.any() or not other.any():
        return UNKNOWN
    return float(one.ravel() @ other.ravel())


def blended(old: Appearance, new: Appearance, share: float) -> Appearance:
    """`old` moved towards `new` by `share` (0..1)."""
    return _unit(old + np.float32(share) * (new - old), 0.0)


def _unit(values: Appearance, least: float) -> Appearance:
    norm = float(np.sqrt(values.ravel() @ values.ravel()))
    return values / np.float32(norm) if norm > least else NOTHING
