"""Programs: written and read back, refused when wrong, and what they do to a look."""

from __future__ import annotations

import pytest

from stream_retouch.language.dialogue import advance
from stream_retouch.language.grammar import answered
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.language.program import Op, parsed, reading, written

ALL = (
    "edit pimple chin =0.3; keep mole face",
    "more last last small",
    "less shine nose,chin big",
    "set last last =0.5",
    "edit line forehead soft",
    "undo; edit mole face",
    "out teeth; edit spot face",
    "fix last left",
    "only last right",
    "drop redness face",
    "reject",
)


def played(*programs: str) -> InstructionPlan:
    """The plan after the last of these turns."""
    dialogue, plan = Dialogue(), InstructionPlan()
    for text in programs:
        plan, _ = answered(reading(parsed(text)), dialogue)
        dialogue = advance(dialogue, text, plan)
    return plan


def edits(plan: InstructionPlan) -> dict[tuple[str, tuple[str, ...]], float]:
    """Amounts by kind and places."""
    return {(e.category, e.regions): e.amount for e in plan.edits}


@pytest.mark.parametrize("text", ALL)
def test_a_program_reads_back_as_it_was_written(text: str) -> None:
    assert written(parsed(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("paint pimple chin", "unknown act"),
        ("edit wart chin", "unknown kind"),
        ("edit mole elbow", "unknown place"),
        ("edit mole", "not complete"),
        ("edit mole chin =2", "no share"),
        ("keep mole chin =0.5", "does not go with keep"),
        ("more mole chin soft", "does not go with more"),
        ("set mole chin", "needs an amount"),
        ("undo mole", "does not go with undo"),
        ("out wings", "unknown part"),
    ],
)
def test_a_wrong_program_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parsed(text)


def test_edits_and_keeps_come_into_the_look() -> None:
    plan = played("edit pimple chin =0.3; keep mole face")
    assert edits(plan) == {("pimple", ("chin",)): 0.3}
    assert [(k.category, k.regions) for k in plan.keep] == [("mole", ("face",))]


def test_a_softening_verb_asks_for_less_than_a_removing_one() -> None:
    (soft,), (whole,) = (edits(played(f"edit shine nose{how}")).values() for how in (" soft", ""))
    assert 0.25 <= soft < whole <= 1.0


def test_last_and_other_mean_what_was_named_before() -> None:
    plan = played("edit redness left_cheek", "edit last other")
    assert set(edits(plan)) == {("redness", ("left_cheek",)), ("redness", ("right_cheek",))}
    assert set(edits(played("edit spot face", "edit last chin"))) >= {("spot", ("chin",))}


def test_another_kind_where_the_last_one_was() -> None:
    plan = played("edit mole left_cheek", "edit scar last")
    assert ("scar", ("left_cheek",)) in edits(plan)
    assert ("eye_bag", ("face",)) in edits(played("edit mole chin", "edit eye_bag last"))
    assert ("scar", ("face",)) in edits(played("edit scar last"))


def test_what_came_before_an_undo_can_still_be_meant() -> None:
    assert set(edits(played("edit mole left_cheek", "undo; edit last chin"))) == {
        ("mole", ("chin",))
    }


def test_the_last_thing_can_be_dropped() -> None:
    assert set(edits(played("edit spot face", "edit mole face", "drop last last"))) == {
        ("spot", ("face",))
    }


def test_a_correction_takes_the_place_of_the_turn_before() -> None:
    assert set(edits(played("edit redness left_cheek", "fix last right"))) == {
        ("redness", ("right_cheek",))
    }
    assert set(edits(played("edit spot face", "fix mole last"))) == {("mole", ("face",))}


def test_lines_whose_place_is_told_later_are_those_of_that_place() -> None:
    assert set(edits(played("edit line face", "fix last forehead"))) == {
        ("forehead_wrinkle", ("face",))
    }
    assert set(edits(played("edit line face", "fix last left_crows_feet"))) == {
        ("crows_feet", ("left_crows_feet",))
    }
    assert set(edits(played("edit line face", "only last forehead"))) == {
        ("forehead_wrinkle", ("face",))
    }


