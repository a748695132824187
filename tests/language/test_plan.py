"""The plan as a table of amounts and as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    REGIONS,
    Category,
    Edit,
    InstructionPlan,
    Keep,
    Region,
    amounts,
    plan_from_json,
    plan_to_json,
    request_map,
)

PLAN = InstructionPlan(
    (Edit("spot", ("nose", "left_cheek"), 0.8), Edit(BLEMISHES, (FACE,), 0.3)),
    (Keep("freckle", (FACE,)),),
)


def amount(plan: InstructionPlan, kind: Category, region: Region) -> float:
    return float(amounts(plan)[CATEGORIES.index(kind), REGIONS.index(region)])


def test_the_more_specific_edit_tells_the_amount() -> None:
    assert amount(PLAN, Category.SPOT, Region.NOSE) == pytest.approx(0.8)
    assert amount(PLAN, Category.SPOT, Region.CHIN) == pytest.approx(0.3)


def test_what_is_kept_is_exactly_zero() -> None:
    assert not amounts(PLAN)[CATEGORIES.index(Category.FRECKLE)].any()


def test_a_home_zone_category_stays_at_home() -> None:
    plan = InstructionPlan((Edit("dark_circle", (FACE,), 0.8),))
    row = amounts(plan)[CATEGORIES.index(Category.DARK_CIRCLE)]
    named = {r for r, a in zip(REGIONS, row, strict=True) if a > 0}
    assert named == {Region.LEFT_UNDER_EYE, Region.RIGHT_UNDER_EYE}
    assert (
        amount(InstructionPlan((Edit(BLEMISHES, ("nose",), 1.0),)), Category.EYE_BAG, Region.NOSE)
        == 0
    )


def test_the_request_map_lays_amounts_on_places() -> None:
    maps = np.zeros((len(REGIONS), 4, 4), np.float32)
    maps[REGIONS.index(Region.NOSE), 1, 2] = 0.5
    found = request_map(amounts(PLAN), maps)
    assert found.shape == (len(CATEGORIES), 4, 4)
    assert found[CATEGORIES.index(Category.SPOT), 1, 2] == pytest.approx(0.4)
    assert found[CATEGORIES.index(Category.FRECKLE)].max() == 0


def test_a_plan_comes_back_from_json() -> None:
    assert plan_from_json(json.loads(json.dumps(plan_to_json(PLAN)))) == PLAN
    assert plan_from_json({}) == InstructionPlan()


EDIT: dict[str, Any] = {"category": "spot", "regions": ["nose"], "amount": 0.5}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ([], "a plan must be an object; give action, edits and keep"),
        ({"action": "redo"}, "unknown action of a plan; use one of apply, undo, reset, nothing, reject"),
        ({"action": []}, "unknown action of a plan; use one of apply, undo, reset, nothing, reject"),
        ({"edits": {}}, "a plan's edits must be a list; give at most 512 objects"),
        ({"keep": [EDIT] * 513}, "a plan's keep must be a list; give at most 512 objects"),
        ({"edits": ["spot"]}, "each of a plan's edits must be an object; give category and regions"),
        ({"edits": [EDIT | {"category": "nose"}]}, "unknown category in a plan's edits; use a name of the schema"),
        ({"keep": [{"category": 3}]}, "unknown category in a plan's keep; use a name of the schema"),
        ({"keep": [{"category": "spot"}]}, "no regions in a plan's keep; give a list of names"),
        ({"edits": [EDIT | {"regions": []}]}, "no regions in a plan's edits; give a list of names"),
        ({"edits": [EDIT | {"regions": [[]]}]}, "unknown region in a plan's edits; use names of the schema"),
        ({"edits": [EDIT | {"amount": 1.5}]}, "an edit's amount is no share; give a number from 0 to 1"),
        ({"edits": [EDIT | {"amount": True}]}, "an edit's amount is no share; give a number from 0 to 1"),
        ({"edits": [EDIT | {"amount": float("nan")}]}, "an edit's amount is no share; give a number from 0 to 1"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_told_in_a_sentence(obj: object, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        plan_from_json(obj)
    assert str(raised.value) == message
