"""A plan that the user set by hand: a chip taken away, an amount dragged. Pure."""

from __future__ import annotations

from dataclasses import replace

from stream_retouch.language.dialogue import advance, same_look
from stream_retouch.language.plan import Dialogue, Edit, InstructionPlan, Turn
from stream_retouch.language.replies import RESET, things, told

SAME = "Nothing has changed; this is the look that is on."


def set_by_hand(dialogue: Dialogue, plan: InstructionPlan) -> tuple[Dialogue, str]:
    """The dialogue after the look was set to `plan`, and a sentence that says what that did.

    The turn's text is empty. A dragged amount sends many plans; together they are one change, so that one undo takes
    the whole drag back.
    """
    plan = replace(plan, action="apply")
    reply = _reply(dialogue.look, plan)
    if not _goes_on(dialogue, plan):
        return advance(dialogue, "", plan), reply
    if same_look(plan, dialogue.past[-1]):  # dragged back to where it began: nothing to undo
        return replace(
            dialogue, turns=dialogue.turns[:-1], look=plan, past=dialogue.past[:-1]
        ), reply
    return replace(dialogue, turns=(*dialogue.turns[:-1], Turn("", plan)), look=plan), reply


def _goes_on(dialogue: Dialogue, plan: InstructionPlan) -> bool:
    """Whether the last turn was one of the same drag: since before it, only one amount is another."""
    if not dialogue.past or not dialogue.turns or dialogue.turns[-1].text:
        return False
    return _one_amount(dialogue.past[-1], plan) and _one_amount(dialogue.past[-1], dialogue.look)


def _one_amount(one: InstructionPlan, other: InstructionPlan) -> bool:
    if one.keep != other.keep or len(one.edits) != len(other.edits):
        return False
    differing = [(a, b) for a, b in zip(one.edits, other.edits, strict=True) if a != b]
    return len(differing) <= 1 and all(_name(a) == _name(b) for a, b in differing)


def _name(edit: Edit) -> tuple[str, tuple[str, ...]]:
    return edit.category, edit.regions


def _reply(before: InstructionPlan, plan: InstructionPlan) -> str:
    if same_look(before, plan):
        return SAME
    if not plan.edits and not plan.keep:
        return RESET
    new = [edit for edit in plan.edits if edit not in before.edits and edit.amount > 0]
    keeps = [keep for keep in plan.keep if keep not in before.keep]
    if new or keeps:
        return told(new, keeps, ())
    left = {_name(edit) for edit in plan.edits if edit.amount > 0}
    gone = [_name(edit) for edit in before.edits if _name(edit) not in left]
    if gone:
        return f"No longer retouching {things(gone)}."
    loose = [(keep.category, keep.regions) for keep in before.keep if keep not in plan.keep]
    return f"No longer keeping {things(loose)} as they are." if loose else SAME
