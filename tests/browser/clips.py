"""Y4M clips for Chromium's fake camera, cut from the page's sample clip."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SAMPLE = Path(__file__).parents[2] / "stream_retouch" / "service" / "page" / "sample.webm"
HEADER = b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n"


def sample_frames(first: int, count: int) -> list[NDArray[np.uint8]]:
    """Frames of the sample clip: (720, 640) uint8 each, the planes of I420 under each other."""
    frames: list[NDArray[np.uint8]] = []
    with av.open(str(SAMPLE)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= first:
                frames.append(np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8))
            if len(frames) == count:
                break
    return frames


def write_y4m(path: Path, frames: list[NDArray[np.uint8]]) -> Path:
    """Writes 640x480 frames as a clip that Chromium plays in a loop at 30 frames a second."""
    with path.open("wb") as file:
        file.write(HEADER)
        for frame in frames:
            file.write(b"FRAME\n" + frame.tobytes())
    return path


def moving_face(path: Path) -> Path:
    """A head that moves: the middle of the first person's part, there and back, with no jump."""
    there = sample_frames(20, 60)
    return write_y4m(path, there + there[::-1])


def still_face(path: Path) -> Path:
    """One frame for ever: whatever differs between two moments, the service or the codec did."""
    return write_y4m(path, sample_frames(30, 1) * 30)
