"""The clip that latency is measured with: a face in every frame, encoded beforehand, seamless.

The first person of the page's sample clip (public domain, painted imperfections), played forward
and back, panned and turned, with camera noise and a frame number on top. About 300 pixels of face
at 720 lines. The same arguments give the same packets; they are kept in the temporary folder.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.barcode import paint

SAMPLE = Path(__file__).parents[1] / "stream_retouch" / "service" / "page" / "sample.webm"
FRAMES = 150
"""Length of the loop; its first frame is the only key frame."""
FIRST = 10
"""Frame of the sample the loop begins with: the person has faded in."""
NOISE_SIGMA = 2.0
"""Camera noise, 8-bit code values."""
BITS_A_SECOND = 2_500_000
"""Bit rate at 1280x720 and 30 frames a second; other sizes in proportion to pixels**0.75."""
RECIPE = 2
"""Counted up when the pictures change, so that an old cache is not used."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One encoded loop."""

    codec: str
    """``h264`` (Annex B) or ``vp8``."""
    width: int
    height: int
    fps: int
    packets: tuple[bytes, ...]
    """One per frame; frame i carries the barcode i."""


def encoded(width: int, height: int, fps: int, codec: str, frames: int = FRAMES) -> Clip:
    """The clip in that form, from the cache when it was made before."""
    recipe = f"{RECIPE} {width}x{height} {fps} {codec} {frames} {av.__version__}".encode()
    recipe += hashlib.sha256(SAMPLE.read_bytes()).digest()
    name = f"clip_{hashlib.sha256(recipe).hexdigest()[:16]}.npz"
    cache = Path(tempfile.gettempdir()) / "stream_retouch_benchmarks" / name
    if cache.exists():
        with np.load(cache) as kept:
            cuts, joined = np.cumsum(kept["sizes"]), kept["data"].tobytes()
        starts = [0, *cuts[:-1].tolist()]
        packets = tuple(joined[a:b] for a, b in zip(starts, cuts.tolist(), strict=True))
    else:
        packets = tuple(_encode(pictures(width, height, frames), width, height, fps, codec))
        cache.parent.mkdir(parents=True, exist_ok=True)
        made = cache.with_suffix(".part.npz")
        sizes = np.array([len(packet) for packet in packets])
        np.savez(made, sizes=sizes, data=np.frombuffer(b"".join(packets), np.uint8))
        made.replace(cache)
    return Clip(codec, width, height, fps, packets)


def pictures(width: int, height: int, frames: int = FRAMES) -> Iterator[NDArray[np.uint8]]:
    """The pictures as I420 arrays, (height * 3 / 2, width); sides must be multiples of 4."""
    rng = np.random.default_rng(20)
    noise = rng.normal(0, NOISE_SIGMA, (height + 64, width + 64)).round().astype(np.int16)
    people = _sample(frames)
    for i in range(frames):
        scene = _placed(people[min(i, frames - 1 - i)], i / frames, width, height)
        planes = np.asarray(cv2.cvtColor(scene, cv2.COLOR_RGB2YUV_I420), np.uint8)
        down, right = rng.integers(0, 64, 2)
        grain = noise[down : down + height, right : right + width]
        planes[:height] = np.clip(planes[:height] + grain, 16, 235)
        paint(planes[:height], i)
        yield planes


def _sample(frames: int) -> list[NDArray[np.uint8]]:
    """The first half of the loop: (H, W, 3) RGB pictures of the first person."""
    with av.open(str(SAMPLE)) as source:
        found = [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for _, frame in zip(range(FIRST + 80), source.decode(video=0), strict=False)
        ]
    last = len(found) - 1
    return [found[min(FIRST + i, last)] for i in range(frames // 2 + 1)]


def _placed(picture: NDArray[np.uint8], phase: float, width: int, height: int) -> NDArray[np.uint8]:
    """The person in front of the camera at `phase` (0..1) of the loop."""
    rows, columns = picture.shape[:2]
    scale = min(width, height * columns / rows) / columns
    scale *= 1 + 0.03 * np.sin(2 * np.pi * phase)
    turn = cv2.getRotationMatrix2D(
        (columns / 2, rows / 2), 3 * np.sin(4 * np.pi * phase), float(scale)
    )
    turn[0, 2] += width / 2 - columns / 2 + 0.05 * height * np.sin(2 * np.pi * phase)
    turn[1, 2] += height / 2 - rows / 2 + 0.02 * height * np.cos(4 * np.pi * phase)
    size, border = (width, height), cv2.BORDER_REFLECT_101
    placed = cv2.warpAffine(picture, turn, size, flags=cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(placed, np.uint8)


def _encode(
    frames: Iterator[NDArray[np.uint8]], width: int, height: int, fps: int, codec: str
) -> Iterator[bytes]:
    encoder = av.VideoCodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(fps), Fraction(1, fps)
    rate = round(BITS_A_SECOND * (width * height / (1280 * 720)) ** 0.75)
    encoder.bit_rate, encoder.gop_size, encoder.thread_count = rate, FRAMES * 10, 1
    if codec == "h264":
        encoder.profile = "Baseline"
        encoder.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "maxrate": str(rate),
            "bufsize": str(rate // 2),
            "x264-params": "scenecut=0",
        }
    else:
        encoder.options = {
            "deadline": "realtime",
            "cpu-used": "-6",
            "lag-in-frames": "0",
            "maxrate": str(rate),
            "bufsize": str(rate // 2),
            "partitions": "0",
        }
    for i, planes in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = i, encoder.time_base
        yield b"".join(bytes(packet) for packet in encoder.encode(frame))
