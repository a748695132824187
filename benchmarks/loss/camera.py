"""The camera of the measuring client: moving pictures, each with its own number painted on.

The pictures are those of benchmarks.clip, in a loop; the number runs on. So every picture that comes
back tells which one it is, and can be compared with what the camera gave.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from benchmarks.barcode import block_side, paint, read

RTP_CLOCK = 90_000
CELL = 16
"""Side of a cell, pixels: what a codec does to texture averages out, a damaged picture does not."""
DAMAGED_CODES = 24.0
"""A cell whose mean luma is so far from the camera's is damaged."""
DAMAGED_CELLS = 0.01
"""A picture with more than this share of damaged cells is not whole."""

Picture = NDArray[np.uint8]
"""I420 planes one above the other, (height * 3 / 2, width)."""


class Camera(MediaStreamTrack):
    """Gives a frame when its time has come, from `begin` on; frames missed are left out."""

    kind = "video"

    def __init__(self, pictures: Sequence[Picture], fps: int) -> None:
        super().__init__()
        self._pictures, self._fps = pictures, fps
        self._started = asyncio.Event()
        self._began = 0.0
        self._next = 0
        self.given: dict[int, float] = {}
        """When each frame was due and given, by number, `time.perf_counter` seconds."""

    def begin(self) -> None:
        """Starts the clock."""
        self._began = time.perf_counter()
        self._started.set()

    async def recv(self) -> Any:
        """The next frame, when its time has come."""
        await self._started.wait()
        number = max(self._next, int((time.perf_counter() - self._began) * self._fps))
        self._next = number + 1
        due = self._began + number / self._fps
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        if self.readyState != "live":
            raise MediaStreamError
        self.given[number] = due
        picture = self._pictures[number % len(self._pictures)]
        paint(picture[: picture.shape[0] * 2 // 3], number)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = round(number * RTP_CLOCK / self._fps)
        frame.time_base = Fraction(1, RTP_CLOCK)
        return frame


class Viewer:
    """Knows the camera's pictures, and tells which one a returned frame is and whether it is whole."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        # The rows with the number are left out: the number itself tells of them.
        self._barred = -(-block_side(pictures[0].shape[1]) // CELL)
        self._known = [self._cells(planes[: planes.shape[0] * 2 // 3]) for planes in pictures]

    def number(self, luma: Picture) -> int | None:
        """The number of the picture with this luma plane (H, W); None when it is unreadable or the
        picture is damaged."""
        number = read(luma)
        if number is None:
            return None
        known = self._known[number % len(self._known)]
        seen = self._cells(luma)
        if seen.shape != known.shape:
            return number  # another size: only its number can be judged
        return (
            number if float((abs(seen - known) > DAMAGED_CODES).mean()) <= DAMAGED_CELLS else None
        )

    def _cells(self, luma: Picture) -> NDArray[np.float32]:
        height, width = luma.shape
        size = width // CELL, height // CELL
        cells = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        return cells[self._barred :].astype(np.float32)


def luma_of(frame: av.VideoFrame) -> Picture:
    """The luma plane of a yuv420p frame, (H, W), a view."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
