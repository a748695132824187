"""Replies: one plain sentence that says what was understood. Pure; ASCII only; never repeats the user's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream_retouch.language.places import Pairing
from stream_retouch.language.plan import BLEMISHES, FACE, Edit, Keep

CAN = (
    "I can lessen spots, lines, redness, shine and other skin imperfections, anywhere on your face"
)
CANNOT = f"I can't do that; {CAN}."
NOT_UNDERSTOOD = (
    f"I did not find anything to retouch in that; {CAN}, for example 'remove the spots on my chin'."
)
EMPTY = f"I heard no words that I know; {CAN}."
TOO_LONG = "That is too long for me; please say it in a sentence or two."
SWITCH = "Use the filter's switch to turn it off or on; the look stays as it is."
NOTHING = "Leaving everything as it is."
UNDONE = "Undone; this is the look from before."
NO_UNDO = "There is nothing to undo."
REDONE = "The look you had undone is back."
NO_REDO = "There is nothing to redo."
RESET = "Everything is off; this is your own face."
NOTHING_ON = "Nothing is retouched yet, so there is nothing to change; say what should be lessened."

_NAMES: dict[str, str] = {
    "pimple": "pimples", "acne": "acne", "freckle": "freckles", "spot": "spots", "dark_circle": "dark circles",
    "forehead_wrinkle": "forehead wrinkles", "crows_feet": "crow's feet", "fine_line": "fine lines",
    "stray_hair": "stray hairs", "mole": "moles", "redness": "redness", "shine": "shine", "scar": "scars",
    "uneven_tone": "uneven tone", "eye_bag": "eye bags", "pores": "pores", "nasolabial_fold": "smile lines",
    BLEMISHES: "all imperfections",
}  # fmt: skip
_PLACES: dict[str, str] = {
    "forehead": "on your forehead", "glabella": "between your brows", "left_under_eye": "under your left eye",
    "right_under_eye": "under your right eye", "left_crows_feet": "beside your left eye",
    "right_crows_feet": "beside your right eye", "nose": "on your nose", "left_cheek": "on your left cheek",
    "right_cheek": "on your right cheek", "mouth": "around your mouth", "chin": "on your chin",
    "jaw": "on your jaw",
}  # fmt: skip
_BOTH = {
    ("left_under_eye", "right_under_eye"): "under your eyes",
    ("left_crows_feet", "right_crows_feet"): "beside your eyes",
    ("left_cheek", "right_cheek"): "on your cheeks",
}


def listed(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join((", ".join(items[:-1]), items[-1])) if len(items) > 1 else "".join(items)


def where(regions: tuple[str, ...]) -> str:
    """Regions in words, with their preposition; empty for the whole face."""
    if FACE in regions:
        return ""
    rest = list(regions)
    found = []
    for pair, words in _BOTH.items():
        if all(r in rest for r in pair):
            found.append(words)
            rest = [r for r in rest if r not in pair]
    return listed(found + [_PLACES[r] for r in rest])


def things(pairings: Iterable[Pairing]) -> str:
    """Categories and regions in words: "spots and redness on your chin"."""
    by_place: dict[str, list[str]] = {}
    for kind, regions in pairings:
        names = by_place.setdefault(where(regions), [])
        if _NAMES[kind] not in names:
            names.append(_NAMES[kind])
    return listed([f"{listed(names)} {at}".strip() for at, names in by_place.items()])


def _verb(amount: float) -> str:
    if amount >= 0.75:
        return "removing"
    return "softening" if amount >= 0.45 else "slightly softening"


def _keeping(keeps: Sequence[Keep]) -> str:
    by_place: dict[tuple[str, ...], list[str]] = {}
    for keep in keeps:
        by_place.setdefault(keep.regions, []).append(keep.category)
    parts = [
        ("everything " + where(regions)).strip()
        if BLEMISHES in kinds
        else f"your {listed([_NAMES[k] for k in kinds])} {where(regions)}".strip()
        for regions, kinds in by_place.items()
    ]
    return f"keeping {listed(parts)}"


def told(
    edits: Sequence[Edit], keeps: Sequence[Keep], left_out: Sequence[str], weaker: bool = False
) -> str:
    """What a turn does: "Removing spots on your forehead; keeping your freckles."

    Args:
        edits: what the turn changes, with its new amounts.
        keeps: what the turn leaves as it is.
        left_out: what was asked for and cannot be done, as `lexicon.LEFT_OUT` names it.
        weaker: whether the turn takes back some of what was on.
    """
    by_verb: dict[str, list[Pairing]] = {}
    for edit in edits:
        verb = "less retouching of" if weaker else _verb(edit.amount)
        by_verb.setdefault(verb, []).append((edit.category, edit.regions))
    parts = [f"{verb} {things(pairings)}" for verb, pairings in by_verb.items()]
    if keeps:
        parts.append(_keeping(keeps))
    if left_out:
        parts.append(f"leaving out {listed(left_out)}, which I can't help with")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def cannot(left_out: Sequence[str]) -> str:
    """Why nothing was done."""
    return f"I can't help with {listed(left_out)}; {CAN}." if left_out else NOT_UNDERSTOOD


def which(regions: tuple[str, ...]) -> str:
    """Asks back when only a place was named."""
    at = where(regions) or "on your face"
    return f"What should I lessen {at}? Name it, for example spots, redness or shine."
