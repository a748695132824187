"""The row ``ours through words``: each plan is said in words, and what the planner makes of them drives the network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.planners import class_of
from benchmarks.language.played import play
from benchmarks.quality.ours import Answer, Row
from benchmarks.quality.words import example, said
from stream_retouch.engine import Planner
from stream_retouch.language.plan import InstructionPlan, plan_to_json
from training.language.plan_scoring import is_right

NAME = "ours through words"
SEED = 20270105
"""Of the wordings."""
WITHIN: tuple[tuple[str, float], ...] = (
    ("masked_psnr_gain_db", 0.3),
    ("named_removed", 0.02),
    ("unnamed_changed", 0.02),
)
"""How far the row may lie from the one that the plans drive, on either side."""


@dataclass(slots=True, eq=False)
class ThroughWords:
    """Our row with a planner before it; every plan is the first turn of a dialogue of its own."""

    row: Row
    planner: Planner
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))
    plans: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)
    """What was said where another plan came back, and that plan."""

    def __post_init__(self) -> None:
        # a count of its own; engine, conditioner and finder are shared
        self.row = replace(self.row, faces_missed=0)

    @property
    def name(self) -> str:
        """Of the row."""
        return NAME

    @property
    def faces_missed(self) -> int:
        """Pictures in which no face was found."""
        return self.row.faces_missed

    @property
    def weights(self) -> str:
        """Those of the network, and who understands."""
        return f"{self.row.weights}, planner {class_of(self.planner).partition(':')[2]}"

    def retouch(self, picture: NDArray[np.uint8], plan: InstructionPlan) -> Answer:
        """As the row, with the plan that comes back instead of `plan`."""
        return self.row.retouch(picture, self.understood(plan))

    def understood(self, plan: InstructionPlan) -> InstructionPlan:
        """What becomes of a plan that is said; the next wording is drawn, and the plan counted."""
        text = said(plan, self.rng)
        found = play([text], self.planner, None).plan
        self.plans += 1
        if not is_right(plan_to_json(found), example(plan)):
            self.wrong.append({"said": text, "understood": plan_to_json(found)})
        return found

    def figures(self, table: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """How many plans came back right, and how far the row lies from the first of `table`'s ours."""
        right = self.plans - len(self.wrong)
        return {
            "planner_class": class_of(self.planner),
            "plans": self.plans,
            "plans_right": right,
            "plan_accuracy": round(right / self.plans, 4) if self.plans else None,
            "difference": differences(table),
            "wrong": self.wrong,
        }


def differences(rows: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """The row through words less the one that the plans drive; None for what no scene asked."""
    found: dict[str, float | None] = {}
    for key, _ in WITHIN:
        ours, words = rows["ours"].get(key), rows[NAME].get(key)
        found[key] = None if ours is None or words is None else round(words - ours, 4)
    return found


def holds(rows: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """For each measured bound whether it holds; empty without the row."""
    if NAME not in rows:
        return {}
    found = differences(rows)
    return {
        f"{key}_through_words": abs(apart) <= within
        for key, within in WITHIN
        if (apart := found[key]) is not None
    }


def table(found: dict[str, Any]) -> str:
    """The row's figures as Markdown; empty without it."""
    if "through_words" not in found:
        return ""
    own = found["through_words"]
    verdicts = holds(found["rows"])
    lines = [
        "| through words, less plan-driven | difference | within | holds |",
        "|---|---:|---:|---|",
    ]
    for key, within in WITHIN:
        apart = own["difference"][key]
        held = {True: "yes", False: "**no**", None: "-"}[verdicts.get(f"{key}_through_words")]
        shown = "-" if apart is None else f"{apart:+.4f}"
        lines.append(f"| `{key}` | {shown} | {within:g} | {held} |")
    wrong = "; ".join(w["said"] for w in own["wrong"])
    right = f"{own['plans_right']} of {own['plans']} plans came back right from words"
    return "\n".join(lines) + f"\n\n{right}{'. Not: ' + wrong if wrong else '.'}"
