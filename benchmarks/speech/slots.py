"""What of a sentence must survive the recogniser: the set of its keyword classes, and the word error rate."""

from __future__ import annotations

from collections.abc import Sequence

from training.language.keywords import slots
from training.language.spoken import words_said

__all__ = ["slots", "word_errors"]


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Words put in, left out or changed, and the number of words that were said."""
    wanted, got = words_said(said), words_said(heard)
    return _distance(wanted, got), len(wanted)


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]
