"""Pictures as the figures see them: after 4:2:0, in RGB code values."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.frames import frame_with, picture_of

Rgb = NDArray[np.float32]
Box = tuple[int, int, int]
"""First column, first row and side of a square."""


def psnr(squared: float, count: float) -> float:
    """dB of pooled squared errors in code values; capped at 99."""
    return float(min(99.0, 10 * np.log10(255.0**2 * max(count, 1.0) / max(squared, 1e-9))))


def to_frame(rgb: NDArray[np.uint8]) -> av.VideoFrame:
    """RGB as a full-range BT.601 yuv420p frame."""
    height, width = (n // 2 * 2 for n in rgb.shape[:2])
    ycc = cv2.cvtColor(rgb[:height, :width], cv2.COLOR_RGB2YCrCb)
    half = cv2.resize(ycc, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    like = av.VideoFrame(width, height, "yuv420p")
    like.color_range, like.colorspace = 2, 5
    like.pts, like.time_base = 0, Fraction(1, 25)
    y, cr, cb = (np.asarray(plane, np.uint8) for plane in (ycc[..., 0], half[..., 1], half[..., 2]))
    return frame_with(y, cb, cr, like)


def to_rgb(frame: av.VideoFrame) -> Rgb:
    """A frame of `to_frame`'s kind as RGB code values, (H, W, 3) float."""
    p = picture_of(frame)
    size = (p.width, p.height)
    cb, cr = (
        cv2.resize(c.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) - 128.0
        for c in (p.u, p.v)
    )
    y = p.y.astype(np.float32)
    rgb = np.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), -1)
    return np.asarray(np.clip(rgb, 0, 255), np.float32)


def bytes_of(picture: Rgb) -> NDArray[np.uint8]:
    """Rounded to 8 bits."""
    return np.asarray(np.rint(np.clip(picture, 0, 255)), np.uint8)


def inside(box: Box) -> tuple[slice, slice]:
    """Rows and columns of a square."""
    x0, y0, side = box
    return slice(y0, y0 + side), slice(x0, x0 + side)
