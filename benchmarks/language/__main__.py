"""``python -m benchmarks.language --instructions FILE.jsonl``: measures, prints a table, and JSON as the last line.

What each figure means stands in the package's docstring (``python -c "import benchmarks.language as l; help(l)"``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import language
from benchmarks import report as common
from benchmarks.language import report
from benchmarks.language.instructions import Example, read
from benchmarks.language.planners import DEFAULT, PLANNERS, class_of, language_mb, load
from benchmarks.language.played import Played, play_all
from benchmarks.language.result import result
from engines.weights_file import DEFAULT_WEIGHTS
from stream_retouch.cli import NAMES, Names, load_conditioner
from stream_retouch.engine import Conditioner, Planner
from stream_retouch.errors import MediaError, StreamRetouchError, WeightsError
from stream_retouch.language.plan import plan_to_json
from stream_retouch.settings import Settings


def main(argv: Sequence[str] | None = None, names: Names = NAMES) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    try:
        _run(args, names)
    except StreamRetouchError as problem:
        print(f"\nbenchmarks.language: {problem}", file=sys.stderr)
        return 1
    return 0


def _run(args: argparse.Namespace, names: Names) -> None:
    began = time.monotonic()
    examples, sha256 = read(args.instructions)
    examples = examples[: args.limit]
    written = _written(args)
    left_out: list[str] = []
    conditioner = _conditioner(names, left_out)
    planner = load(args.planner, names)
    played = list(play_all(examples, planner, conditioner))
    found = result(examples, played, _weights_mb(planner, left_out)) | {
        "left_out": left_out,
        "planner": args.planner,
        "planner_class": class_of(planner),
        "instructions": args.instructions.name,
        "instructions_sha256": sha256,
        "limit": args.limit,
        "hardware": common.hardware(),
        "versions": common.versions(),
        "weights_sha256": common.weights(),
        "seconds": round(time.monotonic() - began),
    }
    if args.predictions:
        _write_predictions(args.predictions, examples, played)
    print(report.tables(found))
    if written is not None:
        failed = report.failures(examples, played, report.is_ours(args.instructions))
        with _writing(written):
            report.write(written, _command(args), found, failed)
        print(f"wrote {written.name}", file=sys.stderr)
    print(common.last_line(found))


def _written(args: argparse.Namespace) -> Path | None:
    """Where the result goes, None for nowhere; folders are made now, lest a run end in vain."""
    whole = args.limit is None
    path = report.file_of(args.out, args.instructions, args.planner) if args.out or whole else None
    for file in filter(None, (path, args.predictions)):
        with _writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Makes a sentence of what goes wrong."""
    try:
        yield
    except OSError as problem:
        reason = f"cannot be written ({problem.strerror}); name another place"
        raise MediaError(str(path), reason) from problem


def _conditioner(names: Names, left_out: list[str]) -> Conditioner | None:
    """What the session prepares with; None, with the reason in `left_out`, where it cannot be had."""
    try:
        return load_conditioner(Settings(), names)
    except (ImportError, WeightsError) as problem:
        left_out.append(f"prepare_ms and turn_ms ({problem})")
        return None


def _weights_mb(planner: Planner, left_out: list[str]) -> float | None:
    try:
        return language_mb(planner, DEFAULT_WEIGHTS)
    except (ImportError, WeightsError) as problem:
        left_out.append(f"language_weights_mb ({problem})")
        return None


def _write_predictions(path: Path, examples: Sequence[Example], played: Sequence[Played]) -> None:
    lines: list[dict[str, Any]] = [
        {"id": example["id"], "plan": plan_to_json(found.plan)}
        for example, found in zip(examples, played, strict=True)
    ]
    with _writing(path):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _command(args: argparse.Namespace) -> str:
    """The command line as the result shows it; of what lies elsewhere only the name."""
    path = args.instructions.resolve()
    shown = path.relative_to(report.ROOT) if report.is_ours(path) else path.name
    command = f"python -m benchmarks.language --instructions {shown}"
    command += "" if args.planner == DEFAULT else f" --planner {args.planner}"
    return command + ("" if args.limit is None else f" --limit {args.limit}")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.language",
        description=language.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--instructions", type=Path, required=True, help="JSON lines, one an item")
    parser.add_argument(
        "--predictions", type=Path, metavar="OUT.jsonl", help="write the plans that came here"
    )
    parser.add_argument(
        "--planner",
        choices=(DEFAULT, *PLANNERS),
        default=DEFAULT,
        help="default: the one that make run starts",
    )
    parser.add_argument("--limit", type=int, help="only the first so many items")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the result file (default: benchmarks/results, with --limit none)",
    )
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        parser.error("--limit must be at least 1")
    if args.predictions is not None and args.predictions.resolve() == args.instructions.resolve():
        parser.error("--predictions would overwrite --instructions; name another file")
    return args


if __name__ == "__main__":
    sys.exit(main())
