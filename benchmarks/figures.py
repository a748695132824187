"""From moments to figures: percentiles, growth, and which returned frame is which sent one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

WRAP = 1 << 32
"""RTP time stamps are modulo this."""


def percentiles(samples: Sequence[float]) -> dict[str, float | None]:
    """p50, p95, p99 and max, rounded to 0.01; None each without samples.

    A percentile is a sample, the one at that share of the way from least to greatest.
    """
    ranked = sorted(samples)

    def at(share: float) -> float | None:
        return round(ranked[round(share * (len(ranked) - 1))], 2) if ranked else None

    return {"p50": at(0.50), "p95": at(0.95), "p99": at(0.99), "max": at(1.0)}


def slope(times_s: Sequence[float], values: Sequence[float]) -> float | None:
    """Growth of `values` a second, least squares; None with fewer than two different times."""
    if len(set(times_s)) < 2:
        return None
    return float(np.polyfit(np.subtract(times_s, times_s[0]), values, 1)[0])


def growth(times_s: Sequence[float], values: Sequence[float]) -> dict[str, float | None]:
    """Whether a delay grows: its slope, and p95 of the first and the last third of the time."""
    rate = slope(times_s, values)
    first: list[float] = []
    last: list[float] = []
    if len(times_s):
        start, third = min(times_s), (max(times_s) - min(times_s)) / 3
        pairs = list(zip(times_s, values, strict=True))
        first = [value for at, value in pairs if at <= start + third]
        last = [value for at, value in pairs if at >= start + 2 * third]
    return {
        "slope_ms_per_s": None if rate is None else round(rate, 3),
        "p95_first_third": percentiles(first)["p95"],
        "p95_last_third": percentiles(last)["p95"],
    }


def longest_gap_ms(times_s: Sequence[float]) -> float | None:
    """Longest time between two neighbours, milliseconds; None with fewer than two."""
    ordered = sorted(times_s)
    gaps = [b - a for a, b in zip(ordered, ordered[1:], strict=False)]
    return round(max(gaps) * 1000, 1) if gaps else None


def constant_offset(sent: Mapping[int, int], returned: Mapping[int, int]) -> int | None:
    """What the server adds to every RTP time stamp, modulo 2**32; None when nothing matches.

    Both map RTP time stamps to the number in the picture. A number may come again (the clip loops),
    so each returned frame votes for every sent one that carries its number, and the most votes win:
    sent stamps are not quite regular, so only the true constant fits them all.
    """
    stamps: dict[int, list[int]] = {}
    for timestamp, number in sent.items():
        stamps.setdefault(number, []).append(timestamp)
    votes = Counter(
        (out - timestamp) % WRAP
        for out, number in returned.items()
        for timestamp in stamps.get(number, ())
    )
    return max(votes, key=lambda offset: votes[offset]) if votes else None


def matched(sent: Iterable[int], returned: Iterable[int], offset: int) -> dict[int, int]:
    """Sent time stamp -> returned one, for those that came back."""
    there = set(returned)
    pairs = ((timestamp, (timestamp + offset) % WRAP) for timestamp in sent)
    return {timestamp: out for timestamp, out in pairs if out in there}
