"""What a turn asks for, before the look that is on is known. Pure.

`read` turns text into a `Reading`: asks (lessen or keep these kinds in these places), commands, changes without a
noun ("a bit stronger") and what has to be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stream_retouch.language import lexicon
from stream_retouch.language.grouping import group
from stream_retouch.language.phrases import Phrase, Place, cut
from stream_retouch.language.reading import Tag, tags_of

_LESS = frozenset(("less", "fewer", "not so", "not as", "not that", "not too"))
ADDING = "adding what is not there"
"""How a reply names a wish for more of an imperfection."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Lessen, or keep, these kinds in these places."""

    kinds: tuple[str, ...] = ()
    """Category values, BLEMISHES, LINE or SAME; empty when only a place was named."""
    places: tuple[Place, ...] = ()
    keep: bool = False
    amount: float | None = None
    """0..1 as told, or None."""
    soft: bool = False
    """Whether the verb asks to soften, not to remove."""
    change: str = ""
    """up or down from what is on, or empty."""
    scale: str = ""
    verb: str = ""
    smooth: bool = False
    also: bool = False
    only: bool = False
    correct: bool = False
    """Whether it replaces what was asked just before."""
    excepted: bool = False
    """Whether it takes something out of what was asked just before."""
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one turn says."""

    asks: tuple[Ask, ...] = ()
    commands: tuple[str, ...] = ()
    change: str = ""
    """up or down for what is on, when nothing is named."""
    scale: str = ""
    amount: float | None = None
    """A new amount for what is on, when nothing is named."""
    left_out: tuple[str, ...] = ()
    """What cannot be done, as the reply names it."""
    injected: bool = False
    """Whether the words are meant for a language model rather than for the filter."""
    corrects: bool = False
    empty: bool = False
    """Whether there was no word in a script that the lexicon knows."""


def _asks_to_know(tags: Sequence[Tag]) -> bool:
    """Whether the turn is a question about the world, not a wish."""
    spoken = [t for t in tags if t.kind != "sep"][:3]
    if not spoken or spoken[0].text not in lexicon.QUESTIONS:
        return False
    if len(spoken) > 1 and spoken[1].text in ("about", "if", "not"):
        return False
    acts = any(t.kind in ("remove", "soften", "keep") and t.text not in lexicon.TOUCH for t in tags)
    return not (acts and spoken[0].text in ("what", "whats", "why"))


def _wants_keep(phrase: Phrase, before: bool) -> bool:
    """Whether the phrase asks to leave things as they are; `before` is what the phrase before asked."""
    negated = phrase.negations % 2 == 1
    if phrase.excepted and phrase.verb not in ("keep", "remove", "soften"):
        return not before
    if phrase.post == "stays":
        return not (negated and phrase.verb != "have")
    if phrase.verb == "keep":
        return not negated
    if phrase.verb == "have" and phrase.post != "goes":
        return False
    return negated


def _adds(phrase: Phrase) -> bool:
    """Whether the phrase wishes for more of an imperfection."""
    if phrase.negations or phrase.post == "goes" or phrase.amount is not None:
        return phrase.adding
    plain = [g for g in phrase.groups if g.kinds and "blemishes" not in g.kinds and not g.implied]
    if phrase.verb == "make" and phrase.change != "down":
        return phrase.adding or any(g.adjective for g in phrase.groups)
    return phrase.adding or (phrase.verb == "add" and bool(plain))


def _asks_of(phrase: Phrase, keep: bool) -> list[Ask]:
    asks: list[Ask] = []
    if lexicon.ERRANDS in phrase.left_out:
        return asks
    verb, change = phrase.verb, phrase.change
    by_less = any(t.text in _LESS for t in phrase.tags)
    if verb == "soften" and not change and by_less and not phrase.names_kinds:
        verb, change = "", "down"
    for named in phrase.groups:
        kinds = tuple(named.kinds)
        if phrase.left_out and (
            not kinds or set(kinds) <= {"stray_hair", "uneven_tone", lexicon.SAME}
        ):
            continue
        if phrase.left_out and ("blemishes" in kinds or named.adjective and not phrase.change):
            continue
        asks.append(
            Ask(
                kinds, tuple(named.places), keep, named.amount, verb == "soften", change,
                phrase.scale, verb, phrase.smooth, phrase.also, phrase.only, phrase.correct,
                phrase.excepted or (keep and phrase.verb == "" and phrase.negations > 0), named.implied,
            )
        )  # fmt: skip
    return asks


class _Reader:
    """Collects phrases into asks, later phrases completing earlier ones."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.last: list[Ask] = []
        self.last_verb = ""
        self.keeps = False
        self.left_out: list[str] = []
        self.change = self.scale = ""
        self.amount: float | None = None

    def take(self, phrase: Phrase) -> None:
        self.left_out += phrase.left_out
        if phrase.after_but and self._is_exception(phrase):
            phrase.excepted = True
        if not phrase.groups:
            self._complete(phrase)
            return
        if _adds(phrase):
            self.left_out.append(ADDING)
            self.last = []
            return
        keep = _wants_keep(phrase, self.keeps)
        asks = _asks_of(phrase, keep)
        if phrase.excepted and self.keeps and not keep:
            self.asks = [a for a in self.asks if a.kinds != ("blemishes",)]
            asks = [replace(a, only=True) for a in asks]
        narrows = phrase.only and not phrase.names_kinds and not keep
        if (phrase.correct or narrows) and self.last and keep == self.last[-1].keep:
            asks = self._corrected(asks, phrase)
        asks = [self._with_kinds(a) for a in asks]
        self.asks += asks
        if asks:
            self.last, self.keeps, self.last_verb = asks, keep, phrase.verb

    def _is_exception(self, phrase: Phrase) -> bool:
        everything = any("blemishes" in a.kinds for a in self.last)
        bare = not (phrase.verb or phrase.negations or phrase.also or phrase.change or phrase.post)
        told = any(g.amount is not None for g in phrase.groups)
        of_those = any(g.kinds == [lexicon.SAME] for g in phrase.groups) and not self.keeps
        return (
            (everything or (of_those and bool(self.last)))
            and bare
            and not told
            and bool(phrase.groups)
        )

    def _with_kinds(self, ask: Ask) -> Ask:
        """An ask that names a place only, or "the ones", is about what was named just before."""
        if ask.kinds not in ((), (lexicon.SAME,)) or not self.last:
            return ask
        wide = ask.keep and not ask.excepted and ask.kinds == ()
        if wide or ask.correct:
            return ask
        acts = ask.verb in ("remove", "soften") and ask.kinds == () and not ask.also
        if acts:
            return ask
        sides_only = all(p.name == "side" for p in ask.places)
        places = carried(ask.places, self.last[-1].places) if sides_only else ask.places
        return replace(ask, kinds=self.last[-1].kinds, places=places)

    def _corrected(self, asks: list[Ask], phrase: Phrase) -> list[Ask]:
        """`asks` in the place of those just before."""
        old = self.last[-1]
        dropped = self.last if any(a.kinds for a in asks) else self.last[-1:]
        self.asks = [a for a in self.asks if all(a is not d for d in dropped)]
        fresh = []
        for ask in asks:
            kinds = old.kinds if ask.kinds in ((), (lexicon.SAME,)) else ask.kinds
            places = carried(ask.places, old.places) or old.places
            verbless = phrase.verb in ("", "have")
            fresh.append(
                replace(
                    ask,
                    kinds=kinds,
                    places=places,
                    keep=old.keep if verbless and not phrase.negations else ask.keep,
                    amount=old.amount if ask.amount is None else ask.amount,
                    soft=old.soft if verbless else ask.soft,
                    verb=phrase.verb or old.verb,
                    correct=old.correct,
                )
            )
        return fresh

    def _complete(self, phrase: Phrase) -> None:
        """A phrase that names nothing says more about the asks just before, or about what is on."""
        if not self.last:
            self.change, self.scale = phrase.change or self.change, phrase.scale or self.scale
            if phrase.amount == 1.0 and phrase.change == "up":
                self.change, self.amount = "", 1.0
            elif phrase.verb == "soften" and not phrase.change and not phrase.negations:
                self.change = "down"
                if any(t.text in lexicon.SMALL for t in phrase.tags):
                    self.scale = "small"
                elif any(t.text in lexicon.BIG for t in phrase.tags):
                    self.scale = "big"
            elif phrase.amount is not None and not phrase.change:
                self.amount = phrase.amount
            return
        told = bool(phrase.verb or phrase.post)
        if told and _wants_keep(phrase, self.keeps) and self.last_verb not in ("remove", "soften"):
            self._change_last(keep=True)
        elif phrase.amount is not None:
            self._change_last(amount=phrase.amount)
        elif phrase.change and not phrase.negations:
            self._change_last(amount=0.95 if phrase.change == "up" else 0.4)
        if phrase.verb == "soften":
            self._change_last(soft=True)

    def _change_last(
        self, *, keep: bool = False, amount: float | None = None, soft: bool = False
    ) -> None:
        fresh = [
            replace(
                a,
                keep=a.keep or keep,
                amount=amount if a.amount is None and amount is not None else a.amount,
                soft=a.soft or soft,
            )
            for a in self.last
        ]
        self.asks = [a for a in self.asks if all(a is not d for d in self.last)] + fresh
        self.last = fresh


