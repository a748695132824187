"""From words to tags: which stretch of a sentence means what, longest phrase first. Pure.

A tag is a category, a place, a side, an amount, a verb, a mark of negation and so on; `language.asks` puts them
together. Words that mean nothing here become tags of kind ``word``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stream_retouch.language import lexicon
from stream_retouch.language.words import Speller, words_of


@dataclass(frozen=True, slots=True)
class Tag:
    """A stretch of words and what it stands for."""

    kind: str
    """category, several, place, side, amount, command, left_out, injection, a kind of verb, a mark, or word."""
    text: str
    """The words, as the lexicon spells them."""
    values: tuple[str, ...] = ()
    """What a category, place, side, command or left_out stands for."""
    amount: float = 0.0
    """0..1, of kind ``amount`` only."""
    plural: bool = False
    """Whether the lexicon's phrase was met in its plural."""


def _plurals(phrase: str) -> list[str]:
    if phrase.endswith("y") and phrase[-2:-1] not in tuple("aeiou"):
        return [phrase[:-1] + "ies"]
    if phrase.endswith(("s", "x", "ch", "sh")):
        return [phrase + "es"]
    return [phrase + "s"]


def _participle(phrase: str) -> str:
    """ "take off" to "taking off"."""
    first, _, rest = phrase.partition(" ")
    if first.endswith("e") and not first.endswith("ee"):
        first = first[:-1]
    elif first in ("get", "rid", "zap", "cut", "dim", "put"):
        first += first[-1]
    return f"{first}ing {rest}".strip()


def _entries() -> Iterator[tuple[str, Tag]]:
    """Every phrase with its tag; where a phrase is told twice the first one counts."""
    for phrase in lexicon.FILLERS + lexicon.NOT_AMOUNTS:
        yield phrase, Tag("word", phrase)
    for phrase in lexicon.INJECTIONS:
        yield phrase, Tag("injection", phrase)
    for phrase in lexicon.CORRECTIONS:
        yield phrase, Tag("correct", phrase)
    for command, phrases in lexicon.COMMANDS.items():
        for phrase in phrases:
            yield phrase, Tag("command", phrase, (command,))
    for phrase, label in lexicon.LEFT_OUT.items():
        if " " in phrase or phrase not in lexicon.REMOVE:
            yield phrase, Tag("left_out", phrase, (label,))
    nouns = [("category", lexicon.CATEGORIES), ("place", lexicon.PLACES)]
    for kind, table in nouns:
        for name, phrases in table.items():
            for phrase in phrases:
                yield phrase, Tag(kind, phrase, (name,))
    for phrase, names in lexicon.SEVERAL.items():
        yield phrase, Tag("several", phrase, names)
    for word, side in lexicon.SIDES.items():
        yield word, Tag("side", word, (side,))
    for phrase, amount in lexicon.AMOUNTS.items():
        yield phrase, Tag("amount", phrase, amount=amount)
    plain = {
        "up": lexicon.UPS, "down": lexicon.DOWNS, "except": lexicon.EXCEPTS, "stays": lexicon.STAYS,
        "goes": lexicon.GOES, "keep": lexicon.KEEP, "remove": lexicon.REMOVE + lexicon.TOUCH,
        "soften": lexicon.SOFTEN, "add": lexicon.ADD, "have": lexicon.HAVE, "make": lexicon.MAKE,
        "worse": lexicon.WORSE, "neg": lexicon.NEGATIONS, "but": lexicon.BUTS, "only": lexicon.ONLYS,
        "also": lexicon.ALSOS, "other": lexicon.OTHERS, "end": lexicon.ENDS, "no": (lexicon.NO,),
        "sep": tuple(lexicon.JOINERS), "stop": tuple(".;!?"), "det": tuple(lexicon.DETERMINERS),
        "pronoun": tuple(lexicon.PRONOUNS),
        "prep": tuple(
            lexicon.UNDER | lexicon.AROUND | lexicon.BESIDE | lexicon.PREPOSITIONS | {"between", "above"}
        ),
    }  # fmt: skip
    for kind, listed in plain.items():
        for phrase in listed:
            yield phrase, Tag(kind, phrase)
    for kind, verbs in (
        ("remove", lexicon.REMOVE + lexicon.TOUCH),
        ("soften", lexicon.SOFTEN),
        ("keep", lexicon.KEEP),
        ("add", lexicon.ADD),
    ):
        for phrase in verbs:
            yield _participle(phrase), Tag(kind, phrase)
    for kind, table in nouns:
        for name, phrases in table.items():
            for phrase in phrases:
                for plural in _plurals(phrase):
                    yield plural, Tag(kind, phrase, (name,), plural=True)


def _table(entries: Iterable[tuple[str, Tag]]) -> dict[str, list[tuple[tuple[str, ...], Tag]]]:
    found: dict[tuple[str, ...], Tag] = {}
    for phrase, tag in entries:
        found.setdefault(tuple(phrase.split()), tag)
    table: dict[str, list[tuple[tuple[str, ...], Tag]]] = {}
    for words, tag in sorted(found.items(), key=lambda item: -len(item[0])):
        table.setdefault(words[0], []).append((words, tag))
    return table


_PHRASES = _table(_entries())
_MISHEARD = _table((said, Tag("word", meant)) for said, meant in lexicon.MISHEARD.items())
_SPELLER = Speller(
    {w for listed in _PHRASES.values() for words, _ in listed for w in words}
    | set(lexicon.NUMBERS)
    | lexicon.PERCENT
    | {w for said in (*lexicon.MISHEARD, *lexicon.MISHEARD_AFTER) for w in said.split()}
    | {"please", "could", "would", "should", "under", "about", "thanks"}
)


