"""How busy the machine and each session are, from counters that only grow.

All sums are over a few seconds, so that one hiccup is not taken for overload. Nothing here reads a
clock; `usable_cores` reads what the system allows this process.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

MACHINE_S = 4.0
"""Figures of the machine are over this long."""
SESSION_S = 1.0
"""Figures of one session are over this long."""
LATE_MS = 60.0
"""A frame that this service delayed by so much more than it may wait for its edit is late: by default
three frames in all, and no longer unseen."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one session has done since it began."""

    frames: int = 0
    """Frames its frame thread has passed on."""
    busy_s: float = 0.0
    """How long that thread worked for them, waiting not counted, seconds of wall time."""
    timed: int = 0
    """Frames whose added delay is known."""
    late: int = 0
    """Those of them that were late, see LATE_MS."""


class EngineUse(NamedTuple):
    """How the shared engine was used since it was loaded."""

    held_s: float = 0.0
    """How long it was called, all calls together, seconds."""
    calls_at_once: int = 1
    """How many calls it takes at the same time."""
    cores_per_call: int = 1
    """CPU cores that a call keeps busy."""
    haste_s: float = 0.0
    """Processor time spent on answering earlier than others would let it, seconds."""


@dataclass(frozen=True, slots=True)
class Strain:
    """How one session did in the last SESSION_S."""

    fps: float
    late_share: float
    """0..1; 0 when no frame was timed."""
    busy: float
    """Share of the time that its frame thread worked, 0..1."""


@dataclass(frozen=True, slots=True)
class Load:
    """How the machine did in the last MACHINE_S."""

    cores: float
    """Cores in use: processor time of this process, or the working time of its frame threads and its
    engine if that is more (then others use the machine too). What the engine takes only while no other
    session wants it is not counted."""
    engine: float
    """Share of the time that the engine was called, with as many calls as it takes at once, 0..1."""
    lag_ms: float
    """How late the event loop was, mean, milliseconds."""
    late_share: float
    """Of the frames of all sessions, 0..1."""


IDLE = Load(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Sum:
    """Counters at one moment."""

    at: float
    cpu_s: float
    engine: EngineUse
    lag_ms: float
    efforts: Effort


class LoadMeter:
    """Turns counters into figures. `now` is any monotonic seconds."""

    def __init__(self) -> None:
        self._sums: deque[_Sum] = deque()
        self._all = Effort()
        self._sessions: dict[str, deque[tuple[float, Effort]]] = {}

    def note(
        self,
        now: float,
        cpu_s: float,
        engine: EngineUse,
        lag_ms: float,
        efforts: Mapping[str, Effort],
        young: Set[str] = frozenset(),
    ) -> tuple[Load, dict[str, Strain]]:
        """Takes the counters of this moment; gives the load, and the strain of each session.

        Args:
            cpu_s: processor time of this process so far.
            engine: its use so far.
            lag_ms: recent mean lag of the event loop.
            efforts: of the open sessions, by a key that is never used again.
            young: those of them whose first frames, which are always late, say nothing of the
                machine.
        """
        gone = self._sessions.keys() - efforts.keys()
        for key in gone:
            del self._sessions[key]
        # What they took is free at once, and what is done without any session (loading, above all) does not last.
        if gone or not efforts:
            self._sums.clear()
        strains = {
            key: self._strain(now, key, effort, key in young) for key, effort in efforts.items()
        }
        self._sums.append(_Sum(now, cpu_s, engine, lag_ms, self._all))
        while len(self._sums) > 2 and self._sums[1].at <= now - MACHINE_S:
            self._sums.popleft()
        return self._load(), strains

    def _strain(self, now: float, key: str, effort: Effort, is_young: bool) -> Strain:
        seen = self._sessions.setdefault(key, deque())
        if seen:
            new = _minus(effort, seen[-1][1])
            self._all = _plus(self._all, replace(new, timed=0, late=0) if is_young else new)
        seen.append((now, effort))
        while len(seen) > 2 and seen[1][0] <= now - SESSION_S:
            seen.popleft()
        since, first = seen[0]
        span_s, done = now - since, _minus(effort, first)
        if span_s <= 0:
            return Strain(0.0, 0.0, 0.0)
        return Strain(
            fps=done.frames / span_s,
            late_share=done.late / done.timed if done.timed else 0.0,
            busy=min(done.busy_s / span_s, 1.0),
        )

    def _load(self) -> Load:
        first, last = self._sums[0], self._sums[-1]
        span_s, done = last.at - first.at, _minus(last.efforts, first.efforts)
        if span_s <= 0:
            return IDLE
        called = (last.engine.held_s - first.engine.held_s) / span_s
        engine = min(called / last.engine.calls_at_once, 1.0)
        computing = called * last.engine.cores_per_call
        needed_s = last.cpu_s - first.cpu_s - (last.engine.haste_s - first.engine.haste_s)
        lags = [moment.lag_ms for moment in self._sums]
        return Load(
            cores=max(needed_s / span_s, done.busy_s / span_s + computing),
            engine=engine,
            lag_ms=sum(lags) / len(lags),
            late_share=done.late / done.timed if done.timed else 0.0,
        )


def _minus(one: Effort, other: Effort) -> Effort:
    return Effort(
        one.frames - other.frames,
        one.busy_s - other.busy_s,
        one.timed - other.timed,
        one.late - other.late,
    )


def _plus(one: Effort, other: Effort) -> Effort:
    return Effort(
        one.frames + other.frames,
        one.busy_s + other.busy_s,
        one.timed + other.timed,
        one.late + other.late,
    )


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores this process may use: its affinity, and a container's quota where there is one.

    Args:
        root: where the kernel tells of the control group (v2: ``cpu.max``; v1: ``cpu/cpu.cfs_*``).
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    for quota, period in (_cpu_max(root), _cfs(root / "cpu")):
        if quota > 0 and period > 0:
            cores = min(cores, quota / period)
    return cores


def _cpu_max(root: Path) -> tuple[float, float]:
    try:
        quota, _, period = (root / "cpu.max").read_text().strip().partition(" ")
        return float(quota), float(period)
    except (OSError, ValueError):  # no such file, or "max": no quota
        return 0.0, 0.0


def _cfs(folder: Path) -> tuple[float, float]:
    try:
        quota = (folder / "cpu.cfs_quota_us").read_text()
        return float(quota), float((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return 0.0, 0.0
