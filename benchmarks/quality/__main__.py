"""``python -m benchmarks.quality --split heldout``: measures, prints a table, and JSON as the last line.

What each figure means stands in the package's docstring (``python -c "import benchmarks.quality as q; help(q)"``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from benchmarks import quality
from benchmarks import report as common
from benchmarks.language import planners
from benchmarks.quality import monotone, ours, painted, report, scenes, unpainted
from benchmarks.quality.lpips import lpips
from benchmarks.quality.real import identity
from benchmarks.quality.result import result, run_of
from benchmarks.quality.through_words import ThroughWords
from benchmarks.quality.tune import tune
from stream_retouch.cli import NAMES
from stream_retouch.errors import StreamRetouchError

_ALL = 10**6


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    cv2.setNumThreads(1)
    try:
        if args.tune:
            found = tune(args.shared, args.scenes)
            print(report.tuning(found))
            print(json.dumps(found))
        else:
            _run(args)
    except StreamRetouchError as problem:
        print(f"\nbenchmarks.quality: {problem}", file=sys.stderr)
        return 1
    return 0


def _run(args: argparse.Namespace) -> None:
    began = time.monotonic()
    people = scenes.people(args.shared, args.split)
    count = min(2 * len(people), args.scenes)
    faces = scenes.neutral(people)[: args.scenes]
    distance, no_lpips = lpips(args.shared)
    net, no_identity = identity(args.shared)
    whole = ours.whole(args.engine, args.weights, args.size)
    words = None
    with contextlib.closing(whole.engine):
        rows: list[ours.AnyRow] = [whole]
        if args.through_words:
            words = ThroughWords(whole, planners.load(planners.DEFAULT, NAMES))
            rows.append(words)
        if args.ablations or args.ablation_weights:
            rows += ours.without_parts(whole, args.ablation_weights)
        drawn = painted.measure(scenes.scenes(args.shared, args.split), count, rows, distance)
        real = unpainted.measure(people[: args.scenes], whole, net)
        asked = scenes.amount_scenes(args.shared, args.split)
        amounts = monotone.removals(whole, asked, len(faces))
    found = result(drawn, real, amounts, rows)
    if words is not None:
        found["through_words"] = words.figures(found["rows"])
    found["left_out"] = [sentence for sentence in (no_lpips, no_identity) if sentence]
    found |= run_of(args.split, whole, drawn.prints)
    found["seconds"] = round(time.monotonic() - began)
    print(report.tables(found))
    whole_split = args.split == "heldout" and count == 2 * len(people)
    if args.out or (whole_split and args.weights is None):
        path = report.write(args.out, _command(args), found, drawn.sheet, real.sheet)
        print(f"wrote {path.name}", file=sys.stderr)
    print(json.dumps(found))


def _command(args: argparse.Namespace) -> str:
    """What to type to get this result again."""
    command = f"python -m benchmarks.quality --split {args.split}"
    command += f" --size {args.size}" if args.size else ""
    command += f" --weights {args.weights.name}" if args.weights else ""
    command += " --ablations" if args.ablations or args.ablation_weights else ""
    return command + (" --through-words" if args.through_words else "")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=quality.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--split", choices=scenes.SPLITS, default="heldout")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument(
        "--weights",
        type=Path,
        help="other weights than those that ship; a result file then only with --out",
    )
    parser.add_argument("--size", type=int, help="size of the network, 256 or 512")
    parser.add_argument("--scenes", type=int, default=_ALL, help="only the first so many of each")
    parser.add_argument("--out", type=common.file_path, help="where the result file goes")
    parser.add_argument(
        "--ablations", action="store_true", help="rows without IIP, LBE and text too"
    )
    parser.add_argument(
        "--through-words",
        action="store_true",
        help="a row where each plan is said in words to the planner that serves, too",
    )
    parser.add_argument(
        "--ablation-weights",
        type=Path,
        metavar="DIR",
        help="folder of without_iip.safetensors, without_lbe.safetensors, without_text.safetensors",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="look for the classical filters' best settings instead, on validation persons",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
