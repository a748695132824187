"""How many users share one engine: ``python -m benchmarks.batching --users 1,2,4,8``. The last line is JSON.

The engine is the one that ``make run`` starts, given in turns by the very code that serves (`EngineTurns`,
`EngineLane`); crops are those of the parity gate, so no camera, no codec and no frame path are in it.

* ``lone_wait_ms``: of one user with 30 crops a second, median time from handing a crop to the engine's thread to the
  beginning of the call: what sharing costs somebody who is alone.
* ``throughput_ratio``: crops a second when every user always wants one, over the same with one engine that is called by
  one at a time; the smallest of all rows with two users and more.
* ``starved``: users, of all rows, who got less than half of what the others got on the average, wanting the same.
* ``answered``: with 30 crops a second of every user, the share that was answered; the others gave way to newer ones.

``--with-conditioner`` measures one user's added delay through the whole service instead, with an instruction every
second: planner and conditioner work beside the video all the time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.clip import encoded
from benchmarks.figures import percentiles
from benchmarks.latency import INSTRUCTION, SERVICE, Plan, run_row
from engines.batching import shared
from engines.conditioner import LanguageConditioner
from engines.openvino import OpenVINOEngine
from engines.parity import Samples, samples
from stream_retouch.engine import EditLayer, RetouchEngine
from stream_retouch.errors import StreamRetouchError
from stream_retouch.language.plan import InstructionPlan, amounts
from stream_retouch.media.retouch import Job, Look
from stream_retouch.metrics import Metrics
from stream_retouch.service.engine_lane import EngineLane
from stream_retouch.service.engine_turns import EngineTurns
from stream_retouch.service.load import usable_cores
from stream_retouch.service.parts import neutral

FPS = 30
STARVED = 0.5
"""Share of the mean below which a user is starved."""
AGAIN = ("and my left cheek too", "a little less", "remove the redness", "undo", "more on the nose")
"""Instructions of --with-conditioner, in turn."""


class Observed:
    """An engine that notes when each of its calls begins."""

    def __init__(self, engine: RetouchEngine) -> None:
        self._engine, self.name, self.crop_size = engine, engine.name, engine.crop_size
        self.calls_at_once, self.crops_at_once = engine.calls_at_once, engine.crops_at_once
        self.cores_per_call = engine.cores_per_call
        self.began_s: dict[int, float] = {}
        """By the address of the crops' memory: each job has its own."""

    def retouch(self, crops: NDArray[np.uint8], *asked: Any) -> list[EditLayer]:
        """The engine's answer."""
        self.began_s[crops.ctypes.data] = time.perf_counter()
        return self._engine.retouch(crops, *asked)

    def close(self) -> None:
        """Leaves the engine open: others go on with it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What users want the engine for."""

    given: Samples
    """Real crops, taken in turn."""

    def job(self, number: int) -> Job:
        """The job of that number, with one face."""
        i = number % len(self.given.crops)
        one = slice(i, i + 1)
        look = Look(1, InstructionPlan(), amounts(InstructionPlan()), neutral(), {})
        frame = av.VideoFrame(16, 16, "yuv420p")
        return Job(
            frame, None, number / FPS, look, [], frozenset(), [],
            self.given.crops[one].copy(), self.given.requests[one], list(self.given.conditionings[one]),
        )  # fmt: skip


def saturated(engine: RetouchEngine, wanted: Wanted, users: int, seconds: float) -> list[int]:
    """Crops that each user got who asks again at once, in turns as in the service."""
    turns = EngineTurns()
    turns.allow(engine.calls_at_once)
    counts, until = [0] * users, time.perf_counter() + seconds

    def use(user: int) -> None:
        number = user
        while True:
            job = wanted.job(number)
            number += users
            turns.acquire()
            try:
                if time.perf_counter() >= until:
                    return
                engine.retouch(job.crops, job.requests, job.conditionings)
            finally:
                turns.release()
            counts[user] += 1

    with ThreadPoolExecutor(users) as threads:
        list(threads.map(use, range(users)))  # raises what a user's thread raised
    return counts


def paced(
    engine: RetouchEngine, wanted: Wanted, users: int, seconds: float
) -> tuple[list[float], list[float]]:
    """The share of each user's crops that was answered at FPS, and how long their calls waited to begin, ms.

    Users come evenly spread over a frame's time.
    """
    seen, turns = Observed(engine), EngineTurns()
    turns.allow(engine.calls_at_once)
    lanes = [
        EngineLane(seen, turns, Metrics(), f"user {i}", time.perf_counter) for i in range(users)
    ]
    for lane in lanes:
        lane.start()
    frames, answered = round(seconds * FPS), [0] * users
    put: list[tuple[Job, float]] = []  # kept, so that no two jobs have the same memory
    began = time.perf_counter()
    for number in range(frames):
        for i, lane in enumerate(lanes):
            due = began + (number + i / users) / FPS
            time.sleep(max(0.0, due - time.perf_counter()))
            answered[i] += len(lane.answers(None))
            job = wanted.job(number)
            put.append((job, time.perf_counter()))
            lane.put(job)
    time.sleep(0.2)
    for i, lane in enumerate(lanes):
        answered[i] += len(lane.answers(None))
        lane.stop()
        lane.thread.join()
    began_s = ((seen.began_s.get(job.crops.ctypes.data), at) for job, at in put)
    waits = [(began - at) * 1000 for began, at in began_s if began is not None]
    return [count / frames for count in answered], waits