def carried(new: tuple[Place, ...], old: tuple[Place, ...]) -> tuple[Place, ...]:
    """`new` with the side that only `old` tells: "the right half, the cheek I mean"; or the old noun."""
    sides = [p.side for p in old if p.side]
    nouns = [p.name for p in old if p.name != "side"]
    places = []
    for place in new:
        if not place.side and sides and place.name in ("cheek", "under_eye", "crows_feet", "eye"):
            place = Place(place.name, sides[0])
        elif place.name == "side" and place.side != "other" and nouns:
            place = Place(nouns[0], place.side)
        places.append(place)
    return tuple(places)


def read(text: str) -> Reading:
    """Everything that `text` says, whatever the text."""
    tags = tags_of(text)
    if not any(t.kind not in ("stop", "sep") for t in tags):
        return Reading(empty=True)
    phrases = cut(tags)
    for phrase in phrases:
        group(phrase)
    injected = any(t.kind == "injection" for t in tags)
    reader = _Reader()
    for phrase in [] if _asks_to_know(tags) else phrases:
        if any(t.kind == "injection" for t in phrase.tags):
            reader.last = []
            continue
        reader.take(phrase)
    asks = reader.asks
    if injected:
        asks = [a for a in asks if a.kinds and "blemishes" not in a.kinds]
    if any(not a.implied and a.kinds for a in asks):
        asks = [a for a in asks if not a.implied]
    commands = tuple(t.values[0] for t in tags if t.kind == "command")
    return Reading(
        tuple(asks),
        () if injected else commands,
        reader.change,
        reader.scale,
        reader.amount,
        tuple(dict.fromkeys(reader.left_out)),
        injected,
        any(p.correct for p in phrases[:1]) or any(p.correct and not a for p, a in _first(phrases)),
    )


def _first(phrases: Sequence[Phrase]) -> list[tuple[Phrase, bool]]:
    """Phrases up to the first that names something, with whether something was named before."""
    found = []
    named = False
    for phrase in phrases:
        found.append((phrase, named))
        named = named or phrase.names
    return found
