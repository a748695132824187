"""``python -m benchmarks.loss``: measures, prints a table, and JSON as the last line.

What each scenario and figure means stands in the package's docstring.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import httpx

from benchmarks import loss
from benchmarks import report as common
from benchmarks.clip import pictures
from benchmarks.latency import SERVICE, STOCK
from benchmarks.loss import report
from benchmarks.loss.caller import NAMES
from benchmarks.loss.camera import Picture
from benchmarks.loss.measured import figures, pauses_of
from benchmarks.loss.run import AFTER_S, WARM_UP_S, Plan, run
from benchmarks.loss.scenarios import SCENARIOS
from benchmarks.loss.shim import DIRECTIONS
from benchmarks.server_process import server

LOOP_FRAMES = 90
"""Pictures of the camera's loop."""
START_S = 5.0
"""What starting and stopping a server takes, about."""
ROWS = ("ours", "stock")
_SERVE = ("--", "serve", "--port", "0", "--log-level", "warning")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    plans = [
        (
            row,
            Plan(scenario, way, args.seconds, args.fps, args.codec, args.seed, _enable(row, args)),
        )
        for scenario in args.scenarios
        for way in args.directions
        for row in args.rows
    ]
    each_s = args.seconds + WARM_UP_S + AFTER_S + START_S
    _say(f"{len(plans)} runs, about {len(plans) * each_s / 60:.1f} minutes")
    loop = list(pictures(args.size[0], args.size[1], LOOP_FRAMES))
    runs: list[report.Measured] = []
    for count, (row, plan) in enumerate(plans, 1):
        began = time.monotonic()
        _say(f"[{count}/{len(plans)}] {plan.scenario}, {plan.direction}, {row} ...")
        try:
            runs.append(_measure(loop, row, plan, args))
        except (RuntimeError, TimeoutError, httpx.HTTPError) as problem:
            _say(f"    this run is left out: {problem or type(problem).__name__}")
            continue
        left_s = (len(plans) - count) * (time.monotonic() - began)
        _say(f"    {report.short(runs[-1])}; {left_s / 60:.1f} minutes left")
    if not runs:
        return 1
    result = report.result(runs, args)
    print(report.tables(runs))
    if not args.no_file:
        words = " ".join(sys.argv[1:] if argv is None else argv)
        command = f"python -m benchmarks.loss {words}".strip()
        _say(f"wrote {report.write(args.out, command, runs, result)}")
    print(common.last_line(result))
    return 0 if len(runs) == len(plans) else 1


def _measure(
    loop: Sequence[Picture], row: str, plan: Plan, args: argparse.Namespace
) -> report.Measured:
    """One run against a server of its own.

    Raises:
        RuntimeError, TimeoutError, httpx.HTTPError: it does not start, or does not connect.
    """
    module, arguments = (STOCK, ()) if row == "stock" else (args.service, _serve(args))
    with server(module, arguments) as process:
        seen = asyncio.run(run(loop, process.url, plan))
    return report.Measured(row, plan.scenario, plan.direction, figures(seen), pauses_of(seen))


def _serve(args: argparse.Namespace) -> tuple[str, ...]:
    return _SERVE if args.engine == "passthrough" else (*_SERVE, "--engine", args.engine)


def _enable(row: str, args: argparse.Namespace) -> bool | None:
    return None if row == "stock" else args.engine != "passthrough"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loss",
        description=loss.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="of each run (default 120)")
    parser.add_argument(
        "--scenarios", type=_chosen(SCENARIOS), default=list(SCENARIOS), metavar="A,B,..."
    )
    parser.add_argument("--rows", type=_chosen(ROWS), default=list(ROWS), metavar="ours,stock")
    parser.add_argument(
        "--directions", type=_chosen(DIRECTIONS), default=list(DIRECTIONS), metavar="A,B"
    )
    parser.add_argument("--size", type=common.picture_size(4), default=(1280, 720), metavar="WxH")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--codec", choices=tuple(NAMES), default="h264")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument(
        "--engine",
        default="passthrough",
        help="passthrough (the filter is off, the default), or an engine of `serve` with it on",
    )
    parser.add_argument(
        "--out", type=common.file_path, help="result file (default in benchmarks/results)"
    )
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    parser.add_argument(
        "--service", default=SERVICE, metavar="MODULE", help="starts the service (to try parts)"
    )
    args = parser.parse_args(argv)
    if args.seconds < 5:
        parser.error("--seconds must be at least 5")
    return args


def _chosen(known: Any) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
