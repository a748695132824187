"""Plans in words, and the row that is driven by what a planner makes of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks import heldout
from benchmarks.language.played import play
from benchmarks.quality.words import KINDS, NOTHING, PLACES, example, said
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    REGIONS,
    Dialogue,
    Edit,
    InstructionPlan,
    Keep,
    plan_from_json,
    plan_to_json,
)
from training.language.plan_scoring import is_right

AMOUNTS = (0.25, 0.3, 0.5, 0.6, 0.75, 0.8, 1.0)


def read_back(plan: InstructionPlan, seed: int) -> tuple[str, bool]:
    text = said(plan, np.random.default_rng(seed))
    found = play([text], GrammarPlanner(), None).plan
    return text, is_right(plan_to_json(found), example(plan))


def test_every_kind_and_every_place_has_words() -> None:
    assert set(KINDS) == {*CATEGORIES, BLEMISHES}
    assert set(PLACES) == set(REGIONS)


@pytest.mark.parametrize("kind", [*(str(c) for c in CATEGORIES), BLEMISHES])
def test_one_kind_on_the_whole_face_is_read_back_right_at_every_amount(kind: str) -> None:
    for seed, amount in enumerate(AMOUNTS * 2):
        text, right = read_back(InstructionPlan((Edit(kind, (FACE,), amount),)), seed)
        assert right, text


@pytest.mark.parametrize("region", [str(r) for r in REGIONS])
def test_a_kind_in_one_place_and_a_keep_are_read_back_right(region: str) -> None:
    plan = InstructionPlan((Edit("redness", (region,), 0.5),), (Keep("freckle", (FACE,)),))
    for seed in range(8):
        text, right = read_back(plan, seed)
        assert right, text


def test_random_plans_with_two_edits_are_read_back_right() -> None:
    rng = np.random.default_rng(3)
    for seed in range(60):
        kinds = rng.choice(["spot", "redness", "shine", "mole", "scar", "pores"], 3, replace=False)
        places = [(str(r),) for r in rng.choice(["forehead", "nose", "chin", "left_cheek"], 2)]
        edits = [
            Edit(str(kind), place, float(rng.choice(AMOUNTS)))
            for kind, place in zip(kinds, places, strict=False)
        ]
        keep = (Keep(str(kinds[2]), (FACE,)),) if seed % 2 else ()
        text, right = read_back(InstructionPlan(tuple(edits), keep), seed)
        assert right, text


def test_nothing_is_said_and_understood_as_nothing() -> None:
    plan = InstructionPlan(action="nothing")
    assert {said(plan, np.random.default_rng(seed)) for seed in range(40)} == set(NOTHING)
    for text in NOTHING:
        found = play([text], GrammarPlanner(), None).plan
        assert is_right(plan_to_json(found), example(plan)), text


def test_the_seed_draws_the_wording_and_nothing_else_does() -> None:
    plan = InstructionPlan((Edit("redness", ("nose",), 0.3),), (Keep("mole", (FACE,)),))
    texts = [said(plan, np.random.default_rng(seed)) for seed in range(30)]
    assert texts == [said(plan, np.random.default_rng(seed)) for seed in range(30)]
    assert len(set(texts)) > 10
    assert all("nose" in t and "moles" in t and t[0].isupper() and t[-1] in ".?" for t in texts)


def test_the_frozen_plans_are_said_in_words_that_hold_every_kind_and_no_identifier() -> None:
    rows: Any = heldout.frozen()["scenes"]
    for seed, row in enumerate(rows):
        plan = plan_from_json(row["plan"])
        text = said(plan, np.random.default_rng(seed)).lower()
        assert "_" not in text
        named = [e.category for e in plan.edits] + [k.category for k in plan.keep]
        for kind in named:
            assert any(words.removesuffix("s") in text for words in KINDS[kind]), text


def test_amounts_are_right_within_a_tenth_and_never_beyond_the_whole() -> None:
    expected = example(InstructionPlan((Edit("mole", (FACE,), 1.0), Edit("acne", (FACE,), 0.5))))
    assert [e["amount"] for e in expected["plan"]["edits"]] == [[0.9, 1.0], [0.4, 0.6]]
    json.dumps(expected)


class Deaf:
    """A planner that understands every instruction as the same."""

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        return InstructionPlan((Edit("mole", (FACE,), 1.0),)), "Removing moles."


def through(planner: Any) -> Any:
    pytest.importorskip("torch", reason="torch is not installed")
    from benchmarks.quality.ours import Row
    from benchmarks.quality.through_words import ThroughWords

    row: Any = Row("ours", *(None,) * 3)  # type: ignore[arg-type]
    return ThroughWords(row, planner)


def table(gain: float, removed: float, unnamed: float) -> dict[str, float]:
    return {"masked_psnr_gain_db": gain, "named_removed": removed, "unnamed_changed": unnamed}


def test_what_comes_back_drives_the_row_and_what_is_wrong_is_counted() -> None:
    row = through(Deaf())
    asked = [InstructionPlan((Edit(kind, (FACE,), 1.0),)) for kind in ("mole", "scar")]

    assert [row.understood(plan).edits[0].category for plan in asked] == ["mole", "mole"]

    rows = {"ours": table(9.0, 0.7, 0.1), row.name: table(8.5, 0.7, 0.1)}
    found = row.figures(rows)
    assert (found["plans"], found["plans_right"], found["plan_accuracy"]) == (2, 1, 0.5)
    assert found["wrong"][0]["understood"]["edits"][0]["category"] == "mole"
    assert "scar" in found["wrong"][0]["said"] and "Deaf" in row.weights
    json.dumps(found)


def test_an_instruction_that_is_refused_leaves_the_look_empty() -> None:
    class Refuses:
        def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
            return InstructionPlan(action="reject"), "No."

    row = through(Refuses())
    found = row.understood(InstructionPlan((Edit("mole", (FACE,), 1.0),)))
    assert found.edits == () and len(row.wrong) == 1


def test_the_row_through_words_is_held_to_the_one_that_plans_drive() -> None:
    row = through(Deaf())
    row.understood(InstructionPlan((Edit("mole", (FACE,), 1.0),)))
    from benchmarks.quality import through_words

    rows = {"ours": table(9.0, 0.7, 0.1), row.name: table(8.6, 0.715, 0.1)}
    assert through_words.holds(rows) == {
        "masked_psnr_gain_db_through_words": False,
        "named_removed_through_words": True,
        "unnamed_changed_through_words": True,
    }
    assert through_words.holds({"ours": rows["ours"]}) == {}
    text = through_words.table({"rows": rows, "through_words": row.figures(rows)})
    assert "-0.4000 | 0.3 | **no**" in text and "1 of 1 plans came back right" in text
    assert through_words.table({"rows": rows}) == ""