def test_what_was_kept_can_be_meant_by_the_next_turn() -> None:
    plan = played("edit blemishes face", "keep crows_feet face", "edit last last")
    assert not plan.keep and ("crows_feet", ("face",)) in edits(plan)
    plan = played("edit redness face", "keep mole face", "edit last last =0.4")
    assert plan.keep and edits(plan) == {("redness", ("face",)): 0.4}
    plan = played("keep mole chin", "edit last last")
    assert not plan.keep and set(edits(plan)) == {("mole", ("chin",))}


def test_what_one_turn_keeps_stays_within_its_wider_edit_in_either_order() -> None:
    for text in ("keep shine nose; edit shine face", "edit shine face; keep shine nose"):
        plan = played(text)
        assert set(edits(plan)) == {("shine", ("face",))}
        assert [(k.category, k.regions) for k in plan.keep] == [("shine", ("nose",))]
    assert not played("keep mole face; edit mole face").keep  # changed one's mind
    assert not played("keep mole face", "edit mole face").keep


def test_more_and_less_change_what_is_on() -> None:
    before = edits(played("edit spot face"))[("spot", ("face",))]
    more = edits(played("edit spot face", "more last last"))[("spot", ("face",))]
    less = edits(played("edit spot face", "less last last big"))[("spot", ("face",))]
    small = edits(played("edit spot face", "less last last small"))[("spot", ("face",))]
    assert less < small < before < more
    assert edits(played("edit spot face", "set last last =0.45"))[("spot", ("face",))] == 0.45


def test_a_correction_may_be_of_the_amount_alone_or_of_the_place_to_everywhere() -> None:
    assert edits(played("edit spot chin", "fix last last =0.5")) == {("spot", ("chin",)): 0.5}
    assert set(edits(played("edit spot chin", "fix last face"))) == {("spot", ("face",))}


def test_an_amount_for_a_place_is_for_what_is_on_there() -> None:
    plan = played("edit spot nose", "edit mole chin", "set last nose =0.3")
    assert edits(plan)[("spot", ("nose",))] == 0.3 and ("mole", ("chin",)) in edits(plan)


def test_stronger_or_weaker_beside_other_wishes_is_of_what_was_on() -> None:
    plan = edits(played("edit spot face", "less last last; edit mole chin"))
    assert plan[("spot", ("face",))] < 0.8 and plan[("mole", ("chin",))] == 0.8
    plan = edits(played("edit spot face", "set last last =0.4; edit mole chin"))
    assert plan == {("spot", ("face",)): 0.4, ("mole", ("chin",)): 0.8}
    plan = edits(played("edit spot face", "edit mole chin", "undo; more last last"))
    assert set(plan) == {("spot", ("face",))} and plan[("spot", ("face",))] > 0.8
    plan = edits(played("edit spot face", "undo", "redo; less last last big"))
    assert set(plan) == {("spot", ("face",))} and plan[("spot", ("face",))] < 0.5


def test_only_leaves_nothing_else_on() -> None:
    plan = played("edit spot face", "edit mole face", "only redness nose")
    assert set(edits(plan)) == {("redness", ("nose",))}
    assert set(edits(played("edit spot left_cheek", "only last right"))) == {
        ("spot", ("right_cheek",))
    }


def test_what_is_dropped_is_no_longer_done() -> None:
    assert set(edits(played("edit spot face; edit mole face", "drop mole face"))) == {
        ("spot", ("face",))
    }


def test_commands_act_on_the_whole_look() -> None:
    assert played("edit spot face", "undo").action == "undo"
    assert played("edit spot face", "reset").action == "reset"
    assert played("edit spot face", "nothing").action == "nothing"
    assert played("edit spot face", "off").action == "reject"
    plan = played("edit spot face", "reject")
    assert plan.action == "reject" and edits(plan) == {("spot", ("face",)): 0.8}
    assert set(edits(played("edit spot face", "undo; edit mole face"))) == {("mole", ("face",))}


def test_a_part_that_cannot_be_done_is_told_and_the_rest_done() -> None:
    plan, reply = answered(reading(parsed("out teeth; edit spot face")), Dialogue())
    assert set(edits(plan)) == {("spot", ("face",))} and "teeth" in reply
    plan, reply = answered(reading(parsed("out makeup")), Dialogue())
    assert plan.action == "reject" and "make-up" in reply


def test_no_program_is_an_empty_reading() -> None:
    assert reading(()).empty and parsed("") == ()
    assert str(Op("edit", "mole", ("chin",))) == "edit mole chin"
