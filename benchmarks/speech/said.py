"""The sentences that are spoken: short English turns of the held-out instructions, drawn by a fixed seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.speech.slots import slots
from training.language.spoken import words_said

HELD_OUT = Path(__file__).parents[2] / "tests" / "data" / "instructions_heldout.jsonl"
SPOKEN_KINDS = (
    "simple",
    "synonym",
    "region",
    "multi",
    "keep",
    "negation",
    "amount",
    "undo_reset",
    "dialogue",
)
"""Kinds that people say; the others are misspelt, in another language, long, or not for this filter."""
MOST_WORDS = 12
SEED = 8

MEETING = (
    "can everybody see my screen",
    "i think we should ship it on friday",
    "let us move on to the next item",
    "sorry i was on mute",
    "what do you think about the budget",
    "i will send you the notes after the call",
    "the numbers look good this quarter",
    "could you repeat the last question",
    "we need two more weeks for testing",
    "my connection is a little slow today",
    "let me share the document with you",
    "thanks everybody see you tomorrow",
)
"""What people say in a meeting while the button is not held."""


def instructions(path: Path, count: int, seed: int = SEED) -> list[str]:
    """`count` different sentences, or all there are when there are fewer."""
    found: dict[str, None] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if item["kind"] in SPOKEN_KINDS:
            for turn in item["turns"]:
                if turn.isascii() and len(words_said(turn)) <= MOST_WORDS and slots(turn):
                    found[turn] = None
    every = list(found)
    order = np.random.default_rng(seed).permutation(len(every))
    return [every[i] for i in order[:count]]
