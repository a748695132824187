"""Smaller pictures, for a machine that cannot encode whole ones."""

from __future__ import annotations

import av
from av.video.reformatter import VideoReformatter

LEAST_LINES = 240
"""A picture is not made smaller than this."""


class Shrinker:
    """Keeps the converter between frames: a new one per frame costs milliseconds. One thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def of(self, frame: av.VideoFrame, scale: float) -> av.VideoFrame:
        """`frame` with its sides times `scale`, even, or itself when that is 1.

        Its pts and colours are kept, its pixels are never written.
        """
        scale = max(scale, LEAST_LINES / frame.height)
        if scale >= 1:
            return frame
        width, height = (
            2 * max(1, round(side * scale / 2)) for side in (frame.width, frame.height)
        )
        # One thread: swscale would start a pool for every new picture size.
        return self._reformatter.reformat(
            frame, width=width, height=height, interpolation="BILINEAR", threads=1
        )
