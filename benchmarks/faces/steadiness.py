"""How still the crop stands, and how far it trails: ``jitter_px`` and ``lag_px``, crop pixels at 256.

* ``jitter_px``: a still portrait under fresh camera noise for 3 s through one tracker; from 0.5 s on, root mean square
  distance of the crop's four corners from where they are on average. No filter at all would have 0 with a landmarker
  that never trembles; a landmarker that looks once and never again has 0 too, hence ``lag_px``.
* ``lag_px``: the same portrait stands for a second, then moves by half a face width a second; from 0.5 s after it set
  off, root mean square deviation of the corners along the motion from the true crop, less what it was while standing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from benchmarks.faces.matching import match, oval_of
from benchmarks.faces.ours import picture_of_luma, spot
from benchmarks.faces.stills import HEIGHT, WIDTH, CameraNoise, Luma, Still, load_still, one_each
from stream_retouch.engine import CROP_SIZE, FaceFinder
from stream_retouch.media.affine import Affine, scale_of
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import Picture, picture_of
from stream_retouch.media.regions import alignment
from training.splits import portraits

FPS = 30
SIZES = (100.0, 180.0, 300.0)
STILL_FRAMES = 90
SETTLED = 15
"""Frames that a tracker may take to settle."""
STANDS, MOVES = 30, 60
SPEED = 0.5
"""Face widths a second."""
WIDE = 0.91
"""Width of the canonical oval over its size."""
BIT_RATE = 1_500_000
_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64) * (CROP_SIZE - 1)


def corners(transforms: Sequence[Affine]) -> NDArray[np.float64]:
    """(T, 4, 2) corners of the crops in frame pixels."""
    return np.stack([_CORNERS @ t[:, :2].T + t[:, 2] for t in transforms])


def jitter(transforms: Sequence[Affine]) -> float:
    """Root mean square distance of the corners from their mean, crop pixels."""
    at = corners(transforms)
    scale = float(np.mean([scale_of(t) for t in transforms]))
    return float(np.sqrt(((at - at.mean(axis=0)) ** 2).sum(axis=-1).mean())) / scale


def lag(
    seen: Sequence[Affine], true: Sequence[Affine], direction: Sequence[float], stands: int
) -> NDArray[np.float64]:
    """(T - stands,) how far the crop is behind along the motion in each moving frame, crop pixels.

    Args:
        seen: the tracker's crops, the first `stands` of them of the face at rest.
        true: the crops of the true landmarks in the same frames.
        direction: of the motion, length 1.
        stands: how many frames tell the bias that is taken off.
    """
    scales = np.array([scale_of(t) for t in true])
    off = (corners(seen) - corners(true)) @ np.asarray(direction) / scales[:, None]
    behind = -(off - off[:stands].mean(axis=0))
    return np.asarray(behind[stands:].mean(axis=1))


def measure(
    finder: FaceFinder, shared: Path, share: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The figures, over one portrait of every held-out person at each of SIZES."""
    people = one_each(portraits(shared, heldout=True))
    people = people[: max(2, round(len(people) * share))]
    noise = CameraNoise(71)
    lags: list[float] = []
    behind: list[float] = []
    lost = 0
    by_size: dict[float, list[float]] = {size: [] for size in SIZES}
    coded: list[float] = []
    for n, portrait in enumerate(people):
        tell(f"tremble and lag {n + 1}/{len(people)}")
        for size in SIZES:
            still = load_still(portrait, size)
            picture, points = still.at(WIDTH / 2 + 0.3, HEIGHT / 2 - 0.2)
            frames = (picture_of_luma(noise(picture)) for _ in range(STILL_FRAMES))
            seen = _followed(finder, frames, [points] * STILL_FRAMES)[SETTLED:]
            if len(seen) and all(t is not None for t in seen):
                by_size[size].append(jitter([t for t in seen if t is not None]))
            else:
                lost += 1
            behind_px = _moving(finder, still, noise, n)
            if behind_px is None:
                lost += 1
            else:
                lags.append(float((behind_px**2).mean()))
                behind.append(float(behind_px.mean()))
        if n % 2 == 0:
            coded += _coded(finder, load_still(portrait, SIZES[1]), noise)
    jitters = [value for values in by_size.values() for value in values]
    return {
        "jitter_px": _rms(jitters),
        "jitter_worst_px": _round(max(jitters, default=float("nan"))),
        "jitter_by_size": {f"{size:.0f} px": _rms(values) for size, values in by_size.items()},
        "jitter_h264_px": _rms(coded),
        "lag_px": _round(float(np.sqrt(np.mean(lags)))) if lags else None,
        "lag_mean_px": _round(float(np.mean(behind))) if behind else None,
        "lag_worst_px": _round(float(np.sqrt(max(lags)))) if lags else None,
        "lost": lost,
    }


