"""One clip or pair of clips measured: vectors of its segments, and of the whole video where I3D is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.vfid import clips, i3d
from benchmarks.vfid.features import WEIGHTS, Features
from benchmarks.vfid.followed import RUN_UP, SEGMENT, Sight, follow, placed, segments, square
from benchmarks.vfid.painting import mean_mesh, mesh_of, paint, with_marks
from benchmarks.vfid.rows import rows
from stream_retouch import cli
from stream_retouch.engine import LANDMARKS, Conditioner, FaceFinder, RetouchEngine
from stream_retouch.errors import MediaError
from stream_retouch.media.regions import alignment, into_crop
from stream_retouch.settings import Settings
from training.splits import portraits

REFERENCE = "reference"
Vectors = list[NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Task:
    """What to measure with; the same for every clip of a run."""

    shared: Path
    i3d: Path | None
    engine: str
    weights: Path | None
    frames: int | None
    """Of each clip, from its middle; None = all."""


@dataclass(slots=True)
class Found:
    """The vectors of one video in one row."""

    appearance: Vectors = field(default_factory=list)
    time: Vectors = field(default_factory=list)
    video: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """By mode of I3D."""


@dataclass(slots=True)
class Measured:
    """One clip."""

    name: str
    rows: dict[str, Found]
    note: str = ""
    """Why it has no segment."""
    sheet: NDArray[np.uint8] | None = None
    """The face in one frame, row by row side by side, the reference last."""


def look(task: Task) -> Features | None:
    """The slim VGG of the data folder, if it is there."""
    path = task.shared / WEIGHTS
    return _features(path) if path.exists() else None


@lru_cache(maxsize=1)
def _features(path: Path) -> Features:
    # One thread each: several clips are measured at once.
    torch.set_num_threads(1)
    return Features(path)


@lru_cache(maxsize=1)
def _network(path: Path) -> i3d.InceptionI3d:
    return i3d.load(path)


@lru_cache(maxsize=1)
def _finder() -> FaceFinder:
    return cli.load_finder(cli.NAMES)


@lru_cache(maxsize=1)
def _model(engine: str, weights: Path | None) -> tuple[Conditioner, RetouchEngine]:
    settings = Settings.resolve({"engine": engine, "weights": weights, "threads": 1}, {})
    return cli.load_conditioner(settings, cli.NAMES), cli.load_engine(settings, cli.NAMES)


@lru_cache(maxsize=1)
def _mean(shared: Path) -> NDArray[np.float64]:
    meshes = [p.landmarks for p in portraits(shared, heldout=False)]
    return mean_mesh([into_crop(m, alignment(m[list(LANDMARKS)])) for m in meshes])


def painted_clip(task: Task, path: Path, number: int) -> Measured:
    """A clip of the data folder against itself painted and retouched: the default rows."""
    cv2.setNumThreads(1)
    frames = clips.middle(path, task.frames)
    sights = _exact(path, frames, follow(frames, _finder()))
    starts = segments(sights)
    if not starts:
        return Measured(path.stem, {}, f"no {SEGMENT} frames in a row show the whole face")
    marked = painted(frames, sights, _mean(task.shared), number)
    found = {REFERENCE: _found(task, frames, sights, starts)}
    shown = starts[len(starts) // 2] + SEGMENT // 2
    cells = []
    conditioner, engine = _model(task.engine, task.weights)
    for name, row in rows(marked, sights, _finder(), conditioner, engine):
        found[name] = _found(task, row, sights, starts)
        cells.append(_cell(row[shown], sights[shown]))
    cells.append(_cell(frames[shown], sights[shown]))
    return Measured(path.stem, found, sheet=np.hstack(cells))


def _exact(
    path: Path, frames: Sequence[av.VideoFrame], sights: list[Sight | None]
) -> list[Sight | None]:
    """The sights with the exact points of the file beside a semi-synthetic clip, if there is one."""
    beside = path.with_suffix(".npz")
    if not beside.exists():
        return sights
    try:
        with np.load(beside, allow_pickle=False) as data:
            points = data["landmarks"].astype(np.float64)
    except (OSError, KeyError, ValueError) as problem:
        reason = f"no landmarks of every frame ({problem}); copy it again"
        raise MediaError(str(beside), reason) from problem
    first = max(0, (len(points) - len(frames)) // 2)
    if len(points) < first + len(frames):
        raise MediaError(str(beside), "fewer landmarks than the clip has frames; copy both again")
    return [s and placed(s, points[first + i]) for i, s in enumerate(sights)]


def painted(
    frames: Sequence[av.VideoFrame],
    sights: Sequence[Sight | None],
    mean: NDArray[np.float64],
    number: int,
) -> list[av.VideoFrame]:
    """The clip with marks on its face: each face is painted where it is first seen whole, and followed."""
    layers = {}
    for frame, sight in zip(frames, sights, strict=True):
        if sight is not None and sight.shown and sight.id not in layers:
            layers[sight.id] = paint(frame, sight, mesh_of(sight, mean), number)
    return [
        with_marks(frame, sight, layers[sight.id])
        if sight is not None and sight.id in layers
        else frame
        for frame, sight in zip(frames, sights, strict=True)
    ]


def pair(task: Task, name: str, reference: Path, output: Path) -> Measured:
    """A video of the user's against its reference.

    Raises:
        MediaError: the two do not have the same frames.
    """
    cv2.setNumThreads(1)
    of, out = ([clips.length(p), *_size(p)] for p in (reference, output))
    if of != out:
        text = " but ".join(f"{n} frames of {w}x{h}" for n, w, h in (out, of))
        reason = f"{text} in {reference}; make both the same length and size"
        raise MediaError(str(output), reason)
    count = task.frames if task.frames is not None else of[0]
    first = max(0, (of[0] - count) // 2)
    sights = follow(clips.frames(reference, first, count), _finder())
    starts = segments(sights, run_up=0)
    found = {
        row: _found(task, clips.frames(path, first, count), sights, starts)
        for row, path in ((REFERENCE, reference), ("output", output))
    }
    note = "" if starts else f"no {SEGMENT} frames in a row show the whole face"
    return Measured(name, found, note)


def _size(path: Path) -> tuple[int, int]:
    frame = next(clips.frames(path, 0, 1), None)
    if frame is None:
        raise MediaError(str(path), "no frame in it; encode it again")
    return frame.width, frame.height


def _found(
    task: Task, frames: Iterable[av.VideoFrame], sights: Sequence[Sight | None], starts: list[int]
) -> Found:
    """The vectors of one video; frames are taken one after the other."""
    features, found = look(task), Found()
    run_up = min(starts[0], RUN_UP) if starts else 0
    open_squares: list[NDArray[np.uint8]] = []
    small: list[NDArray[np.uint8]] = []
    wanted = {start + i for start in starts for i in range(SEGMENT)}
    for i, (frame, sight) in enumerate(zip(frames, sights, strict=True)):
        if task.i3d is not None and i >= run_up:
            small.append(i3d.shrunk(clips.rgb_of(frame)))
        if features is not None and i in wanted and sight is not None:
            open_squares.append(square(frame, sight))
            if len(open_squares) == SEGMENT:
                appearance, time = features(np.stack(open_squares))
                found.appearance.append(appearance)
                found.time.append(time)
                open_squares = []
    if task.i3d is not None and small:
        found.video = i3d.vectors(_network(task.i3d), small)
    return found


def _cell(frame: av.VideoFrame, sight: Sight | None) -> NDArray[np.uint8]:
    assert sight is not None
    return square(frame, sight)
