"""What one turn says, as a short program: the notation of the training corpus, and what the planner's network writes.

``edit pimple chin =0.3; keep mole face`` lessens pimples on the chin a little and leaves moles alone. A program knows
nothing of the look that is on: ``last`` stands for what was named before, ``other`` for the other side. `reading` turns
it into what `language.grammar` applies to the look.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stream_retouch.language import lexicon
from stream_retouch.language.asks import Ask, Reading
from stream_retouch.language.phrases import Place
from stream_retouch.language.plan import BLEMISHES, CATEGORIES, FACE, REGIONS

LAST, OTHER = "last", "other"
ACTS = ("edit", "keep", "only", "more", "less", "set", "drop", "fix")
"""Acts on a kind in places."""
COMMANDS = ("undo", "redo", "reset", "nothing", "reject", "off", "on")
"""Acts on the whole look."""
OUT = "out"
"""A part that cannot be done."""
KINDS = (*(c.value for c in CATEGORIES), BLEMISHES, lexicon.LINE, LAST)
PLACES = (*(r.value for r in REGIONS), FACE, LAST, "left", "right", OTHER)
SCALES = ("small", "big")
BEYOND = {
    "makeup": "make-up",
    "teeth": "teeth",
    "eyes": "eyes",
    "hair": "hair",
    "shape": "the shape of a face",
    "background": "the background",
    "colour": "colours",
    "age": "age",
    "voice": "sound",
    "camera": "the camera",
    "adding": "adding what is not there",
    "other": "that part",
}
"""What cannot be done, by its word in a program; the value is how a reply names it."""
SOFT = "soft"
_SIDED = re.compile(r"(left|right)_(.+)")


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that a turn says."""

    act: str
    """One of ACTS, COMMANDS, or OUT."""
    kind: str = LAST
    """One of KINDS."""
    places: tuple[str, ...] = (LAST,)
    """Of PLACES, at least one."""
    amount: float | None = None
    """0..1, of edit, only, fix and set; None where none was told."""
    soft: bool = False
    """Whether only a verb that softens was said."""
    scale: str = ""
    """How much more or less: one of SCALES, or empty."""
    beyond: str = ""
    """Of OUT: one of BEYOND."""

    def __str__(self) -> str:
        if self.act in COMMANDS:
            return self.act
        if self.act == OUT:
            return f"{OUT} {self.beyond}"
        words = [self.act, self.kind, ",".join(self.places)]
        if self.amount is not None:
            words.append(f"={self.amount:g}")
        words += [SOFT] if self.soft else []
        return " ".join((*words, self.scale)).strip()


def written(ops: Sequence[Op]) -> str:
    """The program as text."""
    return "; ".join(str(op) for op in ops)


def parsed(text: str) -> tuple[Op, ...]:
    """The program that a text holds.

    Raises:
        ValueError: it is none; the text is a sentence that ends with the remedy.
    """
    return tuple(_op(part.split()) for part in text.split(";") if part.strip())


def _op(words: Sequence[str]) -> Op:
    act, *rest = words
    if act in COMMANDS:
        _only_so_many(rest, 0, act)
        return Op(act)
    if act == OUT:
        _only_so_many(rest[1:], 0, act)
        return Op(OUT, beyond=_one_of(rest[0] if rest else "", tuple(BEYOND), "part"))
    if act not in ACTS:
        raise ValueError(f"unknown act {act!r}; use one of {', '.join((*ACTS, *COMMANDS, OUT))}")
    if len(rest) < 2:
        raise ValueError(f"{' '.join(words)!r} is not complete; write act, kind and places")
    kind = _one_of(rest[0], KINDS, "kind")
    places = tuple(_one_of(p, PLACES, "place") for p in rest[1].split(","))
    op = Op(act, kind, tuple(dict.fromkeys(places)))
    for word in rest[2:]:
        if word in SCALES and act in ("more", "less"):
            op = replace(op, scale=word)
        elif word == SOFT and act in ("edit", "only", "fix"):
            op = replace(op, soft=True)
        elif word.startswith("=") and act not in ("keep", "drop"):
            op = replace(op, amount=_share(word[1:]))
        else:
            raise ValueError(f"{word!r} does not go with {act}; leave it out")
    if act == "set" and op.amount is None:
        raise ValueError("set needs an amount; write =0.5, say")
    return op


