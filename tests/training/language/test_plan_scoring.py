"""The scorer: what counts as a right plan."""

from __future__ import annotations

from typing import Any

import pytest

from training.language.plan_scoring import accuracy, edited_pairs, expanded, is_right, matches

D = [0.5, 1.0]


def edit(category: str, *regions: str, amount: Any = 0.8) -> dict[str, Any]:
    return {"category": category, "regions": list(regions) or ["face"], "amount": amount}


def keep(category: str, *regions: str) -> dict[str, Any]:
    return {"category": category, "regions": list(regions) or ["face"]}


def plan(*edits: dict[str, Any], keeps: Any = (), action: str = "apply") -> dict[str, Any]:
    return {"action": action, "edits": list(edits), "keep": list(keeps)}


ALL_BUT_MOLES = plan(edit("blemishes", amount=D), keeps=[keep("mole")])


@pytest.mark.parametrize(
    ("predicted", "expected", "right"),
    [
        (plan(edit("spot", "nose")), plan(edit("spot", "nose", amount=D)), True),
        (plan(edit("spot", "chin")), plan(edit("spot", "nose", amount=D)), False),
        (plan(edit("spot", amount=0.45)), plan(edit("spot", amount=D)), False),
        (plan(edit("spot", amount=0.5)), plan(edit("spot", amount=D)), True),
        (plan(edit("spot"), action="undo"), plan(edit("spot", amount=D)), False),
        (plan(edit("spot", amount=0.0)), plan(), True),
        # Home zones.
        (plan(edit("eye_bag", "left_under_eye", "right_under_eye")), plan(edit("eye_bag", amount=D)), True),
        (plan(edit("eye_bag", "left_under_eye")), plan(edit("eye_bag", amount=D)), False),
        (plan(edit("forehead_wrinkle", "forehead", "glabella")), plan(edit("forehead_wrinkle", amount=D)), True),
        (plan(edit("nasolabial_fold", "mouth", "left_cheek")), plan(edit("nasolabial_fold", amount=D)), True),
        (plan(), plan(edit("forehead_wrinkle", "glabella", amount=D)), False),
        # Keeps.
        (plan(edit("blemishes"), keeps=[keep("mole")]), ALL_BUT_MOLES, True),
        (plan(edit("blemishes")), ALL_BUT_MOLES, False),
        (plan(edit("spot"), keeps=[keep("mole")]), plan(edit("spot", amount=D)), True),
        (plan(edit("spot"), keeps=[keep("spot", "nose")]), plan(edit("spot", amount=D)), False),
        (plan(edit("spot")), plan(edit("spot", amount=D), keeps=[keep("scar", "chin")]), False),
        (plan(edit("spot"), keeps=[keep("scar")]), plan(edit("spot", amount=D), keeps=[keep("scar", "chin")]), True),
        # The more specific edit tells the amount.
        (plan(edit("blemishes"), edit("spot", amount=0.3)), plan(edit("blemishes", amount=D)), False),
        (plan(edit("spot", "nose", amount=0.3), edit("spot")),
         plan(edit("spot", amount=D), edit("spot", "nose", amount=[0.1, 0.45])), True),
    ],
)  # fmt: skip
def test_right_and_wrong(predicted: Any, expected: Any, right: bool) -> None:
    assert matches(predicted, expected) is right


def test_blemishes_on_a_region_hold_no_category_that_lives_elsewhere() -> None:
    assert ("dark_circle", "nose") not in expanded("blemishes", ["nose"])
    assert ("dark_circle", "left_under_eye") in expanded("blemishes", ["left_under_eye"])
    assert len(expanded("spot", ["face"])) == 12


def test_keeps_are_taken_out_of_the_edits() -> None:
    pairs = edited_pairs(plan(edit("spot"), keeps=[keep("blemishes", "nose")]))
    assert ("spot", "nose") not in pairs and len(pairs) == 11


def test_any_accepted_plan_will_do() -> None:
    example = {"plan": plan(edit("spot", amount=D)), "accept": [plan(edit("mole", amount=D))]}
    assert is_right(plan(edit("mole")), example)
    assert not is_right(plan(edit("scar")), example)


def test_accuracy_is_told_apart_for_typed_and_spoken() -> None:
    wanted = plan(edit("spot", amount=D))
    kinds = ["simple", "simple", "spoken_errors"]
    examples = [{"id": i, "kind": kind, "plan": wanted} for i, kind in enumerate(kinds)]
    found = accuracy(examples, {0: plan(edit("spot")), 2: plan(edit("mole"))})
    assert (found.overall, found.typed, found.spoken) == (pytest.approx(1 / 3), 0.5, 0.0)
    assert found.by_kind == {"simple": 0.5, "spoken_errors": 0.0} and found.wrong == (1, 2)
    assert accuracy([], {}).overall is None
