"""The frozen composed scenes: held-out persons in made-up frames, and face-free frames.

``python -m benchmarks.faces.frozen --freeze`` wrote ``benchmarks/face_scenes.json`` once; it is not written again. The
file holds seeds, difficulty and numbers; the frames come from `training.scenes`. Every STEP-th frame carries a
fingerprint, and a set of which one frame looks otherwise than when it was frozen is refused.

The difficulty was dialled on scenes of *training* persons, until YuNet's own recall of faces of 40 px and more lay
between 0.90 and 0.98: ``python -m benchmarks.faces.frozen --dial 0.5 0.7``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.faces.matching import SMALLEST_PX, Counts, judge, oval_of
from benchmarks.teachers.yunet import YuNet
from stream_retouch.errors import MediaError, StreamRetouchError
from training.scenes import portraits
from training.scenes.compose import Composer
from training.scenes.scene import Scene

FILE = Path(__file__).parents[1] / "face_scenes.json"
STEP = 10
CODES, PX = 1.5, 1.0
"""How far a thumbnail's mean and deviation, and a face's middle, may lie off: other versions of numpy and OpenCV round
differently."""
SIZE = (1280, 720)
EMPTY_SIZE = (640, 384)
"""What the finder sees of a frame anyhow; twice as quick to make and to search."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What `FILE` holds."""

    seed: int
    difficulty: float
    scenes: int
    empty: int
    prints: list[list[float]]
    """Of scenes 0, STEP, 2 STEP ...; see `fingerprint`."""
    empty_prints: list[list[float]]


def read(path: Path = FILE) -> Frozen:
    """The frozen numbers.

    Raises:
        MediaError: there is no such file, or it is another.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        return Frozen(**{key: data[key] for key in Frozen.__dataclass_fields__})
    except (OSError, KeyError, ValueError) as error:
        raise MediaError(str(path), "no frozen scenes here; check the file out again") from error


def frozen_hash(path: Path = FILE) -> str:
    """SHA-256 of the file, printed in every result."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scenes(shared: Path, share: float = 1.0) -> Iterator[tuple[int, Scene]]:
    """The frames with people and their numbers; with a smaller share every so-manieth.

    Raises:
        MediaError: a portrait is missing, or a frame is not as it was frozen.
    """
    kept = read()
    made = composer(shared, kept.seed, kept.difficulty, SIZE)
    for index in range(0, kept.scenes, _stride(share)):
        scene = made.scene_at(index)
        check(scene, index, kept.prints)
        yield index, scene


def empty_scenes(shared: Path, share: float = 1.0) -> Iterator[tuple[int, Scene]]:
    """The face-free frames, likewise."""
    kept = read()
    made = composer(shared, kept.seed, kept.difficulty, EMPTY_SIZE)
    for index in range(0, kept.empty, _stride(share)):
        scene = made.empty_at(index)
        check(scene, index, kept.empty_prints)
        yield index, scene


def composer(shared: Path, seed: int, difficulty: float, size: tuple[int, int]) -> Composer:
    """Makes the frames, in colour, of held-out persons."""
    people = portraits.load(shared, heldout=True, colour=True)
    return Composer(people, seed, *size, colour=True, difficulty=difficulty)


def _stride(share: float) -> int:
    return max(1, round(1 / share))


def fingerprint(scene: Scene) -> list[float]:
    """Mean and deviation of the thumbnail, how many faces, and the mean of all their landmarks."""
    small = cv2.resize(scene.picture, (32, 18), interpolation=cv2.INTER_AREA)
    middle = np.zeros(2)
    if scene.faces:
        middle = np.mean([face.points.mean(axis=0) for face in scene.faces], axis=0)
    figures = (small.mean(), small.std(), len(scene.faces), *middle)
    return [round(float(figure), 2) for figure in figures]


def check(scene: Scene, index: int, prints: list[list[float]]) -> None:
    """Nothing, if the frame is as it was frozen or was not fingerprinted.

    Raises:
        MediaError: it is not.
    """
    if index % STEP or index // STEP >= len(prints):
        return
    now, then = np.array(fingerprint(scene)), np.array(prints[index // STEP])
    if np.any(np.abs(now - then) > (CODES, CODES, 0.5, PX, PX)):
        reason = (
            f"scene {index} looks otherwise than when it was frozen ({now.tolist()}, was "
            f"{then.tolist()}); keep the old composer for the frozen scenes"
        )
        raise MediaError(str(FILE), reason)


def freeze(shared: Path, seed: int, difficulty: float, count: int, empty: int) -> None:
    """Writes the file; refuses to do so twice."""
    if FILE.exists():
        raise MediaError(str(FILE), "the scenes are frozen; they are not frozen again")
    made = composer(shared, seed, difficulty, SIZE)
    prints = [fingerprint(made.scene_at(i)) for i in range(0, count, STEP)]
    made = composer(shared, seed, difficulty, EMPTY_SIZE)
    empty_prints = [fingerprint(made.empty_at(i)) for i in range(0, empty, STEP)]
    kept = asdict(Frozen(seed, difficulty, count, empty, [], []))
    del kept["prints"], kept["empty_prints"]
    lines = [f' "{key}": {json.dumps(value)}' for key, value in kept.items()]
    for key, rows in (("prints", prints), ("empty_prints", empty_prints)):
        lines.append(f' "{key}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]")
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"wrote {FILE.name}: {count} scenes, {empty} face-free frames")


def dial(shared: Path, seed: int, difficulties: list[float], count: int) -> None:
    """Prints YuNet's recall of faces of 40 px and more on scenes of persons who are trained on."""
    teacher = YuNet(shared / "weights")
    people = portraits.load(shared, heldout=False, colour=True)
    for difficulty in difficulties:
        made, counts = Composer(people, seed, *SIZE, colour=True, difficulty=difficulty), Counts()
        for index in range(count):
            scene = made.scene_at(index)
            truths = [oval_of(face.points.astype(np.float64)) for face in scene.faces]
            ignored = [
                face.ignore or truth.size < SMALLEST_PX
                for face, truth in zip(scene.faces, truths, strict=True)
            ]
            found, _ = judge(truths, teacher.find(scene.picture), ignored)
            for at, truth, skip in zip(found, truths, ignored, strict=True):
                if not skip:
                    counts.add(at is not None, truth.size, (), "")
        row = counts.recall.row()
        print(f"difficulty {difficulty}: YuNet {row['recall']} of {row['faces']} faces")


def main() -> None:
    """Dials or freezes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--scenes", type=int, default=400)
    parser.add_argument("--empty", type=int, default=1000)
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--dial", type=float, nargs="+", metavar="DIFFICULTY")
    either.add_argument("--freeze", type=float, metavar="DIFFICULTY")
    args = parser.parse_args()
    if args.dial:
        dial(args.shared, args.seed + 1, args.dial, args.scenes)
    else:
        freeze(args.shared, args.seed, args.freeze, args.scenes, args.empty)


if __name__ == "__main__":
    try:
        main()
    except StreamRetouchError as problem:
        raise SystemExit(f"benchmarks.faces.frozen: {problem}") from None
