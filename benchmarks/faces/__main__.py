"""How well faces are found and followed: ``python -m benchmarks.faces``; the last line is JSON.

What each figure means stands in the module that measures it: `composed` (recall, false alarms), `real`, `nme`,
`steadiness` (jitter, lag), `reacquire`, `timing`, `tones`. Persons are the held-out ones, those of the semi-synthetic
clips and those of the real clips: nobody who was trained on. Teachers are read from ``shared/weights``; what is missing
there is left out with a sentence.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import report as parts
from benchmarks.faces import composed, nme, reacquire, real, report, steadiness, timing, tones
from benchmarks.teachers.blazeface import BlazeFace
from benchmarks.teachers.boxes import Teacher
from benchmarks.teachers.cascade import Cascade
from benchmarks.teachers.yunet import YuNet
from stream_retouch import cli
from stream_retouch.errors import MediaError, StreamRetouchError

PARTS = ("composed", "real", "nme", "steadiness", "reacquire", "timing")
QUICK = 0.1


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    try:
        return _run(args)
    except StreamRetouchError as problem:
        print(file=sys.stderr)
        print(f"benchmarks.faces: {problem}", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
    names = replace(cli.NAMES, finder=args.finder) if args.finder else cli.NAMES
    finder, share = cli.load_finder(names), QUICK if args.quick else 1.0
    began = time.monotonic()
    found: dict[str, Any] = {}
    scenes = composed.Composed()
    persons: dict[str, tones.Person] = {}
    teachers, left_out = _teachers(args.shared)
    if "timing" in args.only:
        found |= timing.measure(finder, args.shared, share, _tell)
    if "composed" in args.only:
        figures, scenes = composed.measure(finder, args.shared, share, teachers, _tell)
        found |= figures
    if "real" in args.only:
        try:
            found |= real.measure(finder, args.shared, share, teachers, _tell)
        except real.NoJudge as problem:
            left_out.append(str(problem))
    if "nme" in args.only:
        figures, persons = nme.measure(finder, args.shared, share, _tell)
        found |= figures
    if "steadiness" in args.only:
        found |= steadiness.measure(finder, args.shared, share, _tell)
    if "reacquire" in args.only:
        found |= reacquire.measure(finder, args.shared, share, _tell)
    if persons:
        counts = scenes.rows[composed.OURS].persons if scenes.rows else {}
        recall = {name: (tally.found, tally.total) for name, tally in counts.items()}
        found["tones"] = tones.by_tone(persons, recall)
    if left_out:
        found["left_out"] = left_out
    print(file=sys.stderr)
    found |= {
        "holds": report.holds(found),
        "finder": names.finder,
        "quick": args.quick,
        "seconds": round(time.monotonic() - began),
        "hardware": parts.hardware(),
        "versions": parts.versions(),
        "weights_sha256": parts.weights(),
    }
    print(report.tables(found))
    if args.write or args.out:
        command = "python -m benchmarks.faces" + (" --quick" if args.quick else "")
        path = report.write(args.out, command, found, scenes.missed, scenes.false)
        print(f"wrote {path.name}", file=sys.stderr)
    print(parts.last_line(found))
    return 0


def _teachers(shared: Path) -> tuple[list[Teacher], list[str]]:
    """Those that can be had, and a sentence for each that cannot."""
    teachers: list[Teacher] = []
    left_out = []
    weights = shared / "weights"
    makers: tuple[Callable[[], Teacher], ...] = (
        lambda: YuNet(weights),
        lambda: BlazeFace(weights),
        lambda: Cascade(),
    )
    for make in makers:
        try:
            teachers.append(make())
        except MediaError as problem:
            left_out.append(str(problem))
    return teachers, left_out


def _tell(sentence: str) -> None:
    print(f"\r{sentence:<60}", end="", file=sys.stderr, flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to try it")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=list(PARTS),
        metavar="NAME,...",
        help=f"of {', '.join(PARTS)}",
    )
    parser.add_argument("--finder", help="module:class of another finder than the one that serves")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/faces_*")
    parser.add_argument("--out", type=Path, help="write the result into this folder")
    args = parser.parse_args(argv)
    unknown = set(args.only) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return args


if __name__ == "__main__":
    sys.exit(main())
