"""``python -m benchmarks.load``: measures, prints a table, and JSON as the last line.

What each figure means stands in the package's docstring.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence

from benchmarks import load
from benchmarks import report as common
from benchmarks.clip import Clip, encoded
from benchmarks.latency import INSTRUCTION, SERVICE, STOCK
from benchmarks.light_client import offer_over_http
from benchmarks.load import report
from benchmarks.load.measured import row
from benchmarks.load.processor import Meter
from benchmarks.load.users import Plan, call
from benchmarks.load.viewers import as_seen, broadcast
from benchmarks.report import Row
from benchmarks.server_process import server
from engines.choice import processes as usual_processes
from stream_retouch.service.load import usable_cores

MOST_USERS = 64
"""Where ``...`` ends if nobody is refused before."""
VIEWER_JOIN_S = 0.3
"""Between one viewer and the next, seconds."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    width, height = args.size
    clip = encoded(width, height, args.fps, "h264")
    rows = [*_user_rows(clip, args), *_viewer_rows(clip, args)]
    result = report.result(rows, args)
    print(report.table(rows))
    if not args.no_file:
        words = " ".join(sys.argv[1:] if argv is None else argv)
        written = report.write(args.out, f"python -m benchmarks.load {words}".strip(), rows, result)
        _say(f"wrote {written}")
    print(common.last_line(result))
    return 0


def _user_rows(clip: Clip, args: argparse.Namespace) -> Iterator[Row]:
    numbers, goes_on = args.users
    counts = list(numbers)
    while counts:
        count = counts.pop(0)
        refused = 0
        if "ours" in args.rows:
            ours = _measure_users(clip, count, args, stock=False)
            refused = ours.figures["refused"]
            yield ours
        if "stock" in args.rows:
            yield _measure_users(clip, count, args, stock=True)
        if goes_on and not counts and not refused and count < MOST_USERS and "ours" in args.rows:
            counts.append(count + 1)


def _viewer_rows(clip: Clip, args: argparse.Namespace) -> Iterator[Row]:
    for count in args.viewers:
        yield _measure_viewers(clip, count, args)


def _measure_users(clip: Clip, count: int, args: argparse.Namespace, *, stock: bool) -> Row:
    """One row against a server of its own."""
    people = "1 user" if count == 1 else f"{count} users"
    name = f"{people}, stock aiortc" if stock else people
    _say(f"measuring {name} ...")
    plan = Plan(count, args.seconds, args.join_s, None if stock else args.say)
    with server(STOCK if stock else args.service, () if stock else _serve(args)) as process:
        meter = Meter(process.url, process.pid, has_metrics=not stock)
        users, refused = asyncio.run(call(_door(process.url), clip, plan, meter))
        log = process.stop()
    return row(name, "stock" if stock else "ours", users, refused, log, meter.figures())


def _measure_viewers(clip: Clip, count: int, args: argparse.Namespace) -> Row:
    name = f"{count} viewers of one stream"
    _say(f"measuring {name} ...")
    plan = Plan(count, args.seconds, VIEWER_JOIN_S, args.say)
    with server(args.service, _serve(args)) as process:
        meter = Meter(process.url, process.pid, has_metrics=True)
        seen = asyncio.run(broadcast(process.url, clip, plan, meter))
        log = process.stop()
    viewers = [as_seen(seen.publisher, viewer) for viewer in seen.viewers]
    found = row(name, "viewers", viewers, seen.refused, log, meter.figures())
    found.figures["fresh_share"] = meter.fresh_share()  # the publisher's, who has no channel
    return found


def _door(url: str) -> Callable[[str], Awaitable[str]]:
    async def answer_to(offer: str) -> str:
        return (await offer_over_http(url, offer))[0]

    return answer_to


def _serve(args: argparse.Namespace) -> tuple[str, ...]:
    serve = ("--", "serve", "--port", "0", "--log-level", "warning")
    serve = (*serve, "--processes", str(args.processes))
    return serve if args.engine == "passthrough" else (*serve, "--engine", args.engine)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description=load.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--users",
        type=_users,
        default=None,
        metavar="N,M,...",
        help="rows with so many users; a literal ... at the end goes on until one is refused",
    )
    parser.add_argument(
        "--viewers", type=_numbers, default=[], metavar="N,M", help="rows with so many viewers"
    )
    parser.add_argument("--rows", type=_rows, default=["ours", "stock"], metavar="ours,stock")
    parser.add_argument("--seconds", type=float, default=12.0, help="measured (default 12)")
    parser.add_argument(
        "--join-s", type=float, default=2.0, help="between one user and the next (default 2)"
    )
    parser.add_argument("--size", type=common.picture_size(4), default=(1280, 720), metavar="WxH")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument(
        "--engine", default="openvino", help="an engine of `serve`; passthrough: nothing is said"
    )
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="of the service (default: as many as where a network can come in)",
    )
    parser.add_argument("--say", default=INSTRUCTION, help=f"instruction (default {INSTRUCTION!r})")
    parser.add_argument(
        "--out", type=common.file_path, help="result file (default in benchmarks/results)"
    )
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    parser.add_argument(
        "--service", default=SERVICE, metavar="MODULE", help="starts the service (to try parts)"
    )
    args = parser.parse_args(argv)
    if args.processes is None:
        # As on a network: on this machine alone the service would do with one.
        args.processes = usual_processes(args.engine, usable_cores())
    if args.users is None:
        args.users = ([], False) if args.viewers else ([1, 2], True)
    if args.engine == "passthrough":
        args.say = None
    if args.seconds < 3:
        parser.error("--seconds must be at least 3")
    return args


def _users(text: str) -> tuple[list[int], bool]:
    goes_on = text.endswith("...")
    return _numbers(text.removesuffix("...").strip(",")), goes_on


def _numbers(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"must be like 2 or 1,2,3, not {text!r}")
    return found


def _rows(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= {"ours", "stock"}:
        raise argparse.ArgumentTypeError(f"must be ours, stock or both, not {text!r}")
    return names


if __name__ == "__main__":
    sys.exit(main())
