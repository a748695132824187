"""A plan set by hand: one drag is one change, and the reply says what it did."""

from __future__ import annotations

import pytest

from stream_retouch.language.by_hand import SAME, set_by_hand
from stream_retouch.language.dialogue import advance
from stream_retouch.language.plan import Dialogue, Edit, InstructionPlan, Keep
from stream_retouch.language.replies import RESET

UNDO = InstructionPlan(action="undo")


def spots(amount: float) -> Edit:
    return Edit("spot", ("forehead",), amount)


BAGS = Edit("eye_bag", ("face",), 0.8)
FRECKLES = Keep("freckle", ("face",))
BOTH = InstructionPlan((spots(0.8), BAGS), (FRECKLES,))


def said() -> Dialogue:
    """A dialogue in which words put `BOTH` on."""
    return advance(Dialogue(), "fewer spots, less eye bags, keep my freckles", BOTH)


def dragged(dialogue: Dialogue, *amounts: float) -> Dialogue:
    for amount in amounts:
        rest = dialogue.look.edits[1:]
        plan = InstructionPlan((spots(amount), *rest), dialogue.look.keep)
        dialogue = set_by_hand(dialogue, plan)[0]
    return dialogue


def test_a_plan_set_by_hand_becomes_the_look_with_a_turn_without_words() -> None:
    dialogue, _ = set_by_hand(said(), InstructionPlan((BAGS,), (FRECKLES,), "reject"))
    assert dialogue.look == InstructionPlan((BAGS,), (FRECKLES,))
    assert [turn.text for turn in dialogue.turns][1:] == [""]
    assert advance(dialogue, "undo", UNDO).look == BOTH


def test_one_undo_takes_a_whole_drag_back() -> None:
    dialogue = dragged(said(), 0.7, 0.5, 0.2)
    assert dialogue.look.edits[0] == spots(0.2) and len(dialogue.turns) == 2
    assert advance(dialogue, "undo", UNDO).look == BOTH


def test_another_chip_or_words_between_begin_another_change() -> None:
    dialogue = dragged(said(), 0.7, 0.5)
    other = InstructionPlan((spots(0.5), Edit("eye_bag", ("face",), 0.3)), (FRECKLES,))
    dialogue, _ = set_by_hand(dialogue, other)
    assert [look.edits[:1] for look in dialogue.past] == [(), (spots(0.8),), (spots(0.5),)]
    dialogue = dragged(advance(dragged(said(), 0.4), "thanks", InstructionPlan()), 0.3)
    assert len(dialogue.past) >= 3


def test_dragged_back_to_its_beginning_leaves_nothing_to_undo_and_can_begin_again() -> None:
    dialogue = dragged(said(), 0.7, 0.8)
    assert dialogue.look == BOTH and dialogue.past == said().past
    assert advance(dragged(dialogue, 0.6), "undo", UNDO).look == BOTH


@pytest.mark.parametrize(
    ("plan", "reply"),
    [
        (BOTH, SAME),
        (InstructionPlan(), RESET),
        (
            InstructionPlan((spots(0.3), BAGS), (FRECKLES,)),
            "Slightly softening spots on your forehead.",
        ),
        (
            InstructionPlan((spots(0), BAGS), (FRECKLES,)),
            "No longer retouching spots on your forehead.",
        ),
        (InstructionPlan((spots(0.8),), (FRECKLES,)), "No longer retouching eye bags."),
        (InstructionPlan((spots(0.8), BAGS)), "No longer keeping freckles as they are."),
        (
            InstructionPlan((spots(0.8), BAGS), (FRECKLES, Keep("mole", ("chin",)))),
            "Keeping your moles on your chin.",
        ),
    ],
)
def test_the_reply_says_what_was_done(plan: InstructionPlan, reply: str) -> None:
    assert set_by_hand(said(), plan)[1] == reply
