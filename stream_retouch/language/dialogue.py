"""What a turn does to the dialogue: the look that is on, and the looks that undo and redo go to. Pure."""

from __future__ import annotations

from dataclasses import replace

from stream_retouch.language.plan import Dialogue, InstructionPlan, Turn

MOST_TURNS = 32
"""Turns remembered; older ones are forgotten."""
MOST_LOOKS = 32
"""Looks that undo, and redo, can go to."""


def same_look(one: InstructionPlan, other: InstructionPlan) -> bool:
    """Whether two plans put the same look on, whatever their action."""
    return one.edits == other.edits and one.keep == other.keep


def advance(dialogue: Dialogue, text: str, plan: InstructionPlan) -> Dialogue:
    """The dialogue after a turn.

    ``apply`` puts the plan on; a plan equal to the look that redo would bring counts as redo, and one equal to
    the look that is on changes nothing. ``undo`` goes one look back, whatever the plan's edits say; ``reset``
    puts the empty look on and can be undone. ``nothing`` and ``reject`` leave the look as it is.
    """
    spoken = replace(dialogue, turns=(*dialogue.turns, Turn(text, plan))[-MOST_TURNS:])
    look = replace(plan, action="apply")
    if plan.action == "undo" and dialogue.past:
        return replace(
            spoken,
            look=dialogue.past[-1],
            past=dialogue.past[:-1],
            undone=(*dialogue.undone, dialogue.look)[-MOST_LOOKS:],
        )
    if plan.action == "reset":
        look = InstructionPlan()
    elif plan.action != "apply":
        return spoken
    if same_look(look, dialogue.look):
        return spoken
    past = (*dialogue.past, dialogue.look)[-MOST_LOOKS:]
    redone = plan.action == "apply" and dialogue.undone and same_look(look, dialogue.undone[-1])
    undone = dialogue.undone[:-1] if redone else ()
    return replace(spoken, look=look, past=past, undone=undone)
