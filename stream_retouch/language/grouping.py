"""A phrase's kinds, places, sides and amounts brought together. Pure.

A group is what is named together with where: "(spots and redness) on (nose and chin)".
"""

from __future__ import annotations

from collections.abc import Sequence

from stream_retouch.language import lexicon
from stream_retouch.language.phrases import Group, Phrase, Place
from stream_retouch.language.reading import Tag

_SIDED = frozenset(("cheek", "under_eye", "crows_feet", "eye", "around_eye", "side", "face"))


def _size_only(tags: Sequence[Tag], at: int, phrase: Phrase) -> bool:
    """Whether "a little" at `at` tells how big or how much there is, not how much to take."""
    tag = tags[at]
    after = tags[at + 1] if at + 1 < len(tags) else None
    if after is not None and after.kind in ("up", "down"):
        return True
    if tag.text not in lexicon.SMALL or after is None:
        return False
    if after.kind == "category":
        countable = after.text.split()[-1] in lexicon.COUNTABLE and not after.plural
        return countable or phrase.verb in ("have", "") and not phrase.post
    if after.text == "of":
        return phrase.verb in ("have", "")
    return after.text in ("too", "late", "nervous")


def _names_forward(tags: Sequence[Tag], at: int) -> bool:
    """Whether the place at `at` belongs to a kind right after it: "nose shine", "my cheeks are red"."""
    for tag in tags[at + 1 :]:
        if tag.kind in ("category", "several"):
            return True
        if tag.kind not in ("word", "have", "also", "amount"):
            return False
    return False


class _Grouper:
    """Collects a phrase's tags into groups."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.sides: list[str] = []
        self.pending: float | None = None
        self.pending_is_new = False
        self.sep = self.det = False

    def start(self, front: bool = False) -> Group:
        if self.groups and not self.sep:
            self.settle_sides()
        self.groups.append(Group(front=front, amount=self.pending))
        self.pending_is_new = False
        return self.groups[-1]

    def kind(self, tag: Tag) -> None:
        last = self.groups[-1] if self.groups else None
        if last is not None and last.kinds == [lexicon.SAME] and not self.sep:
            last.kinds = []
        if tag.values == (lexicon.SAME,) and last is not None and last.kinds and not self.sep:
            return
        if last is None or self._apart(last):
            last = self.start()
        last.kinds += [k for k in tag.values if k not in last.kinds]
        last.adjective = tag.text in lexicon.ADJECTIVES
        last.implied = tag.kind == "several"
        self.settle_sides()
        self.sep = self.det = False

    def _apart(self, last: Group) -> bool:
        """Whether the next kind begins a group of its own."""
        if not last.kinds:
            return False
        if lexicon.SAME in last.kinds:
            return True
        if last.amount is not None and last.amount != self.pending:
            return True
        if self.pending_is_new:
            return True
        if not last.places or last.front:
            return self.sep and self.det
        return True

    def place(self, name: str, forward: bool) -> None:
        last = self.groups[-1] if self.groups else None
        side = ""
        if name in _SIDED and self.sides:
            side = "both" if len(set(self.sides)) > 1 else self.sides[0]
        if name in _SIDED:
            self.sides = []
        if last is None or (self.sep and forward and last.kinds):
            last = self.start(front=True)
        if last.places and last.places[-1].name == "side" and not self.sep:
            side = side or last.places.pop().side
        elif name == "side" and not side and last.places:
            return
        last.places.append(Place(name, side if name in _SIDED else ""))
        self.sep = self.det = False

    def amount(self, value: float) -> None:
        if not self.groups or self.sep:
            self.pending, self.pending_is_new = value, True
            return
        self.groups[-1].amount = value
        for group in self.groups[:-1]:
            group.amount = value if group.amount is None else group.amount

    def settle_sides(self) -> None:
        """Sides that no place followed: "the cheek on the left", "the left one", "left eye bag"."""
        if not self.sides:
            return
        side = "both" if len(set(self.sides)) > 1 else self.sides[0]
        self.sides = []
        if not self.groups:
            self.groups.append(Group())
        places = self.groups[-1].places
        if places and places[-1].name in _SIDED and not places[-1].side:
            places[-1] = Place(places[-1].name, side)
        elif not places:
            places.append(Place("side", side))


def group(phrase: Phrase) -> None:
    """Fills the phrase's groups and its amount from its tags."""
    g = _Grouper()
    tags = phrase.tags
    for i, tag in enumerate(tags):
        if tag.kind == "sep":
            g.sep, g.det = True, False
        elif tag.kind == "det":
            g.det = True
        elif tag.kind == "side":
            g.sides.append(tag.values[0])
        elif tag.kind == "other":
            g.sides.append("other")
        elif tag.kind in ("category", "several"):
            g.kind(tag)
        elif tag.kind == "place":
            g.place(tag.values[0], _names_forward(tags, i))
        elif tag.kind == "amount" and not _size_only(tags, i, phrase):
            g.amount(tag.amount)
    g.settle_sides()
    if g.groups and g.pending_is_new:
        g.sep = False
        g.amount(g.pending if g.pending is not None else 0.0)
    phrase.groups = g.groups
    phrase.amount = g.pending if not g.groups else None
