"""How a video is turned for display: the display matrix, and the planes turned upright and back.

Phones store a portrait video as a landscape one with a matrix that says "turn by 90 degrees". Faces
are looked for in the upright picture; the file that is written keeps the stored orientation and the
matrix.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stream_retouch.outputs.planes import Planes

_ONE = 1 << 16
IDENTITY = (_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)
"""The matrix of a video that is shown as it is stored (ISO/IEC 14496-12 §8.3.2: 16.16, last column
2.30)."""
_TKHD_MATRIX = {0: 40, 1: 52}  # bytes from the box's version field to its matrix, by version
_PROBE_SIZE = 64


@dataclass(frozen=True, slots=True)
class Orientation:
    """A turn by a multiple of 90 degrees, a mirroring, or both."""

    matrix: tuple[int, ...] = IDENTITY
    """The display matrix a, b, u, c, d, v, x, y, w: x' = a*x + c*y, y' = b*x + d*y."""
    swaps: bool = False
    """Rows become columns."""
    mirrors_x: bool = False
    """After swapping: columns run backwards."""
    mirrors_y: bool = False
    """After swapping: rows run backwards."""

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Orientation:
        """The orientation that a decoded frame announces. One that is no multiple of 90 degrees
        turns nothing."""
        side_data: Any = frame.side_data  # PyAV types it as a dict of motion vectors only
        data = side_data.get("DISPLAYMATRIX")
        return cls() if data is None else cls.from_matrix(struct.unpack("=9i", bytes(data)))

    @classmethod
    def from_matrix(cls, matrix: tuple[int, ...]) -> Orientation:
        """See `of`."""
        a, b, _, c, d = matrix[:5]
        if a and d and not b and not c:
            return cls(matrix, False, a < 0, d < 0)
        if b and c and not a and not d:
            return cls(matrix, True, c < 0, b < 0)
        return cls(matrix)

    @property
    def turns(self) -> bool:
        """Whether the upright picture differs from the stored one."""
        return self.swaps or self.mirrors_x or self.mirrors_y

    @property
    def is_written(self) -> bool:
        """Whether the file needs a display matrix."""
        return self.matrix[:5] != IDENTITY[:5]

    def upright(self, planes: Planes) -> Planes:
        """The stored planes as they are shown; sides must be even."""
        y, u, v = (self._shown(plane) for plane in planes)
        return y, u, v

    def stored(self, planes: Planes) -> Planes:
        """The inverse of `upright`, bit for bit."""
        y, u, v = (self._kept(plane) for plane in planes)
        return y, u, v

    def _shown(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._mirrored(_transposed(plane) if self.swaps else plane)

    def _kept(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        plane = self._mirrored(plane)
        return _transposed(plane) if self.swaps else plane

    def _mirrored(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not (self.mirrors_x or self.mirrors_y):
            return plane
        both = self.mirrors_x and self.mirrors_y
        return np.asarray(cv2.flip(plane, -1 if both else 1 if self.mirrors_x else 0), np.uint8)


def _transposed(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.transpose(plane), np.uint8)


def template(codec: str, matrix: tuple[int, ...]) -> InputContainer:
    """A tiny video in memory whose first stream announces `matrix`, to make an output stream from.

    PyAV copies stream side data from a template only, so one is made: a few frames of mp4 with the
    matrix set in its track header. The caller closes it.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=25, width=_PROBE_SIZE, height=_PROBE_SIZE)
        assert isinstance(stream, VideoStream)  # `codec` is a video encoder
        picture = np.full((_PROBE_SIZE * 3 // 2, _PROBE_SIZE), 128, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        container.mux(stream.encode(None))
    movie = bytearray(buffer.getvalue())
    header = movie.index(b"tkhd") + 4
    start = header + _TKHD_MATRIX[movie[header]]
    movie[start : start + 36] = struct.pack(">9i", *matrix)
    return av.open(io.BytesIO(bytes(movie)), "r")
