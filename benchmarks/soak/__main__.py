"""``python -m benchmarks.soak``: lets people come and go, prints a table, and JSON as the last line.

What each figure means stands in the package's docstring.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from benchmarks import report as common
from benchmarks import soak
from benchmarks.clip import Clip, encoded
from benchmarks.server_process import ServerProcess, metrics_of, server
from benchmarks.soak import report
from benchmarks.soak.counts import Counts, leaked, read_all
from benchmarks.soak.people import People, Tally

SERVICE = "benchmarks.soak.service"
SAMPLE_S = 5.0
ALIKE = 4
"""Equal counts in a row, a sample apart, after which a service has settled."""
SETTLES_S = 90.0
"""Longest time it may take to settle: kept looks are forgotten after a minute."""
FIRST_STAY_S = 6.0


@dataclass(slots=True)
class Life:
    """What was seen of a service."""

    before: Counts
    after: Counts
    samples: list[Counts]
    left: dict[str, dict[str, int]]
    """Tasks by coroutine and threads by name, at the end."""
    tally: Tally


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    clip = encoded(*args.size, args.fps, "h264")
    serve = ("--", "serve", "--port", "0", "--log-level", "warning", "--engine", args.engine)
    serve = (*serve, "--processes", str(args.processes))
    with server(SERVICE, serve) as process:
        life = asyncio.run(_lived(process, clip, args))
    values = report.result(life, args)
    print(report.table(values))
    if not args.no_file:
        words = " ".join(sys.argv[1:] if argv is None else argv)
        command = f"python -m benchmarks.soak {words}".strip()
        _say(f"wrote {report.write(args.out, command, life, values)}")
    print(common.last_line(values))
    return 0


async def _lived(process: ServerProcess, clip: Clip, args: argparse.Namespace) -> Life:
    async with httpx.AsyncClient(timeout=20) as http:

        async def sessions() -> int:
            page = (await http.get(process.url + "/metrics")).text
            return int(metrics_of(page)["stream_retouch_sessions"])

        began = time.perf_counter()

        def counts() -> Counts:
            return read_all(process.pid, process.log_path, time.perf_counter() - began)

        people = People(process.url, clip, sessions)
        _say("everybody comes once ...")
        for visit in (people.user, people.taken_away, people.stream):
            await visit(FIRST_STAY_S)
        before = await _settled(counts, sessions, None)
        people.tally.visits.clear()
        began = time.perf_counter()
        samples: list[Counts] = []
        sampling = asyncio.create_task(_sampled(counts, samples, args.minutes))
        seconds = 60.0 * args.minutes
        await asyncio.gather(people.stay(seconds), people.visits(began + seconds))
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        _say("waiting until everybody is forgotten ...")
        after = await _settled(counts, sessions, before)
        left = json.loads(process.log_path.read_text())
        return Life(before, after, samples, left, people.tally)


async def _sampled(counts: Callable[[], Counts], samples: list[Counts], minutes: float) -> None:
    while True:
        samples.append(now := counts())
        if len(samples) % 12 == 1:
            _say(
                f"minute {now.at_s / 60:.0f} of {minutes:g}: {now.rss_mb:.0f} MB, {now.threads} threads, "
                f"{now.tasks} tasks, {now.sockets} sockets, {now.files} files"
            )
        await asyncio.sleep(SAMPLE_S)


async def _settled(
    counts: Callable[[], Counts], sessions: Callable[[], Awaitable[int]], before: Counts | None
) -> Counts:
    """The counts once nobody is there and they stay alike, or once nothing is left of what came after `before`."""
    deadline = time.perf_counter() + SETTLES_S
    last: list[tuple[int, ...]] = []
    while True:
        now = counts()
        last = [*last, now.held()][-ALIKE:]
        empty = await sessions() == 0
        if before is not None and empty and not any(leaked(before, now).values()):
            return now
        alike = len(last) == ALIKE and len(set(last)) == 1
        if (before is None and empty and alike) or time.perf_counter() > deadline:
            return now
        await asyncio.sleep(SAMPLE_S / 2)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=soak.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument(
        "--size",
        type=common.picture_size(4),
        default=(640, 360),
        metavar="WxH",
        help="of all pictures (default 640x360: there is room for visitors on two cores)",
    )
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="of the service (default 1)"
    )
    parser.add_argument("--engine", default="openvino", help="an engine of `serve`")
    parser.add_argument(
        "--out", type=common.file_path, help="result file (default in benchmarks/results)"
    )
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    args = parser.parse_args(argv)
    if not 0.5 <= args.minutes <= 24 * 60:
        parser.error("--minutes must be from 0.5 to 1440")
    return args


if __name__ == "__main__":
    sys.exit(main())
