"""Changes RGB values inside a box of a 4:2:0 frame and leaves every other sample as it is."""

from __future__ import annotations

from collections.abc import Callable

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE
from stream_retouch.media.affine import Affine, bounds
from stream_retouch.media.colour import coding
from stream_retouch.media.frames import frame_with, picture_of

Rgb = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in luma pixels, even, x0 <= x < x1."""


WHOLE = (0.0, 0.0, float(CROP_SIZE), float(CROP_SIZE))


def box_of(
    transform: Affine, frame: av.VideoFrame, part: tuple[float, float, float, float] = WHOLE
) -> Box | None:
    """The box around `part` of a crop (x0, y0, x1, y1 in its pixels), cut to the frame; None when nothing is left."""
    x0, y0, x1, y1 = bounds(transform, *part)
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    left, top = (max(int(np.floor(v)) // 2 * 2, 0) for v in (x0, y0))
    right, bottom = min(int(np.ceil(x1)) // 2 * 2, width), min(int(np.ceil(y1)) // 2 * 2, height)
    return (left, top, right, bottom) if right - left >= 8 and bottom - top >= 8 else None


def changed(frame: av.VideoFrame, box: Box, change: Callable[[Rgb], Rgb]) -> av.VideoFrame:
    """A new frame: in the box what `change` makes of its (h, w, 3) RGB code values 0..255.

    The difference is added to the planes, so where there is none no sample changes; that of chroma is the mean
    of its four pixels.
    """
    picture = picture_of(frame)
    code = coding(picture.matrix, picture.full_range)
    x0, y0, x1, y1 = box
    half = slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2)
    size = (x1 - x0, y1 - y0)
    wide = (
        cv2.resize(c[half], size, interpolation=cv2.INTER_LINEAR) for c in (picture.u, picture.v)
    )
    codes = np.stack((picture.y[y0:y1, x0:x1], *wide), -1).astype(np.float32)
    to_rgb = code.rgb.astype(np.float32)
    rgb = np.clip(cv2.transform(codes, to_rgb), 0, 255).astype(np.float32, copy=False)
    by = cv2.transform(change(rgb) - rgb, code.codes[:, :3].astype(np.float32))
    moved = np.asarray(by, np.float32)
    y, u, v = (np.array(plane) for plane in (picture.y, picture.u, picture.v))
    y[y0:y1, x0:x1] = _added(y[y0:y1, x0:x1], moved[..., 0])
    for plane, channel in ((u, 1), (v, 2)):
        shape = (size[0] // 2, size[1] // 2)
        quarter = cv2.resize(moved[..., channel], shape, interpolation=cv2.INTER_AREA)
        plane[half] = _added(plane[half], np.asarray(quarter, np.float32))
    return frame_with(y, u, v, frame, matrix=picture.matrix)


def _added(plane: NDArray[np.uint8], by: Rgb) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(plane + by), 0, 255), np.uint8)
