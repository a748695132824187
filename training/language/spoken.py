"""Sentences as they are spoken: small words for figures and signs, and only words with a known pronunciation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from training.language.commands import command
from training.language.corpus import plain

EXTRA = Path(__file__).with_name("pronunciations.dict")
"""Pronunciations of words that the recogniser's own dictionary does not know."""
Pronunciations = Mapping[str, tuple[str, ...]]
"""Word -> phones of each way to say it."""
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_MOST_WORDS = 16
"""Longer sentences are typed, not said with a button held down."""
_COMMANDS = 0.33
"""Share of sentences that are short commands in common words; the others are of the corpus."""
_WORD = re.compile(r"[a-z][a-z']*|\d+")
_ENDS = re.compile(r"[^a-z0-9' ]+")


def number_words(number: int) -> str:
    """0 to 100 in words, without a hyphen; greater ones digit by digit."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        ones = number % 10
        return _TENS[number // 10] + (f" {_ONES[ones]}" if ones else "")
    if number == 100:
        return "one hundred"
    return " ".join(_ONES[int(digit)] for digit in str(number))


def words_said(text: str) -> list[str]:
    """The words of a sentence as they are said: "50%" becomes fifty percent, "T-zone" t zone."""
    text = text.lower().replace("\u2019", "'").replace("%", " percent ").replace("&", " and ")
    text = re.sub(r"\bper cent\b", "percent", text)  # nobody hears the difference
    found = []
    for word in _WORD.findall(_ENDS.sub(" ", text)):
        found += number_words(int(word)).split() if word.isdigit() else [word.rstrip("'")]
    return found


def read_pronunciations(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """A dictionary of the CMU kind: ``word PH ON ES``, further ways as ``word(2)``."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, phones = line.strip().partition(" ")
        if phones and not name.startswith(("#", ";")):
            word = re.sub(r"\(\d+\)$", "", name)
            found[word] = (*found.get(word, ()), " ".join(phones.split()))
    return found


@cache
def pronunciations() -> Pronunciations:
    """How words sound, the common ones and those of the corpus.

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    import pocketsphinx

    path = Path(pocketsphinx.get_model_path("en-us")) / "cmudict-en-us.dict"
    found = read_pronunciations(path.read_text(encoding="utf-8").splitlines())
    return found | read_pronunciations(EXTRA.read_text(encoding="utf-8").splitlines())


def sentences(
    rng: np.random.Generator, count: int, known: Pronunciations
) -> Iterator[tuple[str, ...]]:
    """So many sentences whose words can all be said; others are drawn again."""
    found = 0
    while found < count:
        make = command if rng.random() < _COMMANDS else plain
        words = tuple(words_said(make(rng)))
        if 0 < len(words) <= _MOST_WORDS and all(word in known for word in words):
            found += 1
            yield words


def frequent(drawn: Iterable[tuple[str, ...]], least: int) -> list[tuple[str, ...]]:
    """Each sentence once, if all its words come at least so often: rare words cost more than they bring."""
    rows = list(dict.fromkeys(drawn))
    counts = Counter(word for row in rows for word in row)
    return [row for row in rows if all(counts[word] >= least for word in row)]
