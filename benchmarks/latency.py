"""Added delay, frames per second and freshness of one user's stream, and whether the delay grows.

``python -m benchmarks.latency --size 1280x720 --fps 30 --seconds 10``. The last line is JSON.

* ``added_ms``: from the last packet of a frame arriving at the service to the last packet of the
  same frame, retouched, leaving it; both stamped at the service's own connection. Its floor is one
  decode and one encode (the pass-through row).
* ``round_trip_ms``: the same frame at the client's socket, last packet out to last packet back.
* ``fps``: whole frames that came back in the measured time, a second; its ceiling is ``--fps``.
* ``fresh_share``: share of frames whose edit came from their own crop; frames in which no face was
  found do not count as fresh. ``dropped`` frames never came back, ``reused`` ones left with an
  earlier edit.
* ``slope_ms_per_s``: growth of ``added_ms`` over the run, least squares.

The server runs as its own process through `stream_retouch.cli`, with the parts of ``make run``. The
client sends an encoded clip with a face in every frame, and decodes after the run: returned frames
are matched to sent ones by RTP time stamp, and each match is checked against the frame number in
the picture. Stock aiortc with an identity filter runs through the same client.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks import report
from benchmarks.clip import Clip, encoded
from benchmarks.figures import constant_offset, growth, longest_gap_ms, matched, percentiles
from benchmarks.light_client import LightClient, Recording, offer_over_http
from benchmarks.packet_log import PacketLog, frames_of
from benchmarks.server_process import cpu_seconds, metrics_of, server

INSTRUCTION = "remove all blemishes"
WARM_UP_S = 2.0
"""After the look is shown: the encoder's rate and the face tracker have settled."""
SERVICE = "benchmarks.measured_service"
STOCK = "benchmarks.stock_server"
_FRAMES = "stream_retouch_frames_total{%s}"
_STAGE = "stream_retouch_stage_seconds_%s{%s}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one row asks for."""

    name: str
    module: str
    arguments: tuple[str, ...]
    say: str | None = None
    enable: bool | None = None
    has_metrics: bool = True
    again: tuple[str, ...] = ()
    """Instructions that are given while it is measured, one a second in turn."""


class _Probe:
    """Counters of the server and its processor time, at the beginning and at the end."""

    def __init__(self, url: str, pid: int, has_metrics: bool) -> None:
        self._url, self._pid, self._has_metrics = url, pid, has_metrics
        self.counts: list[dict[str, float]] = []
        self.cpu_s: list[float | None] = []
        self.client_cpu_s: list[float] = []

    async def __call__(self) -> None:
        self.cpu_s.append(cpu_seconds(self._pid))
        self.client_cpu_s.append(time.process_time())
        if self._has_metrics:
            async with httpx.AsyncClient(timeout=10) as http:
                self.counts.append(metrics_of((await http.get(self._url + "/metrics")).text))

    def grown(self, name: str) -> float:
        """How much a counter grew in the measured time."""
        first, last = self.counts[0], self.counts[-1]
        return last.get(name, 0.0) - first.get(name, 0.0)


async def record(clip: Clip, url: str, plan: Plan, seconds: float, probe: _Probe) -> Recording:
    """Runs the client once against the server at `url`."""
    client = LightClient(clip)
    try:

        async def answer_to(offer: str) -> str:
            return (await offer_over_http(url, offer))[0]

        await client.connect(answer_to)
        return await client.measure(
            seconds,
            WARM_UP_S,
            say=plan.say,
            enable=plan.enable,
            probe=probe,
            again=plan.again,
        )
    finally:
        await client.close()


def run_row(clip: Clip, plan: Plan, seconds: float) -> report.Row:
    """Starts the server of one row, measures it, stops it."""
    with server(plan.module, plan.arguments) as process:
        probe = _Probe(process.url, process.pid, plan.has_metrics)
        recording = asyncio.run(record(clip, process.url, plan, seconds, probe))
        log = process.stop()
    row = delays(plan.name, recording, log)
    row.figures["cpu_percent"] = _percent(probe.cpu_s, recording)
    row.figures["client_cpu_percent"] = _percent(probe.client_cpu_s, recording)
    if plan.has_metrics:
        row.figures |= frame_counts(probe, is_on=plan.enable is not False)
        row.figures["added_ms_p50_as_the_service_says"] = _said(recording, "stats", "added_ms")
        row.figures["instruction_to_frame_ms"] = (
            None if plan.say is None else _said(recording, "applied", "took_ms")
        )
    return row


def _percent(used_s: Sequence[float | None], recording: Recording) -> float | None:
    """Processor time between the two probes, percent of one core."""
    first, last = used_s[0], used_s[-1]
    if first is None or last is None:
        return None
    return round(100 * (last - first) / (recording.end - recording.begin), 1)


def _said(recording: Recording, kind: str, value: str) -> Any:
    """What the service's last message of that kind before the end says; None without one."""
    said = [m for m in recording.messages if m["type"] == kind and m["at"] < recording.end]
    return said[-1][value] if said else None