def _longest(
    table: dict[str, list[tuple[tuple[str, ...], Tag]]], words: list[str], at: int
) -> tuple[int, Tag] | None:
    for phrase, tag in table.get(words[at], ()):
        if tuple(words[at : at + len(phrase)]) == phrase:
            return len(phrase), tag
    return None


def _heard_right(words: list[str]) -> list[str]:
    """The words with slips mended: those of the recogniser's and of the typist's."""
    mended: list[str] = []
    at = 0
    while at < len(words):
        hit = _longest(_MISHEARD, words, at)
        if hit is not None:
            mended += hit[1].text.split()
            at += hit[0]
            continue
        word = words[at]
        if word in lexicon.MISHEARD_AFTER and mended and mended[-1] in lexicon.MISHEARD_CUES:
            word = lexicon.MISHEARD_AFTER[word]
        mended.append(_SPELLER.mended(word))
        at += 1
    return mended


def _number(words: list[str], at: int) -> tuple[int, float] | None:
    """How many words from `at` tell a number, and the number: "seventy five" is (2, 75.0)."""
    if words[at][0].isdigit():
        try:
            return 1, float(words[at].replace(",", "."))
        except ValueError:
            return None
    total, used = 0.0, 0
    while at + used < len(words) and words[at + used] in lexicon.NUMBERS:
        value = lexicon.NUMBERS[words[at + used]]
        total = max(total, 1.0) * 100 if value == 100 else total + value
        used += 1
    return (used, total) if used else None


def _told_amount(words: list[str], at: int) -> tuple[int, Tag] | None:
    """An amount told as a number: "seventy percent", "70 %", "to 70", "0.7", "seven out of ten"."""
    start = at + (words[at] in ("a", "about", "by", "to", "at") and at + 1 < len(words))
    number = _number(words, start)
    if number is None:
        return None
    end = start + number[0]
    share: float | None = None
    if end < len(words) and words[end] in lexicon.PERCENT:
        share, end = number[1] / 100, end + 1
    elif words[end : end + 2] == ["per", "cent"]:
        share, end = number[1] / 100, end + 2
    elif words[end : end + 2] == ["out", "of"] and end + 2 < len(words):
        whole = _number(words, end + 2)
        if whole is not None and whole[1] > 0:
            share, end = number[1] / whole[1], end + 2 + whole[0]
    elif "." in words[start] and 0.0 < number[1] <= 1.0:
        share = number[1]
    elif start > at and words[at] in ("by", "to", "at") and 10 <= number[1] <= 100:
        share = number[1] / 100
    if share is None:
        return None
    return end - at, Tag("amount", "number", amount=min(1.0, max(0.0, share)))


def _is_side(words: list[str], at: int) -> bool:
    """Whether "left", "right" or "two" at `at` tells a side."""
    after = words[at + 1] if at + 1 < len(words) else ""
    before = words[at - 1] if at else ""
    if words[at] == "two":
        return after.startswith(("cheek", "side", "eye", "temple"))
    if words[at] == "right":
        return after not in lexicon.NOT_A_SIDE_BEFORE and before not in (
            "thats",
            "all",
            "its",
            "is",
        )
    return not (
        words[at] == "left" and (after == "over" or before in ("whats", "is", "are", "have"))
    )


def tags_of(text: str) -> list[Tag]:
    """The tags of `text`, in order; every word belongs to one tag."""
    words = _heard_right(words_of(text))
    tags: list[Tag] = []
    at = 0
    while at < len(words):
        hit = _told_amount(words, at) or _longest(_PHRASES, words, at)
        if hit is not None and hit[1].kind == "side" and not _is_side(words, at):
            hit = None
        used, tag = hit or (1, Tag("word", words[at]))
        if tag.text == "half" and (not tags or tags[-1].kind not in ("side", "other")):
            tag = Tag("amount", "half", amount=0.5)
        tags.append(tag)
        at += used
    return [_moved(tags, i) for i in range(len(tags))]


def _moved(tags: list[Tag], at: int) -> Tag:
    """The tag at `at`; a place that a preposition shifts becomes the place meant."""
    tag = tags[at]
    if tag.kind != "place":
        return tag
    for before in reversed(tags[max(0, at - 4) : at]):
        if before.kind == "prep" and before.text in lexicon.UNDER:
            how = "under"
        elif before.kind == "prep" and before.text in lexicon.AROUND:
            how = "around"
        elif before.kind == "prep" and before.text in lexicon.BESIDE:
            how = "beside"
        elif before.kind == "prep" and before.text in ("between", "above"):
            how = before.text
        elif before.kind in ("det", "side", "other") or before.text in ("of", "to"):
            continue
        else:
            return tag
        name = lexicon.MOVED.get((how, tag.values[0]))
        return tag if name is None else Tag("place", tag.text, (name,))
    return tag


_NAMES = frozenset(("sep", "det", "category", "prep", "place", "side", "also"))


def goes_on(text: str) -> bool:
    """Whether the turn only names something more and says nothing of it: "and the mole on my chin"."""
    tags = tags_of(text)
    kinds = [tag.kind for tag in tags]
    begins = bool(tags) and (tags[0].kind == "also" or tags[0].text == "and")
    return begins and "category" in kinds and _NAMES.issuperset(kinds)


def unknown(text: str) -> int:
    """How many words of `text` may say something that the word tables do not know."""
    return sum(tag.kind == "word" and tag.text not in lexicon.IDLE for tag in tags_of(text))
