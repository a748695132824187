"""What a process holds at one moment, and what that says of a long run."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SETTLED_S = 300.0
"""Memory is compared from here on: caches have filled, and allocators have what they want."""
WINDOW_S = 60.0
"""Length of what is compared, which holds whole rounds of visitors."""
_POOL = "asyncio"
KINDS = ("threads", "tasks", "sockets", "files")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a process holds."""

    at_s: float
    """Since the run began."""
    rss_mb: float
    """Resident memory, 10^6 bytes."""
    threads: int
    """Less those of the event loop's own pool, which grows when it is asked twice at once, to a bound."""
    tasks: int
    """Of asyncio; not of the event loop's own making."""
    sockets: int
    files: int
    """Other open files, pipes included."""

    def held(self) -> tuple[int, ...]:
        """What can be leaked, in the order of `KINDS`."""
        return tuple(getattr(self, kind) for kind in KINDS)


def read(pid: int, log: Path, at_s: float, proc: Path = Path("/proc")) -> Counts:
    """The counts of a process now.

    Args:
        log: the file of `benchmarks.soak.service`.
        proc: where the kernel tells of processes.

    Raises:
        OSError: the process or its file is not there.
    """
    home = proc / str(pid)
    told = json.loads(log.read_text())
    pages = int((home / "statm").read_text().split()[1])
    sockets = files = 0
    for entry in (home / "fd").iterdir():
        try:
            is_socket = str(entry.readlink()).startswith("socket:")
        except OSError:  # closed meanwhile
            continue
        sockets, files = sockets + is_socket, files + (not is_socket)
    return Counts(
        at_s=at_s,
        rss_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        threads=sum(1 for _ in (home / "task").iterdir()) - told["threads"].get(_POOL, 0),
        tasks=sum(told["tasks"].values()),
        sockets=sockets,
        files=files,
    )


def read_all(pid: int, log: Path, at_s: float, proc: Path = Path("/proc")) -> Counts:
    """The counts of a service's first process and of its media processes together.

    Args:
        log: the file of the first; each of the others has one beside it, which ends with its number.

    Raises:
        OSError: the first process or its file is not there.
    """
    whole = read(pid, log, at_s, proc)
    for other in log.parent.glob(f"{log.name}.*"):
        number = other.suffix.removeprefix(".")
        if not number.isdigit():  # half written
            continue
        try:
            more = read(int(number), other, at_s, proc)
        except OSError:  # it has ended
            continue
        held = (now + then for now, then in zip(whole.held(), more.held(), strict=True))
        whole = Counts(at_s, whole.rss_mb + more.rss_mb, *held)
    return whole


def growth_mb(samples: Sequence[Counts]) -> float | None:
    """By how much memory has grown since `SETTLED_S`, 10^6 bytes; None when that is less than two windows ago."""
    if not samples or samples[-1].at_s < SETTLED_S + 2 * WINDOW_S:
        return None
    early = [c.rss_mb for c in samples if SETTLED_S <= c.at_s < SETTLED_S + WINDOW_S]
    late = [c.rss_mb for c in samples if c.at_s > samples[-1].at_s - WINDOW_S]
    return round(statistics.median(late) - statistics.median(early), 1) if early else None


def leaked(before: Counts, after: Counts) -> dict[str, int]:
    """What is there after and was not before, by kind."""
    pairs = zip(KINDS, before.held(), after.held(), strict=True)
    return {kind: max(0, now - then) for kind, then, now in pairs}
