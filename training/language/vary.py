"""Whole sentences said of another kind, another place or the other side: the same words around it, another truth.

Only where the program tells that the word is the kind or the place that is meant: "moles gone unless they're on my
nose" becomes "pimples gone unless they're on my chin".
"""

from __future__ import annotations

import re

import numpy as np

from stream_retouch.language.program import parsed, written
from training.language.frames import Pair

_KINDS = {
    "spot": ("spots", "dark spots", "age spots", "brown spots"),
    "mole": ("moles", "beauty marks", "birthmarks"),
    "freckle": ("freckles",),
    "pimple": ("pimples", "zits", "whiteheads"),
    "scar": ("scars",),
    "pores": ("pores", "blackheads"),
    "stray_hair": ("stray hairs", "flyaways"),
}
"""Kinds that may be anywhere, in words that may stand for each other."""
_MASS = {
    "redness": ("redness", "rosacea"),
    "shine": ("shine", "oiliness", "glare"),
    "acne": ("acne",),
    "uneven_tone": ("blotchiness", "discoloration", "unevenness"),
}
_PLACES = {
    "forehead": ("forehead",),
    "nose": ("nose",),
    "chin": ("chin",),
    "jaw": ("jaw", "jawline"),
}
_TABLES = (_KINDS, _MASS, _PLACES)
_SIDES = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
_SIDED = re.compile(r"\b(left|right)(_\w+)?\b")
_NO_SIDE = re.compile(
    r"\b(right (now|away|here|there|before|after|in|on|off)|all ?right|alright"
    r"|(is|are|be|was|were|been|i) left|left (me|it|them|us|over|behind|some))\b",
    re.I,
)
"""Where the two words tell no side."""


def varied(pair: Pair, rng: np.random.Generator) -> Pair:
    """The pair, often with its sides, a kind or a place changed in text and program alike."""
    if rng.random() < 0.5:
        pair = mirrored(pair)
    for table in _TABLES:
        if rng.random() < 0.4:
            pair = exchanged(pair, table, rng)
    return pair


def mirrored(pair: Pair) -> Pair:
    """Left for right and right for left, where the text tells sides by just those words."""
    text, program = pair
    said = re.findall(r"\b(left|right)\b", text, re.I)
    meant = _SIDED.findall(program)
    if not said or not meant or _NO_SIDE.search(text):
        return pair
    if {s.lower() for s in said} < {side for side, _ in meant}:
        return pair
    text = re.sub(r"\b(left|right)\b", lambda m: _SIDES.get(m[0], m[0]), text, flags=re.I)
    return text, _SIDED.sub(lambda m: _SIDES[m[1]] + (m[2] or ""), program)


def exchanged(pair: Pair, table: dict[str, tuple[str, ...]], rng: np.random.Generator) -> Pair:
    """One name of the table for another: in the text where exactly one of its words stands, and in the program."""
    text, program = pair
    low = text.lower()
    found = [
        (name, word)
        for name, words in table.items()
        for word in words
        if re.search(rf"\b{word}\b", low)
    ]
    longest = {name: max((w for n, w in found if n == name), key=len) for name, _ in found}
    if len(longest) != 1:
        return pair
    ((name, word),) = longest.items()
    if len(re.findall(rf"\b{word}\b", low)) != 1 or not _names(program, name):
        return pair
    if table is _PLACES and not _free_to_move(program, name):
        return pair
    other = str(rng.choice([n for n in table if n != name and not _names(program, n)] or [name]))
    new = str(rng.choice(table[other]))
    text = re.sub(rf"\b{word}\b", new, text, count=1, flags=re.I)
    return text, written(parsed(re.sub(rf"\b{name}\b", other, program)))


def _names(program: str, name: str) -> bool:
    return any(name == op.kind or name in op.places for op in parsed(program))


def _free_to_move(program: str, place: str) -> bool:
    """Whether all kinds that are told there may be anywhere."""
    return all(
        op.kind in (*_KINDS, *_MASS, "blemishes", "last")
        for op in parsed(program)
        if place in op.places
    )
