"""Sentences with slots, and sentences without: reading the files, and filling the slots so that the program is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import numpy as np

from stream_retouch.language.plan import BLEMISHES, FACE
from stream_retouch.language.program import LAST, Op, parsed
from training.language.banks import HERE, Bank, kinds, places_for, written_place

Pair = tuple[str, str]
"""Text and program."""
_SLOT = re.compile(r"\{(\w+?)(\d?)\}")
_NAMES = re.compile(r"\b([KPA])(\d)\b")
_TIRED = "dark_circle+eye_bag"
_TRIES = 20
_LINES = ("forehead_wrinkle", "crows_feet", "fine_line", "nasolabial_fold")


@cache
def lines(folder: str, *names: str) -> tuple[Pair, ...]:
    """All pairs of some files, ``frames/en.txt`` for one."""
    texts = [(HERE / folder / f"{name}.txt").read_text(encoding="utf-8") for name in names]
    return tuple(pair for text in texts for pair in _pairs(text))


def _pairs(text: str) -> Iterator[Pair]:
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            said, _, program = line.rpartition(" => ")
            yield said.strip(), program.strip()


def filled(pair: Pair, bank: Bank, rng: np.random.Generator) -> Pair:
    """The frame with its slots drawn: kinds, then places where those kinds may be, then amounts and verbs."""
    text, program = pair
    ops = [op.strip() for op in program.split(";")]
    for _ in range(_TRIES):
        drawn = _drawn(text, ops, bank, rng)
        if drawn is not None:
            return drawn
    raise ValueError(
        f"no kinds and places go together in {text!r} => {program!r}; correct the frame"
    )


def _drawn(text: str, ops: list[str], bank: Bank, rng: np.random.Generator) -> Pair | None:
    slots = {(m[1], m[2]) for m in _SLOT.finditer(text)}
    number = sorted(n for s, n in slots if s == "k")
    said: dict[str, str] = {}
    meant: dict[str, str] = {}
    for n, kind in zip(number, kinds(rng, len(number)), strict=True):
        said[f"{{k{n}}}"], meant[f"K{n}"] = bank.noun(rng, kind), kind
    _special(ops, said, meant, bank, rng)
    for n in sorted({n for s, n in slots if s in ("p", "n")}):
        named = {meant[f"K{k}"] for op in ops if f"P{n}" in op for k in _kinds_of(op)}
        named = {part for k in named for part in k.split(" ")[0].split("+")}
        forms = [f for f in ("p", "n") if (f, n) in slots]
        able = [
            p for p in places_for(named, rng) if bank.has_place(p, "at" if "p" in forms else "noun")
        ]
        able = [p for p in able if meant.get("P1") != written_place(p)]
        if not able:
            return None
        place = str(rng.choice(able))
        meant[f"P{n}"] = written_place(place)
        for form in forms:
            said[f"{{{form}{n}}}"] = bank.place(rng, place, "at" if form == "p" else "noun")
    for n in sorted(n for s, n in slots if s == "a"):
        words, share = bank.amount(rng)
        said[f"{{a{n}}}"], meant[f"A{n}"] = words, f"={share:g}"
    for name in ("v", "vs", "kv", "ving"):
        if (name, "") in slots:
            said[f"{{{name}}}"] = _verb(name, bank, rng)
    for slot, words in said.items():
        text = text.replace(slot, words)
    program = "; ".join(op for raw in ops for op in _written(raw, meant))
    return None if cancels(program) else (_tidy(text), program)


def cancels(program: str) -> bool:
    """Whether a keep takes back a whole edit: "redness anywhere but everywhere on my face"."""
    ops = parsed(program)
    keeps = [k for k in ops if k.act == "keep" and k.kind != LAST]
    return any(_covers(k, e) for e in ops if e.act == "edit" for k in keeps)


def _covers(keep: Op, edit: Op) -> bool:
    same = keep.kind in (edit.kind, BLEMISHES) or (keep.kind == "line" and edit.kind in _LINES)
    return same and (FACE in keep.places or set(edit.places) <= set(keep.places))


def _kinds_of(op: str) -> list[str]:
    return [m[2] for m in _NAMES.finditer(op) if m[1] == "K"]


def _special(
    ops: list[str],
    said: dict[str, str],
    meant: dict[str, str],
    bank: Bank,
    rng: np.random.Generator,
) -> None:
    """Now and then a noun that stands for two kinds ("tired eyes"), or one that tells its place ("strawberry nose")."""
    if "K1" not in meant or rng.random() > 0.1:
        return
    with_one = [op for op in ops if "K1" in op]
    tired = bank.tables.get("tired")
    if tired and rng.random() < 0.4:
        said["{k1}"] = f"{rng.choice(('my', 'the', 'these'))} {rng.choice(tired['plural'])}"
        meant["K1"] = _TIRED
    elif all(" K1 face" in f" {op}" for op in with_one):
        placed = bank.placed(rng)
        if placed:
            said["{k1}"], meant["K1"] = (
                f"{rng.choice(('my', 'the', 'this'))} {placed[0]}",
                placed[1],
            )


def _written(op: str, meant: dict[str, str]) -> list[str]:
    """An op with its slots filled; two where one noun means two kinds."""
    for name, value in meant.items():
        if name.startswith("K") and " " in value:
            op = op.replace(f"{name} face", value)
        elif name.startswith("K") and "+" in value and name in op:
            return [
                part
                for kind in value.split("+")
                for part in _written(op.replace(name, kind), meant)
            ]
        else:
            op = re.sub(rf"\b{name}\b", value, op)
    return [op]


def _verb(name: str, bank: Bank, rng: np.random.Generator) -> str:
    which = {"kv": "keep", "vs": "soften"}.get(name, "remove")
    verb = bank.verb(rng, which)
    return gerund(verb) if name == "ving" else verb


def gerund(verb: str) -> str:
    """ "get rid of" as "getting rid of"."""
    first, _, rest = verb.partition(" ")
    if first.endswith("e") and not first.endswith(("ee", "ye")):
        first = first[:-1]
    elif re.fullmatch(r"[^aeiou]*[aeiou][bdgmnprt]", first):
        first += first[-1]
    return f"{first}ing {rest}".strip()


_DETERMINERS = "the|my|all my|all the|these|those|this|that|a"
_BEFORE = "on|at|in|from|around|under"
_TWICE = (
    (re.compile(rf"\b(?:{_DETERMINERS}) ({_DETERMINERS}) "), r"\1 "),
    (
        re.compile(
            rf"\b(?:{_BEFORE}) ({_BEFORE}|across|near|by|along|beneath|between|below|beside) "
        ),
        r"\1 ",
    ),
)
"""Determiners and prepositions that frame and slot both bring: the slot's stays."""


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).replace(" ,", ",")
    for twice, once in _TWICE:
        text = twice.sub(once, text)
    return text