def _followed(
    finder: FaceFinder, frames: Iterator[Picture], points: Sequence[NDArray[np.float64]]
) -> list[Affine | None]:
    """The crop of the true face in each frame; None where it is not followed."""
    tracker, seen = FaceTracker(finder), []
    for n, (picture, truth) in enumerate(zip(frames, points, strict=True)):
        found = tracker.update(picture, n / FPS)
        at = match([oval_of(truth)], [spot(face) for face in found])[0]
        seen.append(None if at is None else found[at].transform)
        tracker.seek(picture)
    return seen


def _moving(
    finder: FaceFinder, still: Still, noise: CameraNoise, number: int
) -> NDArray[np.float64] | None:
    """(frames,) lag of the settled part of the motion; None where the face was lost."""
    angle = (0.0, np.pi / 2, np.pi, 0.75 * np.pi)[number % 4]
    direction = np.array([np.cos(angle), np.sin(angle)])
    step = direction * SPEED * WIDE * still.spot.size / FPS
    start = np.array([WIDTH / 2, HEIGHT / 2]) - step * MOVES / 2
    places = [start + step * max(0, n - STANDS + 1) for n in range(STANDS + MOVES)]

    def frames() -> Iterator[Picture]:
        for place in places:
            yield picture_of_luma(noise(still.at(*place)[0]))

    truths = [still.points + (place - (still.spot.x, still.spot.y)) for place in places]
    seen = _followed(finder, frames(), truths)[SETTLED:]
    kept = [t for t in seen if t is not None]
    if len(kept) < len(seen):
        return None
    true = [alignment(truth) for truth in truths[SETTLED:]]
    return lag(kept, true, direction.tolist(), STANDS - SETTLED)[SETTLED:]


def _coded(finder: FaceFinder, still: Still, noise: CameraNoise) -> list[float]:
    """Tremble of the still face with noise after H.264 at BIT_RATE; empty where it was lost."""
    picture, points = still.at(WIDTH / 2 + 0.3, HEIGHT / 2 - 0.2)
    frames = h264(noise(picture) for _ in range(STILL_FRAMES))
    seen = _followed(finder, frames, [points] * STILL_FRAMES)[SETTLED:]
    kept = [t for t in seen if t is not None]
    return [jitter(kept)] if len(kept) == len(seen) else []


def h264(lumas: Iterator[Luma]) -> Iterator[Picture]:
    """The frames as a call would carry them: encoded without delay, decoded again."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.bit_rate, encoder.framerate = BIT_RATE, Fraction(FPS)
    encoder.options = {"preset": "veryfast", "tune": "zerolatency"}
    encoder.thread_count = 1
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    for n, luma in enumerate(lumas):
        bgr = np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8)
        frame = av.VideoFrame.from_ndarray(bgr, "bgr24")
        frame.pts = n
        for packet in encoder.encode(frame.reformat(format="yuv420p")):
            yield from (picture_of(f) for f in decoder.decode(packet))
    for packet in encoder.encode(None):
        yield from (picture_of(f) for f in decoder.decode(packet))
    yield from (picture_of(f) for f in decoder.decode(None))


def _rms(values: Sequence[float]) -> float | None:
    return _round(float(np.sqrt(np.mean(np.square(values))))) if values else None


def _round(value: float) -> float:
    return round(value, 4)
