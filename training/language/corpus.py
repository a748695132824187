"""The corpus that the planner's network learns from: a sentence, the program it means, whether a look was on before.

Sentences come from frames whose slots are filled (`frames`, `banks`), from whole sentences written by hand, and from
composing verbs, nouns, places and amounts; then `noise` does what hands and recognisers do. Every program is true by
construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from stream_retouch.language.program import Op, parsed
from training.language.banks import LANGUAGES, Bank, bank, kinds, places_for, written_place
from training.language.chatter import amid_chatter
from training.language.frames import Pair, cancels, filled, gerund, lines
from training.language.noise import heard, typed
from training.language.several import several
from training.language.vary import varied


@dataclass(frozen=True, slots=True)
class Said:
    """One example."""

    text: str
    ops: tuple[Op, ...]
    later: bool
    """Whether something was asked before, so that "it" and "more" have a meaning."""


@cache
def _bank(language: str) -> Bank:
    return bank(language)


def example(rng: np.random.Generator) -> Said:
    """One sentence."""
    make, later = _PARTS[int(rng.choice(len(_PARTS), p=_SHARES))]
    text, program = make(rng)
    if make is not _heard:
        noisy = heard(text, rng) if rng.random() < 0.12 else typed(text, rng)
        text = noisy if noisy.strip() else text
    if make in (_composed, _framed, _several, _whole, _joined):
        if rng.random() < 0.08:
            text = _with_chatter(text, rng)
        if rng.random() < 0.14:
            text = amid_chatter(text, rng)
    ops = parsed(program)
    if later is None:
        later = bool(rng.random() < 0.4)
    return Said(text, ops, later)


def _framed(rng: np.random.Generator) -> Pair:
    return filled(_any(lines("frames", "en", "en_scope", "en_multi"), rng), _bank("en"), rng)


def _framed_follow_up(rng: np.random.Generator) -> Pair:
    return filled(_any(lines("frames", "en_follow_up", "en_follow_up2"), rng), _bank("en"), rng)


def _whole(rng: np.random.Generator) -> Pair:
    return varied(_any(lines("whole", *_WHOLE), rng), rng)


def _follow_up(rng: np.random.Generator) -> Pair:
    return varied(_any(lines("whole", *_FOLLOW_UPS), rng), rng)


def _rejected(rng: np.random.Generator) -> Pair:
    return _any(lines("whole", "en_rejected"), rng)


def _heard(rng: np.random.Generator) -> Pair:
    return varied(_any(lines("whole", "en_heard", "en_heard2", "en_sphinx"), rng), rng)


def _listed(rng: np.random.Generator) -> Pair:
    parts = _bank("en").listed
    return _any(parts[str(rng.choice(("commands", "degree"), p=(0.6, 0.4)))], rng)


def _joined(rng: np.random.Generator) -> Pair:
    """Two sentences of one turn, if the second takes nothing of the first back."""
    (one, first), (other, second) = (
        make(rng) for make in (_PLAIN[int(i)] for i in rng.integers(len(_PLAIN), size=2))
    )
    program = f"{first}; {second}"
    acts = {op.act for op in parsed(program)}
    if not acts <= {"edit", "keep"} or cancels(program) or len(one) + len(other) > 200:
        return one, first
    joint = str(
        rng.choice((". ", ". ", ", ", " and ", ". also ", "\n", "; ", ". oh and ", " plus "))
    )
    return one.rstrip(".!") + joint + other, program


def _several(rng: np.random.Generator) -> Pair:
    return several(_bank("en"), rng)


def _clause(rng: np.random.Generator) -> Pair:
    return _any(_bank("en").listed["clauses"], rng)


def foreign(rng: np.random.Generator) -> Pair:
    """A sentence of another language than English."""
    language = str(rng.choice(LANGUAGES[1:]))
    kind = rng.random()
    if kind < 0.55:
        return filled(_any(lines("frames", language), rng), _bank(language), rng)
    if kind < 0.85:
        return _any(lines("whole", language), rng)
    parts = _bank(language).listed
    return _any(parts["commands" if kind < 0.95 else "degree"], rng)


def _composed(rng: np.random.Generator) -> Pair:
    """One to three clauses of verb, noun, place and amount, joined; or what a place is like."""
    words = _bank("en")
    if rng.random() < 0.2:
        return _predicate(words, rng)
    count = int(rng.choice((1, 2, 3), p=(0.6, 0.3, 0.1)))
    said, programs = [], []
    for i, kind in enumerate(kinds(rng, count)):
        text, program = _clause_of(kind, words, rng, keeps=i > 0 and rng.random() < 0.35)
        said.append(text)
        programs.append(program)
    joined = said[0]
    for text, program in zip(said[1:], programs[1:], strict=True):
        but = (
            (" but ", ", but ", ". ", " though ")
            if program.startswith("keep")
            else (" and ", ", ", ", also ", ". ", " then ", " plus ")
        )
        joined += str(rng.choice(but)) + text
    if rng.random() < 0.3:
        joined = _asked_for(joined, words, rng)
    return joined, "; ".join(programs)


def _asked_for(clause: str, words: Bank, rng: np.random.Generator) -> str:
    """A clause that begins with its verb, as a question or an intent: "would you mind taking away the spots"."""
    which = "question_front" if rng.random() < 0.65 else "intent_front"
    front = str(rng.choice(words.tables["manner"][which]))
    if "{v-ing}" in front:
        return front.replace("{v-ing}", gerund(clause))
    return f"{front} {clause}{'?' if which == 'question_front' and rng.random() < 0.5 else ''}"


def _clause_of(kind: str, words: Bank, rng: np.random.Generator, keeps: bool) -> Pair:
    noun = words.noun(rng, kind)
    place, region = "", "face"
    if rng.random() < 0.45:
        name = str(rng.choice([p for p in places_for({kind}, rng) if words.has_place(p, "at")]))
        place, region = " " + words.place(rng, name, "at"), written_place(name)
    if keeps:
        return _split(rng, words, "keep", kind, noun + place), f"keep {kind} {region}"
    soft = rng.random() < 0.35
    amount, how = "", " soft" if soft else ""
    if rng.random() < 0.3:
        amount, share = words.amount(rng)
        how = f" ={share:g}"
    text = _split(rng, words, "soften" if soft else "remove", kind, noun + place)
    if amount:
        text = f"{text} {amount}" if rng.random() < 0.75 else f"{amount} {text}"
    return text, f"edit {kind} {region}{how}"


def _split(rng: np.random.Generator, words: Bank, which: str, kind: str, noun: str) -> str:
    """The noun behind a verb ("get rid of X"), or inside one ("take X away")."""
    if rng.random() < 0.3:
        return str(rng.choice(words.tables["verbs"][f"{which}_split"])).replace("{x}", noun)
    return f"{words.verb(rng, which, kind)} {noun}"


def _predicate(words: Bank, rng: np.random.Generator) -> Pair:
    """ "My nose is so shiny", "make my chin less red"."""
    kind = kinds(rng, 1)[0]
    adjectives = words.tables["kinds"][kind].get("adjective")
    able = [p for p in places_for({kind}, rng) if words.has_place(p, "noun")]
    if not adjectives or not able or kind in ("blemishes", "dark_circle"):
        return _predicate(words, rng)
    name = str(rng.choice(able))
    place, adjective = words.place(rng, name, "noun"), str(rng.choice(adjectives))
    plural = name in ("cheeks", "under_eyes")
    verb = "are" if plural else str(rng.choice(("is", "looks", "is looking", "feels")))
    region = written_place(name)
    frame, how = _PREDICATES[int(rng.integers(len(_PREDICATES)))]
    text = frame.format(place=place, verb=verb, adjective=adjective)
    return text, f"edit {kind} {region}{how}"


_PREDICATES = (
    ("{place} {verb} {adjective}", ""),
    ("{place} {verb} so {adjective}", ""),
    ("{place} {verb} too {adjective}", ""),
    ("{place} {verb} {adjective} today, fix it", ""),
    ("{place} {verb} really {adjective}, help", ""),
    ("make {place} less {adjective}", " soft"),
    ("make {place} not so {adjective}", " soft"),
    ("can {place} be less {adjective}", " soft"),
    ("{place} {verb} a bit {adjective}, can you sort it", ""),
    ("why {verb} {place} so {adjective}", ""),
    ("ugh {place} {verb} {adjective} again", ""),
)


def _with_chatter(text: str, rng: np.random.Generator) -> str:
    manner = _bank("en").tables["manner"]
    if rng.random() < 0.5:
        front = str(rng.choice(manner[str(rng.choice(("please_front", "chatter_front")))]))
        return f"{front} {text}"
    end = str(rng.choice(manner[str(rng.choice(("please_end", "chatter_end")))]))
    return f"{text}{end}" if end.startswith(",") else f"{text} {end}"


def _any(pairs: tuple[Pair, ...] | list[Pair], rng: np.random.Generator) -> Pair:
    return pairs[int(rng.integers(len(pairs)))]


_WHOLE = (
    "en",
    "en_indirect",
    "en_indirect2",
    "en_indirect3",
    "en_indirect4",
    "en_indirect5",
    "en_indirect6",
    "en_scope",
    "en_scope2",
    "en_scope3",
    "en_scope4",
    "en_scope5",
    "en_multi",
    "en_multi2",
    "en_multi3",
    "en_places",
    "en_rough",
    "en_long",
    "en_long2",
    "en_long3",
    "en_long4",
)
_FOLLOW_UPS = ("en_follow_up", *(f"en_follow_up{i}" for i in range(2, 9)))
"""Files of whole sentences."""
_PLAIN = (_whole, _framed, _composed, _clause)
_MIX: tuple[tuple[Callable[[np.random.Generator], Pair], bool | None, float], ...] = (
    (_framed, None, 0.11),
    (_composed, None, 0.08),
    (_several, None, 0.11),
    (_framed_follow_up, True, 0.05),
    (_whole, None, 0.37),
    (_follow_up, True, 0.15),
    (_rejected, None, 0.05),
    (_heard, None, 0.08),
    (_listed, None, 0.02),
    (_clause, None, 0.01),
    (_joined, None, 0.06),
    (foreign, None, 0.16),
)
"""What is drawn, whether a look is on before it (None: it may be), and how often."""
_PARTS = [(make, later) for make, later, _ in _MIX]
_SHARES = np.array([share for *_, share in _MIX]) / sum(share for *_, share in _MIX)


def pair(rng: np.random.Generator) -> Pair:
    """An English sentence as it was meant, without noise, and its program."""
    make = _MEANT[int(rng.choice(len(_MEANT), p=_MEANT_SHARES))]
    return make(rng)


def plain(rng: np.random.Generator) -> str:
    """An English sentence as it was meant, without noise: what a recogniser's word model is counted from."""
    return pair(rng)[0]


_MEANT = (_framed, _composed, _framed_follow_up, _whole, _follow_up, _listed, _clause)
_MEANT_SHARES = (0.19, 0.06, 0.09, 0.43, 0.19, 0.03, 0.01)
"""Those with which word models of the parts, mixed, tell the development set's sentences best."""
