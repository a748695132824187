"""Faces of real clips: ``recall_real``, of the faces that a teacher is sure of the share that ours follows.

Sure is YuNet at 0.8 or BlazeFace at 0.9, on every third frame; faces under 24 px count neither way. The clips go
through one tracker as in the product, every frame `update` and `seek`; beside it, each frame on its own,
found and looked at closely. No person of the clips was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.faces.matching import SMALLEST_PX, Spot, Tally, match
from benchmarks.faces.ours import accepted, found, spot, strength
from benchmarks.teachers import blazeface, yunet
from benchmarks.teachers.boxes import Teacher
from stream_retouch.engine import FaceFinder
from stream_retouch.errors import MediaError, StreamRetouchError
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import picture_of

EVERY = 3
SHOWN = 0.5
"""Strength from which a face is retouched for all to see."""


class NoJudge(StreamRetouchError):
    """Nobody can say where the faces of the real clips are."""

    def __str__(self) -> str:
        return (
            "recall_real left out: it needs the weights of YuNet and BlazeFace in the data folder"
        )


def sure_faces(yunets: Sequence[Spot], blazes: Sequence[Spot]) -> list[Spot]:
    """The faces that at least one teacher is sure of, each once."""
    sure = [s for s in yunets if s.score >= yunet.SURE]
    others = [s for s in blazes if s.score >= blazeface.SURE]
    taken = match(sure, others)
    faces = [*sure, *(s for i, s in enumerate(others) if i not in taken)]
    return [s for s in faces if s.size >= SMALLEST_PX]


def measure(
    finder: FaceFinder,
    shared: Path,
    share: float,
    teachers: Sequence[Teacher],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """The figures; each teacher gets a row, of the same faces.

    Raises:
        NoJudge: YuNet or BlazeFace is not among the teachers.
        MediaError: there are no clips.
    """
    if not {yunet.YuNet.name, blazeface.BlazeFace.name} <= {t.name for t in teachers}:
        raise NoJudge
    folder = shared / "faces" / "video" / "real"
    paths = sorted(p for p in folder.glob("*") if p.suffix in (".mp4", ".mkv"))
    if not paths:
        raise MediaError(str(folder), "no clips here; name the data folder with --shared")
    paths = paths[:: max(1, round(1 / share))]
    totals: dict[str, Tally] = {}
    by_clip: dict[str, dict[str, Any]] = {}
    for n, path in enumerate(paths):
        tell(f"real clips {n + 1}/{len(paths)}")
        rows = _clip(finder, path, teachers)
        for name, tally in rows.items():
            total = totals.setdefault(name, Tally())
            total.found, total.total = total.found + tally.found, total.total + tally.total
        by_clip[path.stem] = {
            "faces": rows["tracker"].total,
            **{name: round(tally.share, 4) for name, tally in rows.items()},
        }
    return {
        "recall_real": round(totals["tracker"].share, 4),
        "recall_real_shown": round(totals["shown"].share, 4),
        "recall_real_per_frame": round(totals["per frame"].share, 4),
        "recall_real_faces": totals["tracker"].total,
        "recall_real_rows": {name: round(t.share, 4) for name, t in totals.items()},
        "recall_real_by_clip": by_clip,
    }


def _clip(finder: FaceFinder, path: Path, teachers: Sequence[Teacher]) -> dict[str, Tally]:
    rows = {name: Tally() for name in ("tracker", "shown", "per frame")}
    rows |= {teacher.name: Tally() for teacher in teachers}
    tracker = FaceTracker(finder)
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            picture = picture_of(frame)
            faces = tracker.update(picture, float(frame.time or 0.0))
            tracker.seek(picture)
            if i % EVERY:
                continue
            bgr = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            seen = {teacher.name: teacher.find(bgr) for teacher in teachers}
            truths = sure_faces(seen[yunet.YuNet.name], seen[blazeface.BlazeFace.name])
            seen["tracker"] = [spot(face) for face in faces]
            seen["shown"] = [spot(face) for face in faces if strength(face) >= SHOWN]
            seen["per frame"] = accepted(finder, picture, *found(finder, picture))
            for name, spots in seen.items():
                for at in match(truths, spots):
                    rows[name].add(at is not None)
    return rows
