"""From what was seen to the figures; the package's docstring says what each means."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.figures import percentiles
from benchmarks.loss.policies import LOST
from benchmarks.loss.run import Run

FLOW_FPS = 25
"""Frames a second from which on they flow again."""
FLOW_S = 0.5
FEEDBACK = ("nack", "pli", "fir")


def progress(run: Run) -> list[tuple[float, int]]:
    """Moment and number of every shown frame, whole and newer than all before, in order."""
    newest, found = -1, []
    for number, at in run.shown:
        if number is not None and number > newest and number in run.given:
            newest = number
            found.append((at, number))
    return found


def gaps(times: Sequence[float], begin: float, end: float, interval_s: float) -> list[float]:
    """Milliseconds from each frame to the next less an interval, in the measured time.

    What reaches over its begin or end counts with the part inside; no frame at all is one gap.
    """
    inside = [at for at in times if begin < at < end]
    edges = [begin, *inside, end]
    return [max((b - a - interval_s) * 1000, 0.0) for a, b in zip(edges, edges[1:], strict=False)]


def recovery(shown: Sequence[tuple[float, float]], event: float, end: float) -> float | None:
    """Seconds from `event` until half a second begins in which what the camera gave after the event
    is shown at 25 frames a second or more; None: never. An undisturbed call's own delay is in it.

    Args:
        shown: when each frame was shown, and when the camera gave it, in order.
        event: a moment.
        end: until when frames were watched: the half second must lie before it.
    """
    first = bisect_left(shown, event, key=lambda frame: frame[1])
    times = [at for at, _ in shown[first:]]
    for i, start in enumerate(times):
        if start + FLOW_S > end:
            return None
        if bisect_left(times, start + FLOW_S) - i >= FLOW_FPS * FLOW_S:
            return start - event
    return None


def figures(run: Run) -> dict[str, Any]:
    """The figures of a run."""
    shown = progress(run)
    times = [at for at, _ in shown]
    pauses = gaps(times, run.begin, run.end, 1 / run.fps)
    given = {n for n, at in run.given.items() if run.begin <= at < run.end - run_through(run)}
    numbers = {number for _, number in shown}
    delays = [(at - run.given[n]) * 1000 for at, n in shown if run.begin <= at < run.end]
    recoveries = recoveries_of(run)
    never = sum(r is None for r in recoveries)
    return {
        "freeze_ms_max": round(max(pauses), 1),
        "freezes_over_150_ms": sum(pause > 150 for pause in pauses),
        "recovery_s_max": _worst(run, recoveries),
        "never_recovered": never,
        "events": len(run.events),
        "fps": round(sum(run.begin <= at < run.end for at in times) / (run.end - run.begin), 2),
        "camera_missed": missed(run),
        "frames_given": len(given),
        "frames_lost": len(given - numbers),
        "frames_broken": sum(n is None and run.begin <= at < run.end for n, at in run.shown),
        "delay_ms": percentiles(delays),
        **on_the_wire(run),
    }


def missed(run: Run) -> int:
    """Frames the camera could not give in time: the client's own trouble."""
    numbers = [n for n, at in run.given.items() if run.begin <= at < run.end]
    return numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0


def run_through(run: Run) -> float:
    """Seconds before the end in which a frame that was given need not have been shown yet."""
    return min(1.0, (run.end - run.begin) / 10)


def recoveries_of(run: Run) -> list[float | None]:
    """For each event the time to recover; events in the last second are left out."""
    shown = [(at, run.given[number]) for at, number in progress(run)]
    last_s = 2 * FLOW_S
    return [recovery(shown, at, run.end + FLOW_S) for at in run.events if at < run.end - last_s]


def _worst(run: Run, recoveries: Sequence[float | None]) -> float | None:
    """The longest; one that never came counts from its event to the end of the run."""
    if not recoveries:
        return None
    return round(
        max(
            run.end - event if took is None else took
            for event, took in zip(run.events, recoveries, strict=False)
        ),
        3,
    )


def on_the_wire(run: Run) -> dict[str, Any]:
    """Packets of the measured time by kind, and the rate that arrived."""
    inside = [p for p in run.there if run.begin <= p.at < run.end]
    lost = [p for p in inside if p.extra_s is LOST]
    sent = Counter(p.kind for p in inside)
    feedback = Counter(p.kind for p in run.back if run.begin <= p.at < run.end)
    arrived = sum(p.size for p in inside if p.extra_s is not LOST and p.kind in ("video", "rtx"))
    return {
        "packets": sent["video"],
        "packets_lost": sum(p.kind == "video" for p in lost),
        "rtx": sent["rtx"],
        "rtx_lost": sum(p.kind == "rtx" for p in lost),
        **{kind: feedback[kind] for kind in FEEDBACK},
        "kbps": round(arrived * 8 / (run.end - run.begin) / 1000),
    }


def pauses_of(run: Run) -> list[tuple[float, float]]:
    """For the plot: seconds since the begin of each shown frame, and milliseconds since the one
    before it."""
    times = [at for at, _ in progress(run) if run.begin <= at < run.end]
    edges = [run.begin, *times]
    return [(b - run.begin, (b - a) * 1000) for a, b in zip(edges, times, strict=False)]