def delays(name: str, recording: Recording, log: PacketLog) -> report.Row:
    """What the two packet logs say of the frames sent in the measured time."""
    offset = constant_offset(
        {frame.timestamp: frame.number for frame in recording.sent},
        {frame.timestamp: frame.number for frame in recording.returned if frame.number is not None},
    )
    if offset is None:
        raise RuntimeError(f"{name}: no returned frame could be recognised; is video coming back?")
    sent = [f for f in recording.sent if recording.begin <= f.at < recording.end]
    back = {frame.timestamp: frame for frame in recording.returned}
    came = {frame.timestamp: frame.last_at for frame in frames_of(log.came)}
    left = {frame.timestamp: frame.last_at for frame in frames_of(log.went)}
    pairs = matched((frame.timestamp for frame in sent), back, offset)
    row = report.Row(name, {})
    round_trip, uplink = [], []
    wrong = unread = 0
    for frame in sent:
        out = pairs.get(frame.timestamp)
        if out is None:
            continue
        round_trip.append((back[out].at - frame.at) * 1000)
        unread += back[out].number is None
        wrong += back[out].number not in (None, frame.number)
        if frame.timestamp in came and out in left:
            row.times_s.append(frame.at - recording.begin)
            row.added_ms.append((left[out] - came[frame.timestamp]) * 1000)
            uplink.append((came[frame.timestamp] - frame.at) * 1000)
    arrivals = [f.at for f in recording.returned if recording.begin <= f.at < recording.end]
    row.figures = {
        "fps": round(len(arrivals) / (recording.end - recording.begin), 2),
        "added_ms": percentiles(row.added_ms),
        "round_trip_ms": percentiles(round_trip),
        "uplink_ms": percentiles(uplink),
        **growth(row.times_s, row.added_ms),
        "longest_gap_ms": longest_gap_ms(arrivals),
        "sent": len(sent),
        "not_returned": len(sent) - len(pairs),
        "numbers_wrong": wrong,
        "numbers_unread": unread,
        "key_requests": recording.key_requests,
        "client_late_ms": percentiles(recording.late_ms),
    }
    return row


def frame_counts(probe: _Probe, is_on: bool) -> dict[str, Any]:
    """What the service counted in the measured time; no shares when the filter is off."""
    kinds = ("fresh", "reused", "late", "passed", "bypassed", "failed")
    counts = {kind: round(probe.grown(_FRAMES % kind)) for kind in kinds}
    seen = sum(counts.values()) if is_on else 0
    stages = {}
    for stage in ("prepare", "engine", "wait", "finish"):
        calls = probe.grown(_STAGE % ("count", stage))
        spent = probe.grown(_STAGE % ("sum", stage))
        stages[stage] = round(spent / calls * 1000, 2) if calls else None
    return {
        **counts,
        "dropped": round(probe.grown(_FRAMES % "dropped")),
        "fresh_share": round(counts["fresh"] / seen, 4) if seen else None,
        "face_share": round(1 - counts["passed"] / seen, 4) if seen else None,
        "stage_mean_ms": stages,
    }


def plans(args: argparse.Namespace) -> list[Plan]:
    """The rows that were asked for; ours first."""
    serve: tuple[str, ...] = ("--", "serve", "--port", "0", "--log-level", "warning")
    if args.engine != "passthrough":
        serve += ("--engine", args.engine)
    delay = ("--engine-delay-ms", str(args.engine_delay_ms)) if args.engine_delay_ms else ()
    off = Plan("pass-through", args.service, serve, enable=False)
    rows = []
    if args.engine != "passthrough":
        rows.append(Plan("retouching", args.service, delay + serve, say=args.say))
    if args.rows == "all" or not rows:
        rows.append(off)
    if args.rows == "all":
        slow = ("--delay-ms", str(args.engine_delay_ms)) if args.engine_delay_ms else ()
        rows.append(Plan("stock aiortc", STOCK, slow, has_metrics=False))
    return rows


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--size", type=report.picture_size(4), default=(1280, 720), metavar="WxH")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--engine", default="openvino", help="openvino, eager or passthrough")
    parser.add_argument(
        "--engine-delay-ms", type=float, default=0.0, help="every engine call takes so much longer"
    )
    parser.add_argument("--codec", choices=("h264", "vp8"), default="h264")
    parser.add_argument("--rows", choices=("all", "ours"), default="all")
    parser.add_argument("--say", default=INSTRUCTION, help=f"instruction (default {INSTRUCTION!r})")
    parser.add_argument(
        "--out", type=report.file_path, help="result file (default in benchmarks/results)"
    )
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    parser.add_argument(
        "--service", default=SERVICE, metavar="MODULE", help="starts the service (to try parts)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures every row, prints the table and then one line of JSON."""
    args = parse(argv)
    width, height = args.size
    clip = encoded(width, height, args.fps, args.codec)
    rows = []
    for plan in plans(args):
        print(f"measuring {plan.name} for {args.seconds:g} s ...", file=sys.stderr, flush=True)
        rows.append(run_row(clip, plan, args.seconds))
    command = "python -m benchmarks.latency " + " ".join(sys.argv[1:] if argv is None else argv)
    result = report.result(rows, args)
    print(report.table(rows))
    if not args.no_file:
        written = report.write(args.out, command.strip(), rows, result)
        print(f"\nwritten to {written}")
    print(report.last_line(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
