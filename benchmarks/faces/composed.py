"""Faces in the frozen composed scenes: ``recall``, by condition, and ``false_per_1000`` face-free frames.

* ``recall``: of the faces of 40 px and more (size of the oval in the 1280x720 frame) the share that the finder finds
  and the landmarker, looking closely as the tracker does, takes for a face.
* rows beside it: the finder's boxes alone; a tracker with all its rules, of those whom it should follow (the largest
  four, none below a sixth of the largest); the teachers.
* ``false_per_1000``: frames without a face, a look-alike in many, in which ours takes up at least one.
* ``false_per_1000_parts``: the same of frames with parts of real faces in wrong places, some of which are half a face:
  told apart, since they are not free of faces.

BlazeFace sees the whole frame at 128 px: small faces are not its job, its row says how far it gets all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faces import frozen, ours
from benchmarks.faces.matching import (
    COUNTED_PX,
    SMALLEST_PX,
    Counts,
    Spot,
    angle_group,
    judge,
    oval_of,
    size_group,
)
from benchmarks.faces.sheet import GREEN, ORANGE, RED, Case, case
from benchmarks.teachers.boxes import Teacher
from stream_retouch.engine import FaceFinder
from stream_retouch.media.faces import TOO_SMALL
from stream_retouch.media.frames import Picture
from training.scenes.scene import Scene

PLACES = 4
"""Faces that the product follows."""
OURS, RAW, TRACKER = "ours", "ours, finder alone", "ours, tracker's rules"


@dataclass(slots=True)
class Composed:
    """What came of all scenes."""

    rows: dict[str, Counts] = field(default_factory=dict)
    """By detector."""
    false_frames: dict[str, int] = field(default_factory=dict)
    """Face-free frames with a detection."""
    empty: int = 0
    false_parts: dict[str, int] = field(default_factory=dict)
    """Frames with nothing but parts of faces, with a detection."""
    parts: int = 0
    missed: list[Case] = field(default_factory=list)
    false: list[Case] = field(default_factory=list)


def measure(
    finder: FaceFinder,
    shared: Path,
    share: float,
    teachers: Sequence[Teacher],
    tell: Callable[[str], None],
) -> tuple[dict[str, Any], Composed]:
    """The figures, and what the sheet and the tone table need."""
    total = Composed()
    for index, scene in frozen.scenes(shared, share):
        tell(f"scene {index + 1}/{frozen.read().scenes}")
        _scene(finder, scene, teachers, total, index)
    for index, scene in frozen.empty_scenes(shared, share):
        tell(f"face-free frame {index + 1}/{frozen.read().empty}")
        _empty(finder, scene, teachers, total, index)
    return _figures(total), total


def _scene(
    finder: FaceFinder, scene: Scene, teachers: Sequence[Teacher], total: Composed, index: int
) -> None:
    truths = [oval_of(face.points.astype(np.float64)) for face in scene.faces]
    ignored = [
        face.ignore or truth.size < SMALLEST_PX
        for face, truth in zip(scene.faces, truths, strict=True)
    ]
    picture = ours.picture_of_bgr(scene.picture)
    boxes, ratio = ours.found(finder, picture)
    seen = {
        OURS: ours.accepted(finder, picture, boxes, ratio),
        RAW: ours.raw(boxes, ratio),
        **{teacher.name: teacher.find(scene.picture) for teacher in teachers},
    }
    found: dict[str, list[int | None]] = {}
    for name, spots in seen.items():
        found[name], false = judge(truths, spots, ignored)
        row = total.rows.setdefault(name, Counts())
        row.false += len(false)
        for i, face in enumerate(scene.faces):
            if not ignored[i]:
                groups = sorted(face.conditions | scene.conditions)
                groups += [angle_group("yaw", face.yaw_deg)]
                groups += [angle_group("roll", float(np.degrees(face.roll)))]
                row.add(found[name][i] is not None, truths[i].size, groups, face.person)
    _tracked(finder, picture, truths, ignored, total)
    _keep_missed(scene, truths, ignored, found, total, index)


def wanted(truths: Sequence[Spot], ignored: Sequence[bool]) -> list[bool]:
    """Whom the tracker's rules want: the largest PLACES, none below a part of the largest.

    A face that is ignored may be followed too, and then takes a place: such scenes want fewer.
    """
    largest = max((t.size for t in truths), default=0.0)
    order = sorted(range(len(truths)), key=lambda i: -truths[i].size)[:PLACES]
    # a tenth of room: sizes are measured, so that the rule is not sharp
    return [
        i in order and not ignored[i] and t.size >= 1.1 * TOO_SMALL * largest
        for i, t in enumerate(truths)
    ]


def _tracked(
    finder: FaceFinder,
    picture: Picture,
    truths: Sequence[Spot],
    ignored: Sequence[bool],
    total: Composed,
) -> None:
    found, false = judge(truths, ours.followed(finder, picture), ignored)
    row = total.rows.setdefault(TRACKER, Counts())
    row.false += len(false)
    for truth, at, want in zip(truths, found, wanted(truths, ignored), strict=True):
        if want:
            row.add(at is not None, truth.size, (), "")


def _keep_missed(
    scene: Scene,
    truths: Sequence[Spot],
    ignored: Sequence[bool],
    found: dict[str, list[int | None]],
    total: Composed,
    index: int,
) -> None:
    lost = [
        i
        for i, at in enumerate(found[OURS])
        if at is None and not ignored[i] and truths[i].size >= COUNTED_PX
    ]
    if not lost:
        return
    frames = [
        (truths[i], RED if i in lost else GREEN) for i, skip in enumerate(ignored) if not skip
    ]
    i = max(lost, key=lambda i: truths[i].size)
    others = [name for name in found if name != OURS and found[name][i] is not None]
    why = " ".join(sorted(scene.faces[i].conditions | scene.conditions))
    label = f"{index}: {truths[i].size:.0f} px, {', '.join(others) or 'nobody'} saw it; {why}"
    total.missed.append(case(scene.picture, truths[i].size, label, frames))


def _empty(
    finder: FaceFinder, scene: Scene, teachers: Sequence[Teacher], total: Composed, index: int
) -> None:
    picture = ours.picture_of_bgr(scene.picture)
    boxes, ratio = ours.found(finder, picture)
    seen = {
        OURS: ours.accepted(finder, picture, boxes, ratio),
        RAW: ours.raw(boxes, ratio),
        **{teacher.name: teacher.find(scene.picture) for teacher in teachers},
    }
    parts = "face_parts" in scene.conditions
    total.parts += parts
    total.empty += not parts
    for name, spots in seen.items():
        frames_of = total.false_parts if parts else total.false_frames
        frames_of[name] = frames_of.get(name, 0) + bool(spots)
    if seen[OURS] and not parts:
        frames = [(s, ORANGE) for s in seen[OURS]]
        others = [t.name for t in teachers if seen[t.name]]
        label = f"face-free {index}: {len(frames)} false; also {', '.join(others) or 'nobody else'}"
        sure = max((s.score for s in seen[RAW]), default=0.0)
        total.false.append(case(scene.picture, sure, label, frames))


def _figures(total: Composed) -> dict[str, Any]:
    per_1000 = {n: round(1000 * f / max(total.empty, 1), 2) for n, f in total.false_frames.items()}
    of_parts = {n: round(1000 * f / max(total.parts, 1), 2) for n, f in total.false_parts.items()}
    rows = {
        name: {
            **row.recall.row(),
            "false_per_1000": per_1000.get(name),
            "false_per_1000_parts": of_parts.get(name),
            "false_in_scenes": row.false,
        }
        for name, row in total.rows.items()
    }
    conditions = {
        group: {
            name: row.groups[group].row() for name, row in total.rows.items() if group in row.groups
        }
        for group in sorted(total.rows[OURS].groups, key=_order)
    }
    return {
        "recall": rows[OURS]["recall"],
        "false_per_1000": per_1000.get(OURS),
        "recall_tracker": rows[TRACKER]["recall"],
        "recall_yunet": rows["YuNet"]["recall"] if "YuNet" in rows else None,
        "faces": total.rows[OURS].recall.total,
        "face_free_frames": total.empty,
        "face_parts_frames": total.parts,
        "false_per_1000_parts": of_parts.get(OURS),
        "recall_rows": rows,
        "recall_by_condition": conditions,
        "scenes_sha256": frozen.frozen_hash(),
    }


def _order(group: str) -> tuple[int, float, str]:
    """Sizes first, smallest on top, then angles, then conditions."""
    sizes = [size_group(size) for size in (30.0, 60.0, 100.0, 200.0)]
    if group in sizes:
        return 0, float(sizes.index(group)), group
    return (1, 0.0, group) if group.startswith(("yaw ", "roll ")) else (2, 0.0, group)
