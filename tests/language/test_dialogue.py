"""The dialogue's state: undo, redo, reset, and what leaves the look alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_retouch.language.dialogue import MOST_LOOKS, MOST_TURNS, advance
from stream_retouch.language.plan import Action, Dialogue, Edit, InstructionPlan

EMPTY = InstructionPlan()
SPOTS = InstructionPlan((Edit("spot", ("face",), 0.8),))
MOLES = InstructionPlan((Edit("mole", ("face",), 0.8),))


def after(*plans: InstructionPlan) -> Dialogue:
    dialogue = Dialogue()
    for plan in plans:
        dialogue = advance(dialogue, "words", plan)
    return dialogue


def with_action(action: Action, plan: InstructionPlan = EMPTY) -> InstructionPlan:
    return replace(plan, action=action)


def test_apply_puts_the_plan_on_and_remembers_the_look_before() -> None:
    dialogue = after(SPOTS, MOLES)
    assert dialogue.look == MOLES and dialogue.past == (EMPTY, SPOTS)
    assert [t.plan for t in dialogue.turns] == [SPOTS, MOLES]


def test_undo_goes_back_whatever_the_plan_holds() -> None:
    dialogue = after(SPOTS, MOLES, with_action("undo", MOLES))
    assert dialogue.look == SPOTS
    assert dialogue.past == (EMPTY,) and dialogue.undone == (MOLES,)


def test_undo_of_nothing_changes_nothing_but_the_turns() -> None:
    dialogue = after(with_action("undo"))
    assert dialogue == replace(Dialogue(), turns=dialogue.turns)


def test_applying_the_undone_look_is_redo() -> None:
    dialogue = after(SPOTS, MOLES, with_action("undo"), with_action("undo"), SPOTS)
    assert dialogue.look == SPOTS
    assert dialogue.past == (EMPTY,) and dialogue.undone == (MOLES,)


def test_a_new_look_forgets_what_was_undone() -> None:
    dialogue = after(SPOTS, with_action("undo"), MOLES)
    assert dialogue.look == MOLES and dialogue.undone == ()


def test_reset_puts_the_empty_look_on_and_can_be_undone() -> None:
    dialogue = after(SPOTS, with_action("reset", MOLES))
    assert dialogue.look == EMPTY
    assert advance(dialogue, "undo", with_action("undo")).look == SPOTS


@pytest.mark.parametrize("action", ["nothing", "reject"])
def test_nothing_and_reject_leave_the_look_as_it_is(action: Action) -> None:
    before = after(SPOTS)
    dialogue = advance(before, "words", with_action(action, MOLES))
    assert replace(dialogue, turns=before.turns) == before
    assert len(dialogue.turns) == 2


def test_the_same_look_again_is_no_step_to_undo() -> None:
    assert after(SPOTS, SPOTS).past == (EMPTY,)


def test_the_look_that_is_on_always_says_apply() -> None:
    assert after(with_action("reset"), SPOTS, with_action("undo")).look.action == "apply"


def test_history_is_bounded() -> None:
    dialogue = Dialogue()
    for _ in range(2 * MOST_TURNS):
        dialogue = advance(advance(dialogue, "a", SPOTS), "b", MOLES)
    assert len(dialogue.turns) == MOST_TURNS and len(dialogue.past) == MOST_LOOKS
    for _ in range(2 * MOST_LOOKS):
        dialogue = advance(dialogue, "undo", with_action("undo"))
    assert len(dialogue.undone) <= MOST_LOOKS and dialogue.past == ()
