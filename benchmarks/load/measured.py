"""From what the users saw and the service logged to one row of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.latency import delays
from benchmarks.load.users import Refused, User
from benchmarks.packet_log import PacketLog
from benchmarks.report import Row

_SHOWN = ("p50", "p95")


def row(
    name: str,
    kind: str,
    users: Sequence[User],
    refused: Sequence[Refused],
    log: PacketLog,
    cost: dict[str, float | None],
) -> Row:
    """One row.

    Args:
        name: of the row.
        kind: which rows it is compared with in the plot: ours, stock or viewers.
        log: of the service, all connections together.
        cost: what the service cost, see `Meter.figures`.
    """
    each = [one(user, log) for user in users]
    found = Row(name, {})
    found.figures = {
        "kind": kind,
        "users": len(users) + len(refused),
        "streams": len(users),
        "refused": len(refused),
        "reasons": sorted({f"{no.status}: {no.reason}" for no in refused}),
        "fps_min": min((user["fps"] for user in each), default=None),
        "fps": [user["fps"] for user in each],
        "fresh_share": least([user["fresh_share"] for user in each]),
        "fresh_shares": [user["fresh_share"] for user in each],
        "added_ms": {p: most([user["added_ms"][p] for user in each]) for p in _SHOWN},
        "added_ms_each": [user["added_ms"] for user in each],
        "longest_gap_ms": most([user["longest_gap_ms"] for user in each]),
        "rungs": [user["rung"] for user in each],
        "mixed_up": sum(user["mixed_up"] for user in each),
        "dressed": sum(user.dressed for user in users),
        **cost,
        "client_late_ms_p95": most([user["client_late_ms"] for user in each]),
    }
    return found


def one(user: User, log: PacketLog) -> dict[str, Any]:
    """The figures of one user; 0 frames a second and a gap of all the time when nothing came."""
    seen = user.recording
    nothing = {p: None for p in _SHOWN}
    try:
        own = delays("", seen, log.of(*user.sources)).figures
    except RuntimeError:  # nothing that came could be recognised
        own = {
            "fps": 0.0,
            "added_ms": nothing,
            "longest_gap_ms": round(1000 * (seen.end - seen.begin), 1),
            "numbers_wrong": 0,
            "client_late_ms": nothing,
        }
    told = [m for m in seen.messages if m["type"] == "stats" and seen.begin < m["at"] < seen.end]
    shares = [m["fresh_share"] for m in told if m.get("fresh_share") is not None]
    return {
        "fps": own["fps"],
        "added_ms": {p: own["added_ms"][p] for p in _SHOWN},
        "longest_gap_ms": own["longest_gap_ms"],
        "mixed_up": own["numbers_wrong"],
        "client_late_ms": own["client_late_ms"]["p95"],
        "fresh_share": round(sum(shares) / len(shares), 4) if shares else None,
        "rung": max((m.get("rung", 0) for m in told), default=None),
    }


def least(values: Sequence[float | None]) -> float | None:
    """The least of those that are known."""
    return min((value for value in values if value is not None), default=None)


def most(values: Sequence[float | None]) -> float | None:
    """The greatest of those that are known."""
    return max((value for value in values if value is not None), default=None)
