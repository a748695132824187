"""How far two rows of things are apart."""

from __future__ import annotations

from collections.abc import Sequence


def distance(said: Sequence[object], heard: Sequence[object]) -> int:
    """Least number of things put in, left out or changed that makes one row of the other (V. Levenshtein, 1966)."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]