def _only_so_many(rest: Sequence[str], count: int, act: str) -> None:
    if len(rest) > count:
        raise ValueError(f"{' '.join(rest)!r} does not go with {act}; leave it out")


def _one_of(word: str, known: tuple[str, ...], what: str) -> str:
    if word not in known:
        raise ValueError(f"unknown {what} {word!r}; use one of {', '.join(known)}")
    return word


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"={text} is no share; write a number from 0 to 1")
    return share


def reading(ops: Sequence[Op]) -> Reading:
    """What `language.grammar` makes a plan of."""
    acts = [op for op in ops if op.act in ACTS]
    # "a bit stronger" alone is about the whole of what is on; beside other wishes it is one of them
    whole = acts[0] if len(acts) == 1 and _of_all(acts[0]) else None
    asks = [_ask(op) for op in acts if op is not whole]
    commands = tuple(op.act for op in ops if op.act in COMMANDS)
    if whole is not None and {"undo", "redo"} & set(commands):
        asks, whole = [_ask(whole)], None
    left_out = tuple(dict.fromkeys(BEYOND[op.beyond] for op in ops if op.act == OUT))
    change, scale, amount = "", "", None
    if whole is not None:
        change = {"more": "up", "less": "down"}.get(whole.act, "")
        scale, amount = whole.scale, whole.amount
    return Reading(
        tuple(asks),
        tuple("switch" if c in ("off", "on") else c for c in commands if c != "reject"),
        change,
        scale,
        amount,
        left_out,
        injected="reject" in commands,
        corrects=any(op.act == "fix" for op in ops[:1]),
        empty=not ops,
    )


def _of_all(op: Op) -> bool:
    """Whether it is about all that came last: "a bit stronger"."""
    return op.act in ("more", "less", "set") and op.kind == LAST and op.places in ((LAST,), (FACE,))


def _ask(op: Op) -> Ask:
    kinds = () if op.kind == LAST else (op.kind,)
    # without a kind, or in a correction, the places of before are meant anyway
    nowhere = (FACE, LAST) if op.kind == LAST or op.act == "fix" else (FACE,)
    places = tuple(_place(p) for p in op.places if p not in nowhere)
    if op.act == "fix" and op.kind == LAST and op.places == (FACE,):
        places = (Place(FACE),)  # "everywhere, I meant"
    keep = op.act in ("keep", "drop")
    verb = {"keep": "keep", "drop": "keep", "fix": ""}.get(
        op.act, "soften" if op.soft else "remove"
    )
    if op.kind == LAST and op.act in ("edit", "only"):
        # "the chin too", "the other one as well": the kinds are those of before
        kinds, verb = (lexicon.SAME,), ""
    if op.kind == LAST and op.act == "set":
        kinds, verb = (lexicon.SAME,), ""
    if op.kind == LAST and not places and (keep or op.act in ("more", "less")):
        kinds = (lexicon.SAME,)
    return Ask(
        kinds,
        places,
        keep,
        op.amount,
        soft=op.soft,
        change={"more": "up", "less": "down"}.get(op.act, ""),
        scale=op.scale,
        verb=verb,
        also=op.kind == LAST and op.act == "edit",
        only=op.act == "only",
    )


def _place(name: str) -> Place:
    if name in ("left", "right", OTHER):
        return Place("side", name)
    sided = _SIDED.fullmatch(name)
    return Place(sided[2], sided[1]) if sided else Place(name)
