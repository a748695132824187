"""Brings any frame into the form the encoders take: yuv420p with even sides.

Fault: x264 refuses odd sides for 4:2:0, and a browser that adapts its resolution sends them (a
427x240 picture is common). aiortc hands the frame on as it is, the encoder raises, and the sender
ends its video for good.
"""

from __future__ import annotations

import av
import numpy as np
from aiortc.mediastreams import VIDEO_TIME_BASE, convert_timebase
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray


def ticks_of(frame: av.VideoFrame) -> int:
    """The frame's time on RTP's 90 kHz clock.

    Raises:
        ValueError: it has none.
    """
    if frame.pts is None or not frame.time_base:
        raise ValueError("a frame without a time stamp cannot be sent")
    return convert_timebase(frame.pts, frame.time_base, VIDEO_TIME_BASE)


def copy_at(frame: av.VideoFrame, ticks: int) -> av.VideoFrame:
    """A copy of `frame`, which others may hold, as yuv420p, stamped `ticks` on the 90 kHz clock."""
    planes = EncodableFrames().of(frame).to_ndarray(format="yuv420p")
    copy = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    copy.pts, copy.time_base = ticks, VIDEO_TIME_BASE
    copy.color_range, copy.colorspace = frame.color_range, frame.colorspace
    return copy


class EncodableFrames:
    """Keeps the converter between frames: a new one per frame costs milliseconds."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def of(self, frame: av.VideoFrame) -> av.VideoFrame:
        """`frame` itself if it is yuv420p with even sides, else a converted or cropped new one.

        An odd side loses its last column or row of pixels. Size, pts and time base are kept
        otherwise; the given frame's pixels are never written.
        """
        if frame.format.name != "yuv420p":
            # One thread: swscale would start a pool for every new picture size.
            frame = self._reformatter.reformat(frame, format="yuv420p", threads=1)
        if frame.width % 2 or frame.height % 2:
            return _cropped_to_even(frame)
        return frame


def _cropped_to_even(frame: av.VideoFrame) -> av.VideoFrame:
    width, height = frame.width & ~1, frame.height & ~1
    if not width or not height:
        raise ValueError(f"a {frame.width}x{frame.height} picture cannot be encoded")
    even = av.VideoFrame(width, height, "yuv420p")
    for source, target in zip(frame.planes, even.planes, strict=True):
        _rows(target)[:] = _rows(source)[: target.height, : target.width]
    even.pts, even.time_base = frame.pts, frame.time_base
    even.color_range, even.colorspace = frame.color_range, frame.colorspace
    return even


def _rows(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """(height, width) view of an 8-bit plane."""
    flat: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return flat.reshape(-1, plane.line_size)[: plane.height, : plane.width]
