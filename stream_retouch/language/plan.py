"""The instruction plan: what the user sees as chips, what tests check, what steers the network.

Identifiers are those of the project's instruction schema. Left and right are the person's own. Pure values: no
model, no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray


class Category(StrEnum):
    """Kinds of imperfection. The order is the channel order of the request map and of the evidence maps."""

    PIMPLE = "pimple"
    ACNE = "acne"
    FRECKLE = "freckle"
    SPOT = "spot"
    DARK_CIRCLE = "dark_circle"
    FOREHEAD_WRINKLE = "forehead_wrinkle"
    CROWS_FEET = "crows_feet"
    FINE_LINE = "fine_line"
    STRAY_HAIR = "stray_hair"
    MOLE = "mole"
    REDNESS = "redness"
    SHINE = "shine"
    SCAR = "scar"
    UNEVEN_TONE = "uneven_tone"
    EYE_BAG = "eye_bag"
    PORES = "pores"
    NASOLABIAL_FOLD = "nasolabial_fold"


class Region(StrEnum):
    """Places on the face; together they are the whole face. The order is that of the region maps."""

    FOREHEAD = "forehead"
    GLABELLA = "glabella"
    LEFT_UNDER_EYE = "left_under_eye"
    RIGHT_UNDER_EYE = "right_under_eye"
    LEFT_CROWS_FEET = "left_crows_feet"
    RIGHT_CROWS_FEET = "right_crows_feet"
    NOSE = "nose"
    LEFT_CHEEK = "left_cheek"
    RIGHT_CHEEK = "right_cheek"
    MOUTH = "mouth"
    CHIN = "chin"
    JAW = "jaw"


CATEGORIES: tuple[Category, ...] = tuple(Category)
REGIONS: tuple[Region, ...] = tuple(Region)
BLEMISHES = "blemishes"
"""Stands for all 17 categories in an edit or a keep."""
FACE = "face"
"""Stands for all 12 regions in an edit or a keep."""

Action = Literal["apply", "undo", "reset", "nothing", "reject"]

HOME_ZONES: dict[Category, tuple[Region, ...]] = {
    Category.DARK_CIRCLE: (Region.LEFT_UNDER_EYE, Region.RIGHT_UNDER_EYE),
    Category.EYE_BAG: (Region.LEFT_UNDER_EYE, Region.RIGHT_UNDER_EYE),
    Category.CROWS_FEET: (Region.LEFT_CROWS_FEET, Region.RIGHT_CROWS_FEET),
    Category.FOREHEAD_WRINKLE: (Region.FOREHEAD,),
    Category.NASOLABIAL_FOLD: (Region.MOUTH,),
}
"""Categories that live in one place only: for these, ``face`` means the home zone."""

HOME_SPILL: dict[Category, tuple[Region, ...]] = {
    Category.FOREHEAD_WRINKLE: (Region.GLABELLA,),
    Category.NASOLABIAL_FOLD: (Region.LEFT_CHEEK, Region.RIGHT_CHEEK),
}
"""Neighbours that a home-zone category may reach into when its whole home zone is edited."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lessen one kind of imperfection in some places."""

    category: str
    """A Category value, or BLEMISHES."""
    regions: tuple[str, ...]
    """Region values, or (FACE,)."""
    amount: float
    """0..1, the share to take away."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave one kind of imperfection as it is in some places, whatever the edits say."""

    category: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InstructionPlan:
    """The cumulative look after a turn."""

    edits: tuple[Edit, ...] = ()
    keep: tuple[Keep, ...] = ()
    action: Action = "apply"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the dialogue: what was said and the plan that followed."""

    text: str
    plan: InstructionPlan


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The turns so far (oldest first) and the looks that undo and redo can go to. See language.dialogue."""

    turns: tuple[Turn, ...] = ()
    look: InstructionPlan = field(default_factory=InstructionPlan)
    """The plan that is on now."""
    undone: tuple[InstructionPlan, ...] = ()
    """Looks that redo brings back, next one last."""
    past: tuple[InstructionPlan, ...] = ()
    """Looks that undo goes back to, newest last."""


def _categories(name: str) -> tuple[Category, ...]:
    return CATEGORIES if name == BLEMISHES else (Category(name),)


def _pairs(category: str, regions: Iterable[str]) -> list[tuple[Category, Region]]:
    """The (category, region) pairs that a name stands for, home zones observed."""
    names = tuple(regions)
    pairs: list[tuple[Category, Region]] = []
    for kind in _categories(category):
        home = HOME_ZONES.get(kind)
        wanted = REGIONS if FACE in names else tuple(Region(n) for n in names)
        if home is not None:
            if FACE in names:
                wanted = home + HOME_SPILL.get(kind, ())
            elif category == BLEMISHES:
                allowed = home + HOME_SPILL.get(kind, ())
                wanted = tuple(r for r in wanted if r in allowed)
        pairs += [(kind, region) for region in wanted]
    return pairs


