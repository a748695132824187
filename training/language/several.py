"""Several things in one breath: lists of kinds, each with its place or its amount, or one verb for all of them.

What belongs to what is learned last, from many such sentences. Each thing keeps its own place; a place told once,
behind a thing with an article of its own, is that thing's only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.language.banks import Bank, kinds, places_for, written_place
from training.language.frames import cancels

_ARTICLES = frozenset("my the all these those this that a".split())
_LAST = (" and ", ", and ", " & ", " plus ", ", also ", ", then ", " as well as ", ", ")
_BETWEEN = (", ", ", ", ", ", "; ", " and ", ". ", " + ")
_ENDS = (
    "", "", "", " please", ", please", ", thanks", ", all gone", ": gone please", ". sort it all", ", fix it all",
    ", off they go", " off", " out", " away please", ", get rid of it all", ", lose them all", " - remove all of it",
)  # fmt: skip
_BUT = (" but ", ", but ", ". but ", " though ", ", ", ". ", " and ", "; ")
_REST = (
    ("remove the rest", "edit blemishes face"), ("everything else can go", "edit blemishes face"),
    ("the rest may go", "edit blemishes face"), ("clean up everything else", "edit blemishes face"),
    ("all else off", "edit blemishes face"), ("lose all the others", "edit blemishes face"),
)  # fmt: skip
_ALL_BUT = (
    "everything but {}", "everything except {}", "remove everything apart from {}", "all of it except {}",
    "clear it all except {}", "take everything off, only not {}", "the lot, save for {}", "all blemishes except {}",
    "everything can go except {}", "fix it all but spare {}", "clean my face but not {}",
)  # fmt: skip
_STAYS = (
    "{} stays", "{} stay", "leave {}", "leave {} alone", "keep {}", "i like {}", "i'm keeping {}", "don't touch {}",
    "not {}", "hands off {}", "{} should stay", "{} can stay", "let {} be", "{} is a keeper", "please don't touch {}",
)  # fmt: skip
_GOES = (
    "{} goes",
    "{} can go",
    "lose {}",
    "{} away",
    "no {}",
    "{} off",
    "remove {}",
    "get rid of {}",
    "{} may go",
)
_ELSEWHERE = (
    "everywhere else",
    "elsewhere",
    "on the rest of my face",
    "all over otherwise",
    "anywhere else",
)


def several(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    """Text and program."""
    while True:
        form = _FORMS[int(rng.choice(len(_FORMS), p=_SHARES))]
        text, program = form(words, rng)
        if not cancels(program):
            return text, program


def _thing(
    words: Bank, rng: np.random.Generator, kind: str, place_share: float
) -> tuple[str, str, str]:
    """Noun, its place as it is said or nothing, and "kind places"."""
    noun = words.noun(rng, kind)
    if rng.random() >= place_share:
        return noun, "", f"{kind} face"
    if noun.partition(" ")[0] not in _ARTICLES:
        noun = f"{rng.choice(('the', 'my'))} {noun}"
    able = [p for p in places_for({kind}, rng) if words.has_place(p, "at")]
    name = str(rng.choice(able))
    return noun, " " + words.place(rng, name, "at"), f"{kind} {written_place(name)}"


def _joined(parts: Sequence[str], rng: np.random.Generator) -> str:
    between = str(rng.choice(_BETWEEN))
    return between.join(parts[:-1]) + str(rng.choice(_LAST)) + parts[-1]


def _count(rng: np.random.Generator) -> int:
    return int(rng.choice((2, 3, 4), p=(0.55, 0.35, 0.1)))


def _one_verb(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    things = [_thing(words, rng, kind, 0.45) for kind in kinds(rng, _count(rng))]
    soft = rng.random() < 0.25
    verb = words.verb(rng, "soften" if soft else "remove")
    said = f"{verb} {_joined([noun + place for noun, place, _ in things], rng)}"
    return said, "; ".join(f"edit {what}{' soft' if soft else ''}" for *_, what in things)


def _no_verb(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    things = [_thing(words, rng, kind, 0.5) for kind in kinds(rng, _count(rng))]
    said = _joined([noun + place for noun, place, _ in things], rng) + str(rng.choice(_ENDS))
    return said, "; ".join(f"edit {what}" for *_, what in things)


def _verb_each(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    parts, ops = [], []
    for kind in kinds(rng, _count(rng)):
        noun, place, what = _thing(words, rng, kind, 0.5)
        draw = rng.random()
        if draw < 0.55:
            parts.append(f"{words.verb(rng, 'remove', kind)} {noun}{place}")
            ops.append(f"edit {what}")
        elif draw < 0.8:
            amount, share = words.amount(rng)
            parts.append(f"{noun}{place} {amount}")
            ops.append(f"edit {what} ={share:g}")
        else:
            parts.append(f"{words.verb(rng, 'soften', kind)} {noun}{place}")
            ops.append(f"edit {what} soft")
    return _joined(parts, rng), "; ".join(ops)


def _by_place(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    """ "Left cheek: scar. Nose: shine." """
    parts, ops = [], []
    for kind in kinds(rng, _count(rng)):
        able = [p for p in places_for({kind}, rng) if words.has_place(p, "noun")]
        if not able:
            return _by_place(words, rng)
        name = str(rng.choice(able))
        place, noun = words.place(rng, name, "noun"), words.noun(rng, kind)
        parts.append(f"{place}{rng.choice((': ', ': ', ' - ', ', ', ' '))}{noun}")
        ops.append(f"edit {kind} {written_place(name)}")
    return str(rng.choice((". ", "; ", ", ", "\n"))).join(parts), "; ".join(ops)


def _places(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    """One kind in several places."""
    kind = kinds(rng, 1)[0]
    able = [p for p in places_for({kind}, rng) if words.has_place(p, "at")]
    if len(able) < 2:
        return _places(words, rng)
    names = [str(n) for n in rng.choice(able, min(len(able), _count(rng)), replace=False)]
    written = list(dict.fromkeys(p for n in names for p in written_place(n).split(",")))
    said = _joined([words.place(rng, n, "at") for n in names], rng)
    text = f"{words.verb(rng, 'remove', kind)} {words.noun(rng, kind)} {said}"
    return text, f"edit {kind} {','.join(written)}"


def _some_stay(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    """Some go, some stay, in any order, each with its verb."""
    count = int(rng.choice((2, 3), p=(0.6, 0.4)))
    parts, ops = [], []
    stays = [i == 0 or rng.random() < 0.4 for i in range(count)]
    if all(stays):
        stays[-1] = False
    order = rng.permutation(count)
    for i, kind in zip(order, kinds(rng, count), strict=True):
        noun, place, what = _thing(words, rng, kind, 0.4)
        if stays[i]:
            parts.append(str(rng.choice(_STAYS)).format(noun + place))
            ops.append(f"keep {what}")
        elif rng.random() < 0.4:
            parts.append(str(rng.choice(_GOES)).format(noun + place))
            ops.append(f"edit {what}")
        else:
            parts.append(f"{words.verb(rng, 'remove', kind)} {noun}{place}")
            ops.append(f"edit {what}")
    text = parts[0]
    for part in parts[1:]:
        text += str(rng.choice(_BUT)) + part
    return text, "; ".join(ops)


def _all_but(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    things = [_thing(words, rng, kind, 0.35) for kind in kinds(rng, int(rng.choice((1, 1, 2))))]
    kept = [noun + place for noun, place, _ in things]
    said = kept[0] if len(kept) == 1 else " and ".join(kept)
    if rng.random() < 0.6:
        text = str(rng.choice(_ALL_BUT)).format(said)
    else:
        rest = _REST[int(rng.integers(len(_REST)))][0]
        text = str(rng.choice(_STAYS)).format(said) + str(rng.choice(_BUT)) + rest
    return text, "edit blemishes face; " + "; ".join(f"keep {what}" for *_, what in things)


def _here_not_there(words: Bank, rng: np.random.Generator) -> tuple[str, str]:
    """One kind that stays in one place and goes in another, or everywhere else."""
    kind = kinds(rng, 1)[0]
    able = [p for p in places_for({kind}, rng) if words.has_place(p, "at")]
    apart = [(a, b) for a in able for b in able if _apart(a, b)]
    if not apart:
        return _here_not_there(words, rng)
    here, there = apart[int(rng.integers(len(apart)))]
    noun, kept = words.noun(rng, kind), str(rng.choice(_STAYS))
    at = words.place(rng, here, "at")
    if rng.random() < 0.4:
        other, region = str(rng.choice(_ELSEWHERE)), "face"
    else:
        other, region = words.place(rng, there, "at"), written_place(there)
    those = str(rng.choice(("those", "the ones", "them", "it")))
    goes = str(rng.choice(("remove", "lose", "get rid of", "erase", "clear", "take off", "zap")))
    text = kept.format(f"{noun} {at}") + str(rng.choice(_BUT)) + f"{goes} {those} {other}"
    return text, f"keep {kind} {written_place(here)}; edit {kind} {region}"


def _apart(one: str, other: str) -> bool:
    a, b = (set(written_place(p).split(",")) for p in (one, other))
    broad = {"left", "right", "face"}
    return not a & b and not (a | b) & broad


_FORMS = (
    _one_verb,
    _no_verb,
    _verb_each,
    _by_place,
    _places,
    _some_stay,
    _all_but,
    _here_not_there,
)
_SHARES = (0.2, 0.16, 0.16, 0.06, 0.08, 0.18, 0.1, 0.06)
