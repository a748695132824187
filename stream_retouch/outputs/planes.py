"""Whole pictures as three planes: read, pad to even, put side by side, and made into a frame again.

Everything here copies; a decoded frame's planes are never written (the decoder still predicts from
them).
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from stream_retouch.errors import MediaError
from stream_retouch.media.frames import SD_LINES, picture_of
from stream_retouch.media.frames import planes_of as new_planes

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Y (H, W), Cb and Cr (ceil(H/2), ceil(W/2)), uint8, in the range and matrix of the stream they
came from."""

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG: luma 0..255."""
LIMITED_RANGE = 1
"""AVCOL_RANGE_MPEG: luma 16..235."""
_RGB = 0  # AVCOL_SPC_RGB: the planes are not Y, Cb, Cr
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_BT709 = 1
_BT601 = 6  # AVCOL_SPC_SMPTE170M


class PlaneReader:
    """Brings decoded frames of any pixel format to 8-bit yuv420p, range and matrix kept. One per
    stream."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def normal(self, frame: av.VideoFrame, size: tuple[int, int]) -> av.VideoFrame:
        """The frame as yuv420p of (width, height) `size`, with an explicit range; itself if it is
        so. Time is kept.

        RGB becomes limited-range BT.601 (up to 576 lines) or BT.709; grey becomes luma with neutral
        chroma.

        Raises:
            MediaError: the pixel format cannot be converted.
        """
        name = frame.format.name
        full = frame.color_range == FULL_RANGE or name.startswith("yuvj")
        is_rgb = frame.format.is_rgb or name == "pal8"
        target_range = FULL_RANGE if full and not is_rgb else LIMITED_RANGE
        matrix = frame.colorspace
        if is_rgb:
            matrix = _BT601 if frame.height <= SD_LINES else _BT709
        if name != "yuv420p" or (frame.width, frame.height) != size:
            coded = Colorspace.ITU601 if matrix == _BT601 else Colorspace.ITU709
            time, duration = (frame.pts, frame.time_base), frame.duration
            try:
                frame = self._reformatter.reformat(
                    frame,
                    width=size[0],
                    height=size[1],
                    format="yuv420p",
                    dst_colorspace=coded if is_rgb else None,
                    src_color_range=None if is_rgb else target_range,
                    dst_color_range=target_range,
                    threads=1,  # a decoded frame would otherwise start a pool of threads each time
                )
            except OSError as problem:
                raise MediaError(
                    name,
                    "this pixel format cannot be converted; convert the file with ffmpeg first",
                ) from problem
            frame.pts, frame.time_base = time
            frame.duration = duration
        frame.colorspace = matrix if matrix != _RGB else _UNSPECIFIED
        frame.color_range = target_range
        frame.pict_type = 0  # otherwise the encoder repeats the source's I, P and B decisions
        return frame


def planes_of(frame: av.VideoFrame) -> Planes:
    """Read-only views of a yuv420p frame's planes."""
    picture = picture_of(frame)
    return picture.y, picture.u, picture.v


def frame_of(planes: Planes, like: av.VideoFrame) -> av.VideoFrame:
    """A new yuv420p frame of the planes' size, with the time and the colour description of
    `like`."""
    height, width = planes[0].shape
    blank = av.VideoFrame(width, height, "yuv420p")
    blank.pts, blank.duration = like.pts, like.duration
    if like.time_base is not None:
        blank.time_base = like.time_base
    blank.color_range, blank.colorspace = like.color_range, like.colorspace
    blank.color_primaries, blank.color_trc = like.color_primaries, like.color_trc
    for view, values in zip(new_planes(blank), planes, strict=True):
        np.copyto(view, values)
    return blank


def padded(planes: Planes) -> Planes:
    """The planes with an even number of rows and columns: the last luma row or column is repeated.

    Chroma planes of odd pictures already cover the row and column that are added.
    """
    y, u, v = planes
    rows, columns = y.shape[0] % 2, y.shape[1] % 2
    return (np.pad(y, ((0, rows), (0, columns)), mode="edge") if rows or columns else y), u, v


def beside(left: Planes, right: Planes) -> Planes:
    """Two pictures of one size as one of double width. The width must be even."""
    y, u, v = (np.hstack(pair) for pair in zip(left, right, strict=True))
    return y, u, v
