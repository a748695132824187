"""What of a sentence must survive the recogniser: the set of its keyword classes, and the word error rate."""

from __future__ import annotations

from training.distance import distance
from training.language.keywords import slots
from training.language.spoken import words_said

__all__ = ["slots", "word_errors"]


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Words put in, left out or changed, and the number of words that were said."""
    wanted, got = words_said(said), words_said(heard)
    return distance(wanted, got), len(wanted)