def row(
    one: RetouchEngine, several: RetouchEngine, wanted: Wanted, users: int, seconds: float
) -> dict[str, Any]:
    """All figures of so many users."""
    alone = saturated(one, wanted, users, seconds)
    beside = saturated(several, wanted, users, seconds)
    shares, waits = paced(several, wanted, users, seconds)
    return {
        "users": users,
        "one_at_a_time_per_s": round(sum(alone) / seconds, 1),
        "shared_per_s": round(sum(beside) / seconds, 1),
        "ratio": round(sum(beside) / max(sum(alone), 1), 3),
        "least_of_mean": round(min(beside) / max(float(np.mean(beside)), 1e-9), 3),
        "answered": [round(share, 3) for share in shares],
        "wait_ms": percentiles(waits) if waits else None,
        "starved": starved(beside) + starved(shares),
    }


def starved(got: Sequence[float]) -> int:
    """How many got less than STARVED of the mean."""
    mean = float(np.mean(got))
    return sum(one < STARVED * mean or mean == 0 for one in got)


def summary(rows: Sequence[dict[str, Any]], engine: RetouchEngine) -> dict[str, Any]:
    """The figures of all rows."""
    waits = [row["wait_ms"]["p50"] for row in rows if row["users"] == 1 and row["wait_ms"]]
    ratios = [row["ratio"] for row in rows if row["users"] > 1]
    return {
        "lone_wait_ms": round(waits[0], 3) if waits else None,
        "throughput_ratio": min(ratios) if ratios else None,
        "starved": sum(row["starved"] for row in rows),
        "calls_at_once": engine.calls_at_once,
        "crops_at_once": engine.crops_at_once,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| users | one at a time, crops/s | shared, crops/s | ratio | least user of the mean | answered at 30 fps "
        "(least) | waited ms p50/p95 | starved |",
        "|---:" * 8 + "|",
    ]
    for r in rows:
        wait = r["wait_ms"]
        waited = "-" if wait is None else f"{wait['p50']:.2f} / {wait['p95']:.2f}"
        lines.append(
            f"| {r['users']} | {r['one_at_a_time_per_s']} | {r['shared_per_s']} | {r['ratio']:.2f} | "
            f"{r['least_of_mean']:.2f} | {min(r['answered']):.3f} | {waited} | {r['starved']} |"
        )
    return "\n".join(lines)


def measure_users(users: Sequence[int], seconds: float) -> tuple[str, dict[str, Any]]:
    """The table and the figures of so many users each."""
    wanted = Wanted(samples(LanguageConditioner.load()))
    one = OpenVINOEngine.load()
    several = shared(one.another(), usable_cores())
    rows = []
    with contextlib.closing(one), contextlib.closing(several):
        for count in users:
            print(f"measuring {count} users for {3 * seconds:g} s ...", file=sys.stderr, flush=True)
            rows.append(row(one, several, wanted, count, seconds))
    figures = {**summary(rows, several), "engine": one.name, "precision": one.precision}
    return table(rows), {**figures, "rows": rows}


def measure_words(seconds: float) -> tuple[str, dict[str, Any]]:
    """The table and the figures of one user who says something every second."""
    serve = ("--", "serve", "--port", "0", "--log-level", "warning")
    clip = encoded(1280, 720, FPS, "h264")
    rows = []
    for name, again in (("an instruction a second", AGAIN), ("none", ())):
        print(f"measuring {name} for {seconds:g} s ...", file=sys.stderr, flush=True)
        rows.append(run_row(clip, Plan(name, SERVICE, serve, INSTRUCTION, again=again), seconds))
    return report.table(rows), {
        **rows[0].figures,
        "rows": {r.name: r.figures for r in rows},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints the table and then one line of JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batching", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--users", type=_counts, default=[1, 2, 4, 8], metavar="N,N,...")
    parser.add_argument("--seconds", type=float, help="of each measurement (default 4, or 20)")
    parser.add_argument("--with-conditioner", action="store_true")
    parser.add_argument("--out", type=report.file_path, help="result file (default in results)")
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    args = parser.parse_args(argv)
    try:
        if args.with_conditioner:
            told, figures = measure_words(args.seconds or 20.0)
        else:
            told, figures = measure_users(args.users, args.seconds or 4.0)
    except StreamRetouchError as problem:
        print(f"benchmarks.batching: {problem}", file=sys.stderr)
        return 1
    command = " ".join(["python -m benchmarks.batching", *(sys.argv[1:] if argv is None else argv)])
    print(told)
    if not args.no_file:
        path = _write(args.out, args.with_conditioner, command, told, figures)
        print(f"\nwritten to {path}")
    print(json.dumps(figures))
    return 0


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of users; write 1,2,4,8, say")
    return counts


def _write(out: Path | None, words: bool, command: str, told: str, figures: dict[str, Any]) -> Path:
    values = {**figures, "hardware": report.hardware(), "versions": report.versions()}
    rows = figures["rows"]
    return report.write_file(
        out,
        "batching-with-conditioner" if words else "batching",
        "One user, an instruction every second" if words else "Users of one engine",
        command,
        [told],
        values,
        (lambda path: False) if words else (lambda path: _plot(path, rows)),
        "crops a second over users",
    )


def _plot(path: Path, rows: Sequence[dict[str, Any]]) -> bool:
    """Crops a second over users; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    users = [str(row["users"]) for row in rows]
    for key, label in (("one_at_a_time_per_s", "one at a time"), ("shared_per_s", "shared")):
        axes.plot(users, [row[key] for row in rows], "o-", label=label)
    axes.plot(users, [FPS * row["users"] for row in rows], ":", label=f"wanted at {FPS} fps")
    axes.set_xlabel("users")
    axes.set_ylabel("crops a second")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    return True


if __name__ == "__main__":
    sys.exit(main())
