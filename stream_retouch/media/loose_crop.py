"""The loose crop: the small upright luma picture in which the landmarker looks for one face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARK_CROP_SIZE
from stream_retouch.media.affine import Affine, axis_aligned, bounds
from stream_retouch.media.frames import Picture
from stream_retouch.media.regions import CANONICAL_OVAL, CANONICAL_POINTS

_SCALE = 0.34
_HALF = (LANDMARK_CROP_SIZE - 1) / 2
_CENTRE = (CANONICAL_OVAL[0] + CANONICAL_OVAL[1]) / 2

LOOSE_TO_CROP: Affine = axis_aligned(
    1 / _SCALE, _CENTRE[0] - _HALF / _SCALE, 1 / _SCALE, _CENTRE[1] - _HALF / _SCALE
)
"""(2, 3) from pixels of the loose crop to pixels of the aligned crop: the oval fills 0.7 of its
side."""
LOOSE_POINTS = (CANONICAL_POINTS - _CENTRE) * _SCALE + _HALF
"""(K, 2) mean landmarks in the loose crop."""

_FULL = np.clip(np.rint((np.arange(256) - 16.0) * (255.0 / 219.0)), 0, 255).astype(np.uint8)


def loose_crop(picture: Picture, to_frame: Affine) -> NDArray[np.uint8]:
    """The luma that the landmarker looks at, (LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE), full range.

    Args:
        picture: the frame; beyond its edge its last rows and columns are repeated.
        to_frame: (2, 3) from pixels of the loose crop to luma pixels.
    """
    size, luma = LANDMARK_CROP_SIZE, picture.y
    x0, y0, x1, y1 = bounds(to_frame, -1.0, -1.0, size, size)
    left, top = (int(np.clip(v, 0, n - 1)) for v, n in ((x0, picture.width), (y0, picture.height)))
    right = int(np.clip(np.ceil(x1) + 1, left + 1, picture.width))
    bottom = int(np.clip(np.ceil(y1) + 1, top + 1, picture.height))
    piece = luma[top:bottom, left:right]
    factor = int(np.hypot(*to_frame[:, 0]))
    placed = to_frame.copy()
    placed[:, 2] -= left, top
    if factor > 1:
        # whole steps only: the rest of the scale, below 2, is left to the bilinear warp
        wide, high = (max(1, n // factor) for n in (piece.shape[1], piece.shape[0]))
        cut = piece[: high * factor, : wide * factor]
        piece = np.asarray(cv2.resize(cut, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)
        placed /= factor
        placed[:, 2] -= (factor - 1) / (2 * factor)
    crop = cv2.warpAffine(
        piece,
        placed,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return (
        np.asarray(crop, np.uint8)
        if picture.full_range
        else np.asarray(cv2.LUT(crop, _FULL), np.uint8)
    )


_FULL = np.clip(np.rint((np.arange(256) - 16.0) * (255.0 / 219.0)), 0, 255).astype(np.uint8)
