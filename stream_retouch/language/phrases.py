"""Tags cut into phrases. Pure.

A phrase has one verb at most: "keep my freckles and moles", "soften the lines on my forehead a little".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stream_retouch.language import lexicon
from stream_retouch.language.reading import Tag

_VERBS = frozenset(("remove", "soften", "keep", "add", "make", "have"))
_NOUNS = frozenset(("category", "several", "place"))
_NO_SPLIT = frozenset(("off", "out", "away"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where, as it was said: a lexicon place, and the side if one was told."""

    name: str
    side: str = ""
    """left, right, both, other, or empty."""


@dataclass(slots=True)
class Group:
    """What is named together with where."""

    kinds: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    front: bool = False
    """Whether the place was named before the kind: "my nose is shiny"."""
    amount: float | None = None
    adjective: bool = False
    """Whether the kind is a word like "shiny"."""
    implied: bool = False
    """Whether the kind was only hinted at: "I am tired"."""


@dataclass(slots=True)
class Phrase:
    """A stretch of tags with one verb at most."""

    tags: list[Tag] = field(default_factory=list)
    verb: str = ""
    """remove, soften, keep, add, make, have, or empty."""
    smooth: bool = False
    negations: int = 0
    post: str = ""
    """What follows the noun: stays, goes, or empty."""
    complete: bool = False
    """Whether `post` ends what is said of the noun: "spots gone, ..."; "off" does not."""
    excepted: bool = False
    after_but: bool = False
    correct: bool = False
    only: bool = False
    also: bool = False
    pronoun: bool = False
    change: str = ""
    """up, down, or empty."""
    scale: str = ""
    """How much `change` means: small, big, or empty."""
    adding: bool = False
    """Whether more of a thing is wished, which cannot be done."""
    left_out: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    amount: float | None = None
    """The amount told when the phrase names nothing."""

    @property
    def names(self) -> bool:
        """Whether anything is named."""
        return any(tag.kind in _NOUNS or tag.kind == "side" for tag in self.tags)

    @property
    def names_kinds(self) -> bool:
        """Whether a kind of imperfection is named."""
        return any(tag.kind in ("category", "several") for tag in self.tags)


def _shifted(tags: Sequence[Tag]) -> list[Tag]:
    """Corrections that trail ("..., the cheek I mean") moved before what they correct."""
    moved = list(tags)
    for i, tag in enumerate(tags):
        if tag.kind != "correct" or tag.text not in lexicon.TRAILING_CORRECTIONS:
            continue
        rest = next((t.kind for t in tags[i + 1 :] if t.kind != "word"), "stop")
        start = next((j for j in range(i - 1, -1, -1) if tags[j].kind in ("sep", "stop")), -1)
        named = any(t.kind in _NOUNS for t in tags[start + 1 : i])
        if rest == "stop" and named:
            moved.insert(start + 1, moved.pop(i))
    return moved


def _no(tags: Sequence[Tag], at: int, phrase: Phrase) -> str:
    """What a bare "no" at `at` is: remove ("no shine"), correct ("no, the left one"), or word."""
    after = tags[at + 1].kind if at + 1 < len(tags) else ""
    if after in ("category", "several"):
        return "remove"
    at_start = not phrase.names and not phrase.verb or (at and tags[at - 1].kind == "sep")
    if at_start and after in ("sep", "det", "side", "other", "place"):
        return "correct"
    return "word"


class _Cutter:
    """Collects tags into phrases."""

    def __init__(self) -> None:
        self.phrases: list[Phrase] = []
        self.current = Phrase()
        self.joined = False

    def cut(self) -> Phrase:
        if self.current.tags or self.current.verb or self.current.negations:
            self.phrases.append(self.current)
            self.current = Phrase()
        self.joined = False
        return self.current

    def verb(self, tag: Tag, kind: str) -> None:
        phrase = self.current
        light = phrase.verb in ("", "have", "make")
        placed_first = phrase.names and not phrase.names_kinds and light
        free = phrase.verb in ("", "have", "make", "add") and not phrase.names
        aside = any(t.kind in ("injection", "left_out") for t in phrase.tags)
        if self.joined and (aside or (phrase.negations and not phrase.verb)):
            free = placed_first = False
        if not (free or placed_first) and not (kind == "have" and not self.joined):
            phrase = self.cut_before_amount()
        if kind != "have" or not phrase.verb:
            phrase.verb = kind
        # "Do the nose" repeats what was done elsewhere.
        phrase.also = phrase.also or tag.text == "do"
        phrase.smooth = phrase.smooth or tag.text.startswith(("smooth", "iron"))
        phrase.tags.append(tag)

    def cut_before_amount(self) -> Phrase:
        """Cuts; an amount after the last "and" goes with what comes: "and slightly fade"."""
        tags = self.current.tags
        at = next((i for i in range(len(tags) - 1, -1, -1) if tags[i].kind == "sep"), len(tags))
        rest = tags[at:]
        if any(t.kind in _NOUNS for t in rest) or not any(t.kind == "amount" for t in rest):
            return self.cut()
        self.current.tags = tags[:at]
        phrase = self.cut()
        phrase.tags = rest
        return phrase

    def split_last(self) -> Phrase:
        """Makes what follows the last "and" or comma a phrase of its own, when it names something."""
        tags = self.current.tags
        at = next((i for i in range(len(tags) - 1, 0, -1) if tags[i].kind == "sep"), 0)
        if (
            at
            and any(t.kind in _NOUNS for t in tags[at:])
            and any(t.kind in _NOUNS for t in tags[:at])
        ):
            self.current.tags, rest = tags[:at], tags[at:]
            self.cut().tags = rest
        return self.current

    def noun(self, tag: Tag) -> None:
        phrase = self.current
        if self.joined and phrase.complete and phrase.names_kinds and tag.kind != "side":
            phrase = self.cut()
        phrase.tags.append(tag)
        self.joined = False


