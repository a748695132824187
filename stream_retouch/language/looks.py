"""Looks combined: what is on, and what a turn adds, keeps, strengthens or replaces. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stream_retouch.language.places import in_order
from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    HOME_ZONES,
    REGIONS,
    Category,
    Dialogue,
    Edit,
    InstructionPlan,
    Keep,
)

MOST_EDITS = 64
"""Edits or keeps a look may hold; older ones give way."""
_WEAKEST = 0.15


def named_regions(category: str, regions: Iterable[str]) -> frozenset[str]:
    """The regions an edit or keep stands for: FACE is all of them, or the home zone."""
    names = frozenset(regions)
    if FACE not in names:
        return names
    if category != BLEMISHES and Category(category) in HOME_ZONES:
        return frozenset(r.value for r in HOME_ZONES[Category(category)])
    return frozenset(r.value for r in REGIONS)


def covers(wide: Edit | Keep, narrow: Edit | Keep) -> bool:
    """Whether `wide` names all that `narrow` names."""
    if wide.category not in (narrow.category, BLEMISHES):
        return False
    inner = named_regions(narrow.category, narrow.regions)
    return inner <= named_regions(wide.category, wide.regions)


def _without(keep: Keep, edit: Edit) -> list[Keep]:
    """`keep` with what `edit` names taken out; a wide edit leaves a narrower keep as it is."""
    gone = named_regions(edit.category, edit.regions)
    kept = named_regions(keep.category, keep.regions)
    if edit.category == BLEMISHES or not kept & gone:
        return [keep]
    if keep.category == edit.category:
        rest = in_order(kept - gone)
        return [Keep(keep.category, rest)] if rest else []
    if keep.category != BLEMISHES or FACE in edit.regions:
        return [keep]
    others = [Keep(c.value, keep.regions) for c in CATEGORIES if c.value != edit.category]
    rest = in_order(kept - gone)
    return others + ([Keep(edit.category, rest)] if rest else [])


def with_edit(look: InstructionPlan, edit: Edit) -> InstructionPlan:
    """The look with `edit` as well; it replaces older edits that it names wholly, and opens keeps."""
    edits = [e for e in look.edits if not (e.category == edit.category and covers(edit, e))]
    keeps = [k for keep in look.keep for k in _without(keep, edit)]
    if edit.amount > 0.0:
        edits.append(edit)
    return InstructionPlan(tuple(edits[-MOST_EDITS:]), tuple(keeps[-MOST_EDITS:]))


def with_keep(look: InstructionPlan, keep: Keep) -> InstructionPlan:
    """The look with `keep` as well; edits that it covers wholly go."""
    edits = tuple(e for e in look.edits if not covers(keep, e))
    keeps = [k for k in look.keep if not covers(keep, k)] + [keep]
    return InstructionPlan(edits, tuple(keeps[-MOST_EDITS:]))


def kept_within(
    look: InstructionPlan, edits: Iterable[Edit], keeps: Iterable[Keep]
) -> InstructionPlan:
    """The look in which what one turn keeps stays so within a wider edit of the same turn, whichever was
    said first."""
    edits = tuple(edits)
    for keep in keeps:
        kept = named_regions(keep.category, keep.regions)
        wider = any(
            e.category == keep.category and kept < named_regions(e.category, e.regions)
            for e in edits
        )
        if wider and keep not in look.keep:
            look = with_keep(look, keep)
    return look


def changed(amount: float, change: str, scale: str) -> float:
    """`amount` after "more" or "less"; scale is small, big or empty."""
    if change == "up":
        share = {"small": 0.45, "big": 1.0}.get(scale, 0.65)
        return round(amount + (1.0 - amount) * share, 3)
    share = {"small": 0.75, "big": 0.4}.get(scale, 0.7)
    return max(min(amount, _WEAKEST), round(amount * share, 3))


def latest_change(dialogue: Dialogue) -> tuple[tuple[Edit, ...], tuple[Keep, ...]]:
    """What came into the look with its last change: that is what "it" and "more" speak of."""
    before = dialogue.past[-1] if dialogue.past else InstructionPlan()
    edits = tuple(e for e in dialogue.look.edits if e not in before.edits)
    keeps = tuple(k for k in dialogue.look.keep if k not in before.keep)
    return edits, keeps


def in_focus(dialogue: Dialogue) -> tuple[Edit, ...]:
    """The edits that "it" speaks of: those that came last, else the last one of the look."""
    edits, _ = latest_change(dialogue)
    return edits or dialogue.look.edits[-1:]


def replaced(
    look: InstructionPlan, olds: Iterable[Edit], amounts: Iterable[float]
) -> InstructionPlan:
    """The look with the amounts of some of its edits replaced."""
    new = {old: replace(old, amount=a) for old, a in zip(olds, amounts, strict=True)}
    return InstructionPlan(tuple(new.get(e, e) for e in look.edits), look.keep)
