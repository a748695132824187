"""The development set played through the dialogue that serves, and scored as the instruction schema says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from engines.language.decoding import decoded
from engines.language.network import PlannerNet
from engines.language.text import TurnPieces
from stream_retouch.language.dialogue import advance
from stream_retouch.language.grammar import answered
from stream_retouch.language.plan import Dialogue, plan_to_json
from stream_retouch.language.program import reading
from training.language.banks import HERE
from training.language.plan_scoring import is_right


@cache
def development() -> tuple[dict[str, Any], ...]:
    """Items of the development set."""
    lines = (HERE / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines if line.strip())


def accuracy(model: PlannerNet, pieces: TurnPieces, every: int = 1) -> dict[str, float]:
    """Share of right plans: ``all``, ``typed``, ``spoken`` and the lowest kind with at least ten items.

    Args:
        every: only one item in so many, for a quick look.
    """
    marks: dict[str, list[bool]] = {}
    for item in development()[::every]:
        dialogue = Dialogue()
        for turn in item["turns"]:
            later = bool(dialogue.turns)
            words = pieces.numbers(turn, later, model.config.most_words)
            plan, _ = answered(reading(decoded(model, words, later).ops), dialogue)
            dialogue = advance(dialogue, turn, plan)
        marks.setdefault(item["kind"], []).append(is_right(plan_to_json(plan), item))
    spoken = marks.get("spoken_errors", [])
    typed = [m for kind, found in marks.items() if kind != "spoken_errors" for m in found]
    lowest = min((sum(m) / len(m) for m in marks.values() if len(m) >= 10), default=0.0)
    figures = {"all": [*typed, *spoken], "typed": typed, "spoken": spoken}
    shares = {name: round(sum(m) / max(len(m), 1), 4) for name, m in figures.items()}
    return {**shares, "lowest": round(lowest, 4)}
