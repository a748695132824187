"""``find_ms`` and ``follow_ms`` on one core.

* ``find_ms``: the finder's whole look at a 1280x720 picture, shrinking it included.
* ``follow_ms``: `FaceTracker.update` while it follows one face, no search in it.

Wall time of a process held to one core; ``cpu`` beside it is that process's own time, which other work on the machine
does not lengthen. Where the two lie far apart the machine was ``busy``, and its wall times say little.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.faces.ours import found
from stream_retouch.engine import FaceFinder
from stream_retouch.errors import MediaError
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import Picture, picture_of

CALLS = 200
WARM_UP = 10
BUSY = 1.25
"""Wall over CPU time from which others had the core too."""


@contextmanager
def one_core() -> Iterator[None]:
    """Holds this process to one of its cores where the system can do that."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if cores:
            os.sched_setaffinity(0, {max(cores)})
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


def measure(
    finder: FaceFinder, shared: Path, share: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The figures, on the first semi-synthetic clip."""
    calls = max(40, round(CALLS * share))
    pictures = _pictures(shared, calls + WARM_UP)
    with one_core():
        tell("timing the finder")
        find = [_timed(finder, picture) for picture in pictures]
        tell("timing the follower")
        follow = _follow(finder, pictures)
    if not follow:
        raise MediaError(_first(shared).name, "no face was followed, so there is no follow_ms")
    figures = _figures("find_ms", find[WARM_UP:]) | _figures("follow_ms", follow[WARM_UP:])
    busy = any(figures[n] > BUSY * figures[f"{n}_cpu"] for n in ("find_ms", "follow_ms"))
    return {**figures, "busy": busy}


def _first(shared: Path) -> Path:
    folder = shared / "faces" / "video" / "semi_synthetic"
    path = next(iter(sorted(folder.glob("*.mp4"))), None)
    if path is None:
        raise MediaError(str(folder), "no clips here; name the data folder with --shared")
    return path


def _pictures(shared: Path, count: int) -> list[Picture]:
    with av.open(str(_first(shared))) as container:
        return [picture_of(frame) for frame in islice(container.decode(video=0), count)]


def _timed(finder: FaceFinder, picture: Picture) -> tuple[float, float]:
    """Wall and CPU milliseconds of one search."""
    wall, cpu = time.perf_counter(), time.process_time()
    found(finder, picture)
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def _follow(finder: FaceFinder, pictures: list[Picture]) -> list[tuple[float, float]]:
    """The same of every frame in which a face known before was followed."""
    tracker, taken, followed = FaceTracker(finder), [], False
    for n, picture in enumerate(pictures):
        wall, cpu = time.perf_counter(), time.process_time()
        faces = tracker.update(picture, n / 25)
        both = (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3
        if followed and faces:
            taken.append(both)
        followed = bool(faces)
    return taken


def _figures(name: str, taken: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = np.array(taken).T
    return {
        name: round(float(np.median(wall)), 2),
        f"{name}_p95": round(float(np.percentile(wall, 95)), 2),
        f"{name}_cpu": round(float(np.median(cpu)), 2),
    }
