"""``reacquire_ms``: from a face's first visible frame to the first frame in which it is retouched by half at least.

Time is the frames', 30 a second; 0 is the very frame in which it appears. Two ways to appear, over the held-out persons
in a noisy 720p frame, one tracker a case, every frame `update` and `seek`:

* cut: from one person to the next, elsewhere and of another size, before the same studio wall (the hard case for a
  detector of cuts; half of them are lit differently).
* occlusion: something covers the whole face for a second and is gone again at once.

A face that is not back within `GIVEN_UP` counts as that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.faces.matching import match, oval_of
from benchmarks.faces.ours import picture_of_luma, spot, strength
from benchmarks.faces.real import SHOWN
from benchmarks.faces.steadiness import FPS
from benchmarks.faces.stills import (
    HEIGHT,
    WIDTH,
    CameraNoise,
    Luma,
    Points,
    Still,
    load_still,
    one_each,
)
from stream_retouch.engine import FaceFinder
from stream_retouch.media.faces import FaceTracker
from training.splits import portraits

SHOTS = 2
"""Sizes in which each person is cut to."""
COVERED = FPS
GIVEN_UP = 2 * FPS
SIZES = (60.0, 260.0)
"""Face sizes are drawn from here, evenly in their logarithm."""


def measure(
    finder: FaceFinder, shared: Path, share: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """p95 over cuts and occlusions together, and each apart."""
    people = one_each(portraits(shared, heldout=True))
    people = people[: max(3, round(len(people) * share))]
    rng, noise = np.random.default_rng(74), CameraNoise(75)
    order = [p for _ in range(SHOTS + 1) for p in people]
    sizes = SIZES[0] * (SIZES[1] / SIZES[0]) ** rng.random(len(order))
    shots = [_shot(load_still(p, size), rng) for p, size in zip(order, sizes, strict=True)]
    cuts: list[int] = []
    back: list[int] = []
    kept = 0
    for n, (one, other) in enumerate(zip(shots, shots[1:], strict=False)):
        tell(f"cuts {n + 1}/{len(shots) - 1}")
        light = rng.uniform(0.6, 1.0) if n % 2 else 1.0
        cuts.append(_cut(finder, one, other, float(light), noise, rng))
    for n, (luma, points) in enumerate(shots[: 2 * len(people)]):
        tell(f"occlusions {n + 1}/{2 * len(people)}")
        frames, same = _occluded(finder, luma, points, noise, rng)
        back.append(frames)
        kept += same
    both = np.array(cuts + back) * 1e3 / FPS
    return {
        "reacquire_ms": round(float(np.percentile(both, 95)), 1),
        "reacquire_cut_ms": _three(cuts),
        "reacquire_occlusion_ms": _three(back),
        "id_kept_after_occlusion": round(kept / len(back), 4),
    }


def _shot(still: Still, rng: np.random.Generator) -> tuple[Luma, Points]:
    """The portrait somewhere wholly in the frame."""
    room = 0.75 * still.spot.size
    x, y = rng.uniform(room, WIDTH - room), rng.uniform(room, HEIGHT - room)
    return still.at(float(x), float(y))


def first_shown(
    tracker: FaceTracker, lumas: Sequence[Luma], points: Points, frame: int
) -> tuple[int, int | None]:
    """In which of `lumas` the face is first shown, len(lumas) where in none; and its id.

    Args:
        frame: number of the first of them, which tells the time.
    """
    truth = [oval_of(points)]
    for n, luma in enumerate(lumas):
        picture = picture_of_luma(luma)
        faces = tracker.update(picture, (frame + n) / FPS)
        tracker.seek(picture)
        at = match(truth, [spot(face) for face in faces])[0]
        if at is not None and strength(faces[at]) >= SHOWN:
            return n, faces[at].id
    return len(lumas), None


def _play(tracker: FaceTracker, luma: Luma, noise: CameraNoise, start: int, count: int) -> None:
    for n in range(count):
        picture = picture_of_luma(noise(luma))
        tracker.update(picture, (start + n) / FPS)
        tracker.seek(picture)


def _cut(
    finder: FaceFinder,
    one: tuple[Luma, Points],
    other: tuple[Luma, Points],
    light: float,
    noise: CameraNoise,
    rng: np.random.Generator,
) -> int:
    """Frames until the other person is shown."""
    tracker, before = FaceTracker(finder), int(rng.integers(24, 36))
    _play(tracker, one[0], noise, 0, before)
    picture = np.asarray(np.rint(other[0] * light), np.uint8)
    lumas = _Noisy(picture, noise, GIVEN_UP)
    return first_shown(tracker, lumas, other[1], before)[0]


def _occluded(
    finder: FaceFinder, luma: Luma, points: Points, noise: CameraNoise, rng: np.random.Generator
) -> tuple[int, bool]:
    """Frames until the face is back, and whether its id is the old one."""
    tracker, before = FaceTracker(finder), int(rng.integers(24, 36))
    lumas = _Noisy(luma, noise, before)
    seen, old = first_shown(tracker, lumas, points, 0)
    _play(tracker, luma, noise, seen + 1, before)
    start = seen + 1 + before
    _play(tracker, covered(luma, points, rng), noise, start, COVERED)
    frames, new = first_shown(tracker, _Noisy(luma, noise, GIVEN_UP), points, start + COVERED)
    return frames, old is not None and old == new


class _Noisy(Sequence[Luma]):
    """The same picture `count` times, each with noise of its own, made when it is asked for."""

    def __init__(self, luma: Luma, noise: CameraNoise, count: int) -> None:
        self._luma, self._noise, self._count = luma, noise, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._noise(self._luma)


def covered(luma: Luma, points: Points, rng: np.random.Generator) -> Luma:
    """The picture with something held before the whole face: plain, with a little texture and a soft edge."""
    spot_ = oval_of(points)
    mask = np.zeros(luma.shape, np.float32)
    reach = spot_.size * rng.uniform(0.75, 0.9)
    centre = round(spot_.x), round(spot_.y)
    cv2.ellipse(mask, centre, (round(0.9 * reach), round(1.1 * reach)), 0, 0, 360, (1.0,), -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.03 * spot_.size))
    cells = rng.normal(rng.uniform(60, 190), 8, (9, 16)).astype(np.float32)
    cloth = cv2.resize(cells, (luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(luma * (1 - mask) + cloth * mask, 0, 255), np.uint8)


def _three(frames: Sequence[int]) -> dict[str, float]:
    taken = np.array(frames) * 1e3 / FPS
    return {
        "p50": round(float(np.percentile(taken, 50)), 1),
        "p95": round(float(np.percentile(taken, 95)), 1),
        "max": round(float(taken.max()), 1),
    }
