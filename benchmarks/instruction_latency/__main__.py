"""``python -m benchmarks.instruction_latency``: measures, prints tables, and JSON as the last line.

What each figure means stands in the package's docstring.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import httpx

from benchmarks import instruction_latency
from benchmarks import report as common
from benchmarks.clip import Clip, encoded
from benchmarks.instruction_latency import report
from benchmarks.instruction_latency.measured import figures, measured
from benchmarks.instruction_latency.talking import ASKS, Talk, TalkingClient
from benchmarks.latency import SERVICE, delays
from benchmarks.light_client import offer_over_http
from benchmarks.packet_log import PacketLog
from benchmarks.server_process import metrics_of, server

_SECONDS = "stream_retouch_instruction_seconds"


class _Metrics:
    """The service's own time of an instruction, between two calls."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pages: list[dict[str, float]] = []

    async def __call__(self) -> None:
        async with httpx.AsyncClient(timeout=10) as http:
            self._pages.append(metrics_of((await http.get(self._url + "/metrics")).text))

    def mean_ms(self) -> float | None:
        """Mean of `stream_retouch_instruction_seconds`; None when it has counted nothing."""
        first, last = self._pages[0], self._pages[-1]
        count, total = (
            last.get(f"{_SECONDS}_{what}", 0.0) - first.get(f"{_SECONDS}_{what}", 0.0)
            for what in ("count", "sum")
        )
        return round(total / count * 1000, 1) if count else None


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    clip = encoded(args.size[0], args.size[1], args.fps, args.codec)
    try:
        talk, log, mean_ms = _run(clip, args)
    except RuntimeError as problem:
        print(f"\nbenchmarks.instruction_latency: {problem}", file=sys.stderr)
        return 1
    runs = measured(talk)
    found: dict[str, Any] = {
        **figures(runs),
        "metric_mean_ms": mean_ms,
        "video": delays("talking", talk.recording, log).figures,
        "engine": args.engine,
        "codec": args.codec,
        "size": "{}x{}".format(*args.size),
        "camera_fps": args.fps,
        "hardware": common.hardware(),
        "versions": common.versions(),
        "weights_sha256": common.weights(),
    }
    print(report.tables(found))
    if not args.no_file:
        words = " ".join(sys.argv[1:] if argv is None else argv)
        command = f"python -m benchmarks.instruction_latency {words}".strip()
        print(f"wrote {report.write(args.out, command, found, runs).name}", file=sys.stderr)
    print(common.last_line(found))
    return 0


def _run(clip: Clip, args: argparse.Namespace) -> tuple[Talk, PacketLog, float | None]:
    """Starts the service, talks, stops it.

    Raises:
        RuntimeError: it does not start, or does not show what it is asked for.
    """
    serve = ("--", "serve", "--port", "0", "--log-level", "warning", "--engine", args.engine)
    with server(args.service, serve) as process:
        metrics = _Metrics(process.url)
        print(f"saying {args.instructions} instructions ...", file=sys.stderr, flush=True)
        talk = asyncio.run(_talk(clip, process.url, args.instructions, metrics))
        return talk, process.stop(), metrics.mean_ms()


async def _talk(clip: Clip, url: str, count: int, metrics: _Metrics) -> Talk:
    client = TalkingClient(clip)
    try:

        async def answer_to(offer: str) -> str:
            return (await offer_over_http(url, offer))[0]

        await client.connect(answer_to)
        return await client.talk(ASKS, count, metrics)
    finally:
        await client.close()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instruction_latency",
        description=instruction_latency.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--instructions", type=int, default=20, help="texts that are measured")
    parser.add_argument("--size", type=common.picture_size(8), default=(1280, 720), metavar="WxH")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--codec", choices=("h264", "vp8"), default="h264")
    parser.add_argument(
        "--out", type=common.file_path, help="result file (default in benchmarks/results)"
    )
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    parser.add_argument(
        "--service", default=SERVICE, metavar="MODULE", help="starts the service (to try parts)"
    )
    args = parser.parse_args(argv)
    if args.instructions < 1:
        parser.error("--instructions must be at least 1")
    return args


if __name__ == "__main__":
    sys.exit(main())