def amounts(plan: InstructionPlan) -> NDArray[np.float32]:
    """The plan as a table: (17, 12) amount 0..1 of each category in each region, kept pairs exactly 0.

    A pair that is named twice takes the amount of the more specific edit: a named category before ``blemishes``,
    then a named region before ``face``; among equals the later edit.
    """
    table = np.zeros((len(CATEGORIES), len(REGIONS)), np.float32)
    ranked = sorted(plan.edits, key=lambda e: (e.category != BLEMISHES, FACE not in e.regions))
    for edit in ranked:
        for kind, region in _pairs(edit.category, edit.regions):
            table[CATEGORIES.index(kind), REGIONS.index(region)] = edit.amount
    for keep in plan.keep:
        for kind, region in _pairs(keep.category, keep.regions):
            table[CATEGORIES.index(kind), REGIONS.index(region)] = 0.0
    return table


def request_map(
    table: NDArray[np.float32],
    region_maps: NDArray[np.float32],
    uncut: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The request map (17, N, N): each category's amount laid on the face's region maps.

    Args:
        table: (17, 12) as `amounts` returns it.
        region_maps: (12, N, N) weight 0..1 of each region at each place; neighbours overlap softly.
        uncut: the same where hair does not end the forehead, for stray hairs; `region_maps` if not given.
    """
    requested: NDArray[np.float32] = np.max(table[:, :, None, None] * region_maps[None], axis=1)
    strays = CATEGORIES.index(Category.STRAY_HAIR)
    if uncut is not None and table[strays].any():
        requested[strays] = np.max(table[strays][:, None, None] * uncut, axis=0)
    return requested.astype(np.float32, copy=False)


_MOST_PARTS = 512
"""Edits, or keeps, that a plan read from JSON may have."""
_ACTIONS: tuple[Action, ...] = ("apply", "undo", "reset", "nothing", "reject")


def plan_to_json(plan: InstructionPlan) -> dict[str, object]:
    """The plan as JSON values: {action, edits: [{category, regions, amount}], keep: [{category, regions}]}."""
    return {
        "action": plan.action,
        "edits": [
            {"category": e.category, "regions": list(e.regions), "amount": e.amount}
            for e in plan.edits
        ],
        "keep": [{"category": k.category, "regions": list(k.regions)} for k in plan.keep],
    }


def _named(part: object, what: str) -> tuple[dict[str, object], str, tuple[str, ...]]:
    """The part itself, its category and its regions, checked."""
    if not isinstance(part, dict):
        raise ValueError(f"each of a plan's {what} must be an object; give category and regions")
    category, regions = part.get("category"), part.get("regions")
    if not isinstance(category, str) or category not in (*CATEGORIES, BLEMISHES):
        raise ValueError(f"unknown category in a plan's {what}; use a name of the schema")
    if not isinstance(regions, list) or not regions:
        raise ValueError(f"no regions in a plan's {what}; give a list of names")
    if not all(isinstance(r, str) and r in (*REGIONS, FACE) for r in regions):
        raise ValueError(f"unknown region in a plan's {what}; use names of the schema")
    return part, category, tuple(dict.fromkeys(regions))


def _parts(obj: dict[str, object], what: str) -> list[object]:
    parts = obj.get(what, [])
    if not isinstance(parts, list) or len(parts) > _MOST_PARTS:
        raise ValueError(f"a plan's {what} must be a list; give at most {_MOST_PARTS} objects")
    return parts


def plan_from_json(obj: object) -> InstructionPlan:
    """The plan that JSON values tell, as `plan_to_json` writes them; missing parts are empty.

    Raises:
        ValueError: something is not as the schema says; the text is a sentence that ends with the remedy.
    """
    if not isinstance(obj, dict):
        raise ValueError("a plan must be an object; give action, edits and keep")
    action = next((a for a in _ACTIONS if a == obj.get("action", "apply")), None)
    if action is None:
        raise ValueError(f"unknown action of a plan; use one of {', '.join(_ACTIONS)}")
    edits = []
    for given in _parts(obj, "edits"):
        part, category, regions = _named(given, "edits")
        amount = part.get("amount")
        # NaN fails the comparison too.
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 1:
            raise ValueError("an edit's amount is no share; give a number from 0 to 1")
        edits.append(Edit(category, regions, float(amount)))
    keeps = [Keep(*_named(given, "keep")[1:]) for given in _parts(obj, "keep")]
    return InstructionPlan(tuple(edits), tuple(keeps), action)
