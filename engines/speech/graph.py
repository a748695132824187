"""The decoding graph: from classes of the sound model to words, weighted by the word model.

Composed as M. Mohri et al. (2008), "Speech recognition with weighted finite-state transducers": T o min(det(L o G)).
G is the trigram, L the dictionary, T takes CTC's blanks and repetitions away (Y. Miao et al., 2015, EESEN). kaldifst
composes; what is here writes down the three.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engines.speech.phones import BLANK, CLASSES, PHONES

_EPSILON = 0
_BACK_OFF = CLASSES + 1
"""Label of the way to a shorter context in L and G; those above it keep words apart that sound the same."""
_START, _END = "<s>", "</s>"


class Words:
    """Words and their numbers in the graph, from 1 on."""

    def __init__(self, words: Iterable[str]) -> None:
        """In the order given."""
        self._words = ["", *words]
        self._numbers = {word: i for i, word in enumerate(self._words) if i}

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, word: str) -> int:
        """Of a word that is there."""
        return self._numbers[word]

    def text(self, numbers: Iterable[int]) -> str:
        """The words of some numbers, with a space between."""
        return " ".join(self._words[number] for number in numbers)


def compiled(arpa: Path, dictionary: Path, scale: float) -> tuple[Any, Words]:
    """The graph, for kaldi_decoder's FasterDecoder, and its words.

    Args:
        arpa: the word model, in ARPA's format.
        dictionary: of the CMU kind, one way to say a word a line.
        scale: of the word model's logarithms beside the sound model's.

    Raises:
        ImportError: kaldifst is not installed.
        ValueError: a file is not what it should be.
    """
    import kaldifst

    ways = list(_ways(dictionary.read_text(encoding="utf-8").splitlines()))
    if not ways:
        raise ValueError(f"{dictionary} holds no pronunciation; name another file")
    words = Words(dict.fromkeys(word for word, _ in ways))
    lines, highest = _lexicon(ways, words)
    lexicon = kaldifst.compile("\n".join(lines), fst_type="vector")
    # back-off arcs of G have this label, words do not reach so far
    back_off = len(words) + 1
    kaldifst.add_self_loops(lexicon, [_BACK_OFF], [back_off])
    kaldifst.arcsort(lexicon, "olabel")
    model = arpa.read_text(encoding="utf-8").splitlines()
    grammar = kaldifst.compile("\n".join(_grammar(model, words, back_off, scale)))
    kaldifst.arcsort(grammar, "ilabel")
    graph = kaldifst.compose(lexicon, grammar)
    if kaldifst.determinize_star(graph, max_states=5_000_000):
        raise ValueError(
            f"{arpa} and {dictionary} make too large a graph; count a smaller word model"
        )
    kaldifst.minimize_encoded(graph)
    kaldifst.arcsort(graph, "ilabel")
    topology = kaldifst.compile("\n".join(_topology()))
    apart = list(range(_BACK_OFF, highest + 1))
    kaldifst.add_self_loops(topology, [_EPSILON] * len(apart), apart)
    kaldifst.arcsort(topology, "olabel")
    found = kaldifst.compose(topology, graph)
    kaldifst.arcsort(found, "ilabel")
    if found.start < 0:  # kaldi-decoder would crash
        raise ValueError(
            f"{arpa} and {dictionary} allow no sentence; name files that belong together"
        )
    return found, words


def _ways(lines: Iterable[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in lines:
        name, _, phones = line.partition(" ")
        if not phones or not set(phones.split()) <= set(PHONES):
            raise ValueError(f"{line!r} is no pronunciation; ARPAbet is needed")
        yield name.split("(")[0], tuple(PHONES.index(phone) + 2 for phone in phones.split())


def _lexicon(ways: list[tuple[str, tuple[int, ...]]], words: Words) -> tuple[list[str], int]:
    """L's arcs, and the highest label. Each way to say a word ends in a label that tells it from others alike."""
    lines, state, met = [], 1, dict[tuple[int, ...], int]()
    for word, phones in ways:
        met[phones] = apart = met.get(phones, 0) + 1
        labels = (*phones, _BACK_OFF + apart)
        here = 0
        for i, label in enumerate(labels):
            there = 0 if i == len(labels) - 1 else state
            lines.append(f"{here} {there} {label} {words.number(word) if i == 0 else _EPSILON}")
            here, state = there, state + (there != 0)
    return [*lines, "0"], _BACK_OFF + max(met.values())


def _grammar(lines: Iterable[str], words: Words, back_off: int, scale: float) -> Iterator[str]:
    """G's arcs: a state for each context, and the way to the next shorter one."""
    states: dict[tuple[str, ...], int] = {(_START,): 0, (): 1}

    def state(context: tuple[str, ...]) -> int:
        return states.setdefault(context, len(states))

    rows = list(_ngrams(lines))
    contexts = {gram for gram, _, _ in rows if len(gram) < 3}
    found, ends = [], []
    for gram, log10, back10 in rows:
        cost = -scale * math.log(10) * log10
        *before, last = gram
        if last == _END:
            ends.append(f"{state(tuple(before))} {cost:.4f}")
        elif last in words:
            after = gram if len(gram) < 3 else gram[1:]
            while after not in contexts:
                after = after[1:]
            number = words.number(last)
            found.append(f"{state(tuple(before))} {state(after)} {number} {number} {cost:.4f}")
        if len(gram) < 3 and last != _END and (last in words or last == _START):
            away = -scale * math.log(10) * back10
            found.append(f"{state(gram)} {state(gram[1:])} {back_off} {_EPSILON} {away:.4f}")
    yield from sorted(
        found, key=lambda line: line.split()[0] != "0"
    )  # the first line's state begins
    yield from ends


def _ngrams(lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """(words, log10 of the probability, log10 of the back-off) of each n-gram."""
    for line in lines:
        parts = line.split("\t")
        if len(parts) > 1:
            yield tuple(parts[1].split()), float(parts[0]), float(parts[2]) if parts[2:] else 0.0


def _topology() -> Iterator[str]:
    """T's arcs. Labels are classes plus one, as the decoder numbers them."""
    blank = BLANK + 1
    for here in range(CLASSES):  # the class of the frame before
        yield f"{here} {here} {here + 1} {_EPSILON}"
        if here:
            yield f"{here} 0 {blank} {_EPSILON}"
        for there in range(1, CLASSES):
            if there != here:
                yield f"{here} {there} {there + 1} {there + 1}"
    yield from (str(here) for here in range(CLASSES))
