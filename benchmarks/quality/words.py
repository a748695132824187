"""Plans put into plain English: short true sentences that somebody at the page could say. Pure.

A seed draws the wording, so the same plan is said in several ways. Nothing is looked up in the
planner's own tables: the words here are those that people use for what the schema names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_retouch.language.plan import (
    BLEMISHES,
    FACE,
    HOME_ZONES,
    REGIONS,
    Category,
    Edit,
    InstructionPlan,
    Keep,
    plan_to_json,
)

KINDS: dict[str, tuple[str, ...]] = {
    "pimple": ("pimples", "zits"),
    "acne": ("acne", "breakout"),
    "freckle": ("freckles",),
    "spot": ("dark spots", "brown spots"),
    "dark_circle": ("dark circles",),
    "forehead_wrinkle": ("forehead wrinkles", "forehead lines"),
    "crows_feet": ("crow's feet",),
    "fine_line": ("fine lines",),
    "stray_hair": ("stray hairs",),
    "mole": ("moles",),
    "redness": ("redness",),
    "shine": ("shine",),
    "scar": ("scars",),
    "uneven_tone": ("uneven skin tone", "uneven tone"),
    "eye_bag": ("eye bags", "bags"),
    "pores": ("pores", "large pores"),
    "nasolabial_fold": ("smile lines", "laugh lines"),
    BLEMISHES: ("blemishes", "imperfections"),
}
"""Each kind in words that follow "the" and "my"."""
PLACES: dict[str, tuple[str, ...]] = {
    "forehead": ("on my forehead",),
    "glabella": ("between my eyebrows", "between my brows"),
    "left_under_eye": ("under my left eye",),
    "right_under_eye": ("under my right eye",),
    "left_crows_feet": ("beside my left eye", "at the corner of my left eye"),
    "right_crows_feet": ("beside my right eye", "at the corner of my right eye"),
    "nose": ("on my nose",),
    "left_cheek": ("on my left cheek",),
    "right_cheek": ("on my right cheek",),
    "mouth": ("around my mouth",),
    "chin": ("on my chin",),
    "jaw": ("on my jaw", "along my jawline"),
}
PAIRS: tuple[tuple[str, str, str], ...] = (
    ("left_under_eye", "right_under_eye", "under my eyes"),
    ("left_crows_feet", "right_crows_feet", "beside my eyes"),
    ("left_cheek", "right_cheek", "on my cheeks"),
)
"""Two places that have a name together."""
NOTHING = (
    "Leave everything as it is.",
    "Don't change anything.",
    "Leave my face alone.",
    "No changes please.",
)
OPENINGS = ("", "", "", "please ", "could you ", "can you ")
"""Plain requests come most often."""
TOLERANCE = 0.1
"""An amount that comes back right lies within this of the one that was said."""


def said(plan: InstructionPlan, rng: np.random.Generator) -> str:
    """The plan in words: at least one sentence, its edits in their order, its keeps last."""
    if not plan.edits and not plan.keep:
        return _one(rng, NOTHING)
    parts = [_edit(edit, rng) for edit in plan.edits]
    kept = _keeps(plan.keep, rng)
    if not parts:
        return _sentence(kept)
    opening = _one(rng, OPENINGS)
    join = ", and " if len(parts) == 2 else ", "
    text = opening + (join.join(parts) if rng.random() < 0.5 else ". ".join(_raised(parts)))
    if kept:
        text += _one(rng, (", but ", " but ")) + kept
    return _sentence(text, "?" if opening.startswith(("could", "can")) and "." not in text else ".")


def example(plan: InstructionPlan) -> dict[str, Any]:
    """The plan as an item of the instruction schema expects it, for `plan_scoring.is_right`."""
    expected: dict[str, Any] = dict(plan_to_json(plan))
    expected["edits"] = [
        {
            "category": e.category,
            "regions": list(e.regions),
            "amount": [max(0.0, e.amount - TOLERANCE), min(1.0, e.amount + TOLERANCE)],
        }
        for e in plan.edits
    ]
    if not plan.edits and not plan.keep:
        expected["action"] = "nothing"
    return {"plan": json.loads(json.dumps(expected))}


def _edit(edit: Edit, rng: np.random.Generator) -> str:
    """One clause: "reduce the shine on my nose by 30 percent"."""
    what = _what(edit.category, edit.regions, rng, "the" if edit.category != BLEMISHES else "all")
    percent = round(edit.amount * 100)
    by = f"by {percent} percent" if rng.random() < 0.7 else f"by {percent}%"
    ways = [f"reduce {what} {by}", f"soften {what} {by}", f"fade {what} {by}"]
    match percent:
        case 100:
            ways = [f"remove {what} completely", f"completely remove {what}"]
            ways += [f"get rid of {what} completely", f"remove {what} entirely"]
        case 80:
            ways += [f"remove {what}", f"take away {what}", f"get rid of {what}"]
        case 75:
            ways += [f"remove {what} by three quarters", f"mostly remove {what}"]
        case 60:
            ways += [f"soften {what}", f"tone down {what}"]
        case 50:
            ways += [f"reduce {what} by half"]
        case 30:
            ways += [f"soften {what} a little", f"slightly reduce {what}"]
        case 25:
            ways += [f"reduce {what} by a quarter", f"fade {what} by a quarter"]
    return _one(rng, ways)


def _keeps(keeps: Sequence[Keep], rng: np.random.Generator) -> str:
    """ "keep my freckles and my moles on my chin"; empty without keeps."""
    things = []
    for keep in keeps:
        if keep.category == BLEMISHES:
            things.append(f"everything {_where(keep.regions, rng)}".strip())
        else:
            things.append(_what(keep.category, keep.regions, rng, "my"))
    return f"{_one(rng, ('keep', 'leave', 'keep'))} {_listed(things)}" if things else ""


def _what(kind: str, regions: Sequence[str], rng: np.random.Generator, article: str) -> str:
    """A kind and its places: "the shine on my nose and on my chin"."""
    home = () if kind == BLEMISHES else HOME_ZONES.get(Category(kind), ())
    everywhere = FACE in regions or set(regions) == {r.value for r in (home or REGIONS)}
    name = _one(rng, KINDS[kind])
    if everywhere:
        # bags alone could be anything; at their place they could not
        return f"{article} {KINDS[kind][0] if kind == Category.EYE_BAG else name}"
    if kind == Category.EYE_BAG:
        name = KINDS[kind][1]
    if kind in (Category.DARK_CIRCLE, Category.EYE_BAG) and len(regions) == 1:
        name = name.removesuffix("s")
    return f"{article} {name} {_where(regions, rng)}"


def _where(regions: Sequence[str], rng: np.random.Generator) -> str:
    """Places in words, pairs together; empty for the whole face."""
    rest = [] if FACE in regions else [str(r) for r in regions]
    found = []
    for one, other, words in PAIRS:
        if one in rest and other in rest:
            found.append(words)
            rest = [r for r in rest if r not in (one, other)]
    return _listed(found + [_one(rng, PLACES[r]) for r in rest])


def _listed(items: Sequence[str]) -> str:
    return " and ".join((", ".join(items[:-1]), items[-1])) if len(items) > 1 else "".join(items)


def _raised(parts: Sequence[str]) -> list[str]:
    """The sentences after the first begin with a capital."""
    return [parts[0], *(part[0].upper() + part[1:] for part in parts[1:])]


def _sentence(text: str, end: str = ".") -> str:
    return text[0].upper() + text[1:] + end


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]