def cut(tags: Sequence[Tag]) -> list[Phrase]:
    """The phrases of a turn, in order; `language.grouping` fills their groups."""
    cutter = _Cutter()
    moved = _shifted(tags)
    for i, tag in enumerate(moved):
        _take(cutter, moved, i, tag)
    cutter.cut()
    return cutter.phrases


def _take(cutter: _Cutter, tags: Sequence[Tag], at: int, tag: Tag) -> None:
    kind = _no(tags, at, cutter.current) if tag.kind == "no" else tag.kind
    phrase = cutter.current
    if kind in ("stop", "end"):
        cutter.cut()
    elif kind == "but":
        cutter.cut().after_but = True
    elif kind == "except":
        if tag.text.startswith(("everything", "anything", "all")):
            cutter.noun(Tag("category", "everything", ("blemishes",)))
        phrase = cutter.cut()
        if tag.text == "nothing but":
            phrase.only = True
        else:
            phrase.excepted = True
    elif kind == "correct":
        cutter.cut().correct = True
    elif kind in _VERBS:
        cutter.verb(tag, kind)
    elif kind == "neg":
        if phrase.names or phrase.verb in ("remove", "soften", "keep"):
            phrase = cutter.cut()
        without = tag.text == "without" and not _verb_next(tags, at)
        if without:
            phrase.verb = phrase.verb or "have"
        phrase.negations += 1
        phrase.tags.append(tag)
    elif kind in ("stays", "goes"):
        if kind == "stays" and phrase.verb in ("remove", "soften"):
            phrase = cutter.split_last()
        if kind == "stays" or phrase.post != "stays":
            phrase.post = kind
        phrase.complete = phrase.complete or tag.text not in _NO_SPLIT
        if tag.text in lexicon.SOFT_GOES and phrase.verb in ("", "have", "make"):
            phrase.verb = "soften"
        phrase.tags.append(tag)
    elif kind in ("up", "down"):
        _relative(cutter, tags, at, kind)
    elif kind == "only":
        after = tags[at + 1].kind if at + 1 < len(tags) else ""
        if phrase.names and (phrase.negations or phrase.excepted or phrase.verb == "keep"):
            phrase = cutter.cut()
        phrase.only = phrase.only or after in ("det", "category", "place", "side", "prep")
        phrase.tags.append(tag)
    elif kind in _NOUNS or kind in ("side", "other"):
        after = tags[at + 1].kind if at + 1 < len(tags) else ""
        worn = after == "left_out" and tag.text in lexicon.ADJECTIVES
        if not worn and not (tag.text in lexicon.VAGUE and _is_idle(phrase, tags, at)):
            cutter.noun(tag)
    elif kind == "command":
        _command(cutter, tag)
    else:
        if kind == "worse" and phrase.verb in ("make", "add"):
            phrase.adding = True
        if kind == "left_out" and tag.values[0] == lexicon.ERRANDS:
            phrase = cutter.cut()
        cutter.joined = cutter.joined or kind == "sep"
        phrase.also = phrase.also or kind == "also"
        phrase.pronoun = phrase.pronoun or kind == "pronoun"
        if kind == "left_out":
            phrase.left_out.append(tag.values[0])
        phrase.tags.append(tag)


def _is_idle(phrase: Phrase, tags: Sequence[Tag], at: int) -> bool:
    """Whether neither a verb nor a place says that the vague word at `at` is to be retouched."""
    near = [t.kind for t in (*phrase.tags, *tags[at + 1 : at + 6])]
    return (
        phrase.verb not in ("remove", "soften", "keep")
        and not phrase.excepted
        and "place" not in near
    )


def _verb_next(tags: Sequence[Tag], at: int) -> bool:
    return next((t.kind in _VERBS for t in tags[at + 1 :] if t.kind != "word"), False)


def _command(cutter: _Cutter, tag: Tag) -> None:
    """A command ends the phrase; "leave it" after a noun is a wish to keep that."""
    if tag.values[0] == "nothing":
        if tag.text.startswith(("leave it", "keep it", "dont touch it")):
            phrase = cutter.cut()
            phrase.verb, phrase.pronoun = "keep", True
        cutter.current.tags.append(tag)
        if "everything" in tag.text or "anything" in tag.text:
            cutter.current.verb = "keep"
            cutter.noun(Tag("category", "everything", ("blemishes",)))
        return
    phrase = cutter.cut()
    phrase.tags.append(tag)
    if tag.values[0] == "undo" and tag.text in ("undo", "revert", "cancel"):
        phrase.verb = "keep"


def _relative(cutter: _Cutter, tags: Sequence[Tag], at: int, kind: str) -> None:
    phrase = cutter.current
    tag = tags[at]
    after = tags[at + 1].kind if at + 1 < len(tags) else ""
    before = tags[at - 1] if at else None
    if tag.text == "more" and after == "category" and phrase.verb not in ("remove", "soften"):
        if phrase.names:
            phrase = cutter.cut()
        phrase.adding = True
    if phrase.verb in ("remove", "soften", "keep") and phrase.names_kinds and cutter.joined:
        phrase = cutter.cut()
    phrase.change = kind
    if before is not None and before.text in lexicon.SMALL:
        phrase.scale = "small"
    elif before is not None and before.text in lexicon.BIG:
        phrase.scale = "big"
    phrase.tags.append(tag)
