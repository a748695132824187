"""GrammarPlanner: the planner without a model. Deterministic, about a millisecond a sentence.

It reads a turn by word tables and a few rules (`language.asks`), and applies what it says to the look that is on.
"""

from __future__ import annotations

from dataclasses import replace

from stream_retouch.language import lexicon, replies
from stream_retouch.language.asks import Ask, Reading, carried, read
from stream_retouch.language.looks import (
    changed,
    in_focus,
    kept_within,
    latest_change,
    named_regions,
    replaced,
    with_edit,
    with_keep,
)
from stream_retouch.language.phrases import Place
from stream_retouch.language.places import (
    Pairing,
    are_lines,
    at_regions,
    in_order,
    in_regions,
    of_a_place,
    opposite,
    pairings,
    regions_of,
)
from stream_retouch.language.plan import BLEMISHES, FACE, Dialogue, Edit, InstructionPlan, Keep

LONGEST_TEXT = 2000
"""Characters a turn may have."""
REMOVED = 0.8
"""Amount when none is told."""
SOFTENED = 0.6
"""Amount of verbs that soften, when none is told."""
_LESSENED = {"small": 0.3, "big": 0.8}
"""Amount of "a bit less" and "much less" of what is not on yet."""

LAST_PLACE = "last"
"""Name of a place that stands for where it was."""

Answer = tuple[InstructionPlan, str]


class GrammarPlanner:
    """Implements `engine.Planner` with word tables and rules. Holds no state; may be called from any thread."""

    def plan(self, text: str, dialogue: Dialogue) -> Answer:
        """The whole look wanted after this turn, and one sentence that says what was understood."""
        if len(text) > LONGEST_TEXT:
            return _as_it_is(dialogue, "reject", replies.TOO_LONG)
        return answered(read(text), dialogue)


def needs_a_model(text: str) -> bool:
    """Whether to ask a language model: not about a text too long to be answered, nor one without letters."""
    return len(text) <= LONGEST_TEXT and any(c.isalnum() for c in text)


def answered(reading: Reading, dialogue: Dialogue) -> Answer:
    """The look and the reply that a reading of a turn comes to, whoever read it."""
    if reading.empty:
        return _as_it_is(dialogue, "reject", replies.EMPTY)
    if not reading.asks:
        return _without_asks(reading, dialogue)
    return _Turn(reading, dialogue).answer()


def _as_it_is(dialogue: Dialogue, action: str, reply: str) -> Answer:
    """The look that is on, under an action that changes nothing."""
    look = dialogue.look
    if action == "nothing":
        return InstructionPlan(look.edits, look.keep, "nothing"), reply
    return InstructionPlan(look.edits, look.keep, "reject"), reply


def _undo(dialogue: Dialogue) -> Answer:
    look = dialogue.past[-1] if dialogue.past else dialogue.look
    reply = replies.UNDONE if dialogue.past else replies.NO_UNDO
    return InstructionPlan(look.edits, look.keep, "undo"), reply


def _redo(dialogue: Dialogue) -> Answer:
    look = dialogue.undone[-1] if dialogue.undone else dialogue.look
    reply = replies.REDONE if dialogue.undone else replies.NO_REDO
    return InstructionPlan(look.edits, look.keep, "apply"), reply


def _without_asks(reading: Reading, dialogue: Dialogue) -> Answer:
    """Commands, changes of what is on, and what is not for this filter."""
    said = reading.commands
    if "reset" in said:
        return InstructionPlan(action="reset"), replies.RESET
    if "redo" in said:
        return _redo(dialogue)
    if "undo" in said:
        return _undo(dialogue)
    if "switch" in said:
        return _as_it_is(dialogue, "reject", replies.SWITCH)
    if reading.left_out or reading.injected:
        reply = replies.cannot(reading.left_out) if reading.left_out else replies.CANNOT
        return _as_it_is(dialogue, "reject", reply)
    if reading.change or reading.amount is not None:
        return _changed(reading, dialogue)
    if "nothing" in said:
        return _as_it_is(dialogue, "nothing", replies.NOTHING)
    return _as_it_is(dialogue, "reject", replies.NOT_UNDERSTOOD)


def _changed(reading: Reading, dialogue: Dialogue) -> Answer:
    """ "A bit stronger", "less", "only half": the edits that came last, with new amounts."""
    focus = in_focus(dialogue)
    if not focus:
        return _as_it_is(dialogue, "reject", replies.NOTHING_ON)
    if reading.amount is not None and not reading.change:
        amounts = [reading.amount for _ in focus]
    else:
        amounts = [changed(e.amount, reading.change, reading.scale) for e in focus]
    look = replaced(dialogue.look, focus, amounts)
    new = tuple(replace(e, amount=a) for e, a in zip(focus, amounts, strict=True))
    weaker = sum(amounts) < sum(e.amount for e in focus)
    return look, replies.told(new, (), (), weaker)


class _Turn:
    """One turn's asks applied to the look that is on."""

    def __init__(self, reading: Reading, dialogue: Dialogue) -> None:
        self.reading, self.dialogue = reading, dialogue
        self.look = self._start()
        self.focus = in_focus(dialogue)
        self.edits: list[Edit] = []
        self.keeps: list[Keep] = []
        self.asked: tuple[str, ...] = ()
        self.weaker = False

    def _start(self) -> InstructionPlan:
        """The look that the asks are added to."""
        said = self.reading.commands
        if "reset" in said:
            return InstructionPlan()
        if "undo" in said and self.dialogue.past and self.reading.asks[0].verb != "keep":
            return self.dialogue.past[-1]
        if "redo" in said and self.dialogue.undone:
            return self.dialogue.undone[-1]
        return replace(self.dialogue.look, action="apply")

    def answer(self) -> Answer:
        """The plan and the reply."""
        asks = list(self.reading.asks)
        if self.reading.corrects and self._replaces(asks[0]):
            self._correct(asks.pop(0))
        for ask in asks:
            self._take(ask)
        if not (self.edits or self.keeps):
            return self._nothing_done()
        self.look = kept_within(self.look, self.edits, self.keeps)
        return self.look, replies.told(self.edits, self.keeps, self.reading.left_out, self.weaker)

    def _nothing_done(self) -> Answer:
        ask = self.reading.asks[-1]
        if ask.keep:
            return _as_it_is(self.dialogue, "nothing", replies.NOTHING)
        if self.reading.left_out:
            return _as_it_is(self.dialogue, "reject", replies.cannot(self.reading.left_out))
        if ask.change and not ask.places:
            return _as_it_is(self.dialogue, "reject", replies.NOTHING_ON)
        if not ask.places or ask.places[-1].side == "other":
            return _as_it_is(self.dialogue, "reject", replies.NOT_UNDERSTOOD)
        regions = in_order(r for p in ask.places for r in regions_of(p, BLEMISHES))
        return _as_it_is(self.dialogue, "reject", replies.which(regions))

    def _add(self, edit: Edit) -> None:
        self.look = with_edit(self.look, edit)
        self.edits = [e for e in self.edits if e not in (edit,)] + [edit]

    # Corrections of the turn before.

    def _replaces(self, ask: Ask) -> bool:
        """Whether `ask` takes the place of what the turn before asked."""
        if ask.keep or ask.also or not self.dialogue.past or not self.dialogue.turns:
            return False
        if self.dialogue.turns[-1].plan.action != "apply":
            return False
        return ask.verb in ("", "have") or not ask.kinds or "other" in {p.side for p in ask.places}

    def _correct(self, ask: Ask) -> None:
        edits, keeps = latest_change(self.dialogue)
        if not edits and not keeps:
            self._take(ask)
            return
        self.look = replace(self.dialogue.past[-1], action="apply")
        kinds = () if ask.kinds == (lexicon.SAME,) else ask.kinds
        if not kinds and not ask.places and ask.amount is not None:
            for old in edits:  # "half, I said"
                self._add(replace(old, amount=ask.amount))
            return
        alike = len({e.amount for e in edits}) == 1
        if not kinds and ask.places and alike and are_lines(e.category for e in edits):
            kinds = (lexicon.LINE,)  # "my wrinkles", then "the ones on my forehead"
        for old in edits[:1] if kinds else edits:
            for kind, regions in self._instead(old, kinds, ask.places):
                amount = old.amount if ask.amount is None else ask.amount
                self._add(Edit(kind, regions, amount))
        for kept in () if edits else keeps:
            for kind, regions in self._instead(kept, kinds, ask.places):
                self._keep(kind, regions)

    def _instead(
        self, old: Edit | Keep, kinds: tuple[str, ...], places: tuple[Place, ...]
    ) -> list[Pairing]:
        """What the correction makes of one edit or keep."""
        if not places:
            if FACE in old.regions:
                return pairings(kinds, ())
            return [(kind, old.regions) for kind in kinds if kind != lexicon.LINE] or pairings(
                kinds, ()
            )
        before = [_place_of(region) for region in old.regions if region != FACE]
        if any(p.side == "other" for p in places):
            regions = in_order(opposite(r) for r in old.regions)
            return in_regions(kinds or (old.category,), regions)
        return pairings(kinds or (old.category,), carried(places, tuple(before)))

    # Asks that add to the look.

    def _take(self, ask: Ask) -> None:
        told = bool(ask.change) or ask.amount is not None
        if told and ask.kinds == (lexicon.SAME,) and not (ask.places or ask.keep or ask.also):
            self._rework(ask)
            return
        found = self._pairings(ask)
        if ask.kinds and ask.kinds != (lexicon.SAME,):
            self.asked = ask.kinds
        if ask.keep:
            for kind, regions in found:
                if kind != BLEMISHES or FACE not in regions:
                    self._keep(kind, regions)
            return
        if ask.only and not self.edits and found:
            self._only(ask)
        for kind, regions in found:
            self._edit(ask, kind, regions)

    def _rework(self, ask: Ask) -> None:
        """ "Stronger", "half of it", beside other wishes: of what was named just before, in this turn or the last."""
        near = [e for e in self.edits or self.focus if e in self.look.edits]
        near = near or list(self.look.edits[-1:])
        amounts = [
            changed(e.amount, ask.change, ask.scale) if ask.amount is None else ask.amount
            for e in near
        ]
        self.weaker = self.weaker or ask.change == "down"
        self.look = replaced(self.look, near, amounts)
        new = [replace(e, amount=a) for e, a in zip(near, amounts, strict=True)]
        self.edits = [e for e in self.edits if e not in near] + new

    def _keep(self, kind: str, regions: tuple[str, ...]) -> None:
        keep = Keep(kind, regions)
        self.look = with_keep(self.look, keep)
        self.edits = [e for e in self.edits if e in self.look.edits]
        self.keeps.append(keep)

    def _only(self, ask: Ask) -> None:
        """ "Only the moles", "just the nose": nothing else of the look stays."""
        gone = self.focus if not ask.kinds else self.look.edits
        edits = tuple(e for e in self.look.edits if e not in gone)
        self.look = InstructionPlan(edits, self.look.keep)

    def _pairings(self, ask: Ask) -> list[Pairing]:
        """The categories and regions of an ask, what it leaves open taken from what was said before."""
        kinds = tuple(k for k in ask.kinds if k != lexicon.SAME)
        if not kinds:
            if ask.also and ask.amount is None and not ask.places and (kept := self._kept_before()):
                return kept
            kinds = self._kinds_before(ask)
            if ask.places and are_lines(kinds):
                kinds = (lexicon.LINE,)
            on = [_place_of(r) for e in self.focus for r in e.regions if r != FACE]
            ask = replace(ask, places=_nouns_carried(ask.places, on))
        if any(p.side == "other" for p in ask.places):
            return self._on_the_other_side(ask, kinds)
        if kinds and any(p.name == LAST_PLACE for p in ask.places):
            before = self.edits or self.focus
            regions = in_order(r for e in before for r in e.regions) or (FACE,)
            return [p for kind in kinds for p in at_regions(kind, regions)]
        if not kinds:
            if ask.keep:
                return pairings((BLEMISHES,), ask.places)
            acts = ask.verb in ("remove", "soften") and ask.places
            return of_a_place(ask.places, ask.smooth) if acts else []
        return pairings(kinds, ask.places)

    def _kept_before(self) -> list[Pairing]:
        """What "do them too" is about after a turn that only kept something."""
        edits, keeps = latest_change(self.dialogue)
        if edits or self.edits or self.asked:
            return []
        return [(k.category, k.regions) for k in keeps]

    def _kinds_before(self, ask: Ask) -> tuple[str, ...]:
        """What "the ones on my chin" or "the chin too" are about."""
        if ask.keep and not ask.kinds:
            return ()
        if self.asked:
            return self.asked
        acts = ask.verb in ("remove", "soften") and not ask.kinds and not ask.also
        if acts and not ask.change and not any(p.side == "other" for p in ask.places):
            return ()
        near = self.focus
        if ask.places and (ask.change or ask.amount is not None) and not ask.also:
            there = [e for e in self.look.edits if self._is_at(e, ask.places)]
            near = tuple(e for e in there if e in self.focus) or tuple(there) or self.focus
        return tuple(dict.fromkeys(e.category for e in near))

    def _is_at(self, edit: Edit, places: tuple[Place, ...]) -> bool:
        here = named_regions(edit.category, edit.regions)
        return any(r in here for p in places for r in regions_of(p, edit.category))

    def _on_the_other_side(self, ask: Ask, kinds: tuple[str, ...]) -> list[Pairing]:
        told = [r for e in self.edits for r in e.regions if opposite(r) != r]
        if not told:
            told = [r for e in self.focus for r in e.regions if opposite(r) != r]
        if not told:
            nouns = tuple(Place(p.name) for p in ask.places if p.name != "side")
            return pairings(kinds, nouns) if nouns else []
        regions = in_order(opposite(r) for r in told)
        if not ask.also and ask.kinds in ((), (lexicon.SAME,)) and not self.edits and not ask.keep:
            if ask.verb == "":
                self.look = InstructionPlan(
                    tuple(e for e in self.look.edits if e not in self.focus), self.look.keep
                )
        return in_regions(kinds, regions)

    def _edit(self, ask: Ask, kind: str, regions: tuple[str, ...]) -> None:
        on = [e for e in self.look.edits if self._is_on(e, kind, regions)]
        if ask.change and on and ask.amount is None:
            self._change(ask, on, kind, regions)
            return
        self._add(Edit(kind, regions, self._amount(ask, on)))

    def _is_on(self, edit: Edit, kind: str, regions: tuple[str, ...]) -> bool:
        if kind not in (BLEMISHES, edit.category) and edit.category != BLEMISHES:
            return False
        asked = named_regions(kind, regions)
        return bool(asked & named_regions(edit.category, edit.regions))

    def _change(self, ask: Ask, on: list[Edit], kind: str, regions: tuple[str, ...]) -> None:
        """More or less of what is on; for a part of it, the part gets an edit of its own."""
        self.weaker = self.weaker or ask.change == "down"
        for edit in on:
            amount = changed(edit.amount, ask.change, ask.scale)
            whole = FACE in regions or set(edit.regions) <= set(regions)
            if whole and kind in (BLEMISHES, edit.category):
                self.look = replaced(self.look, [edit], [amount])
                self.edits.append(replace(edit, amount=amount))
            else:
                self._add(Edit(edit.category if kind == BLEMISHES else kind, regions, amount))

    def _amount(self, ask: Ask, on: list[Edit]) -> float:
        if ask.amount is not None:
            strong = [e.amount for e in on if e.amount >= SOFTENED]
            if ask.soft and ask.amount < SOFTENED and ask.verb == "soften" and strong:
                return changed(max(strong), "down", "small")
            return ask.amount
        if ask.soft:
            return SOFTENED
        if ask.change == "up":
            return 0.9
        if ask.change:
            return _LESSENED.get(ask.scale, SOFTENED)
        if ask.kinds in ((), (lexicon.SAME,)) and self.focus and not self.edits:
            return self.focus[-1].amount
        return REMOVED


def _place_of(region: str) -> Place:
    """A plan's region as a place with its side."""
    side, _, name = region.partition("_")
    return Place(name, side) if side in ("left", "right") else Place(region)


def _nouns_carried(places: tuple[Place, ...], on: list[Place]) -> tuple[Place, ...]:
    """ "The right" after a change on the left cheek is the right cheek."""
    nouns = [p.name for p in on if p.side]
    told = [p if p.name != "side" or p.side == "other" else None for p in places]
    if not nouns:
        return places
    return tuple(p or Place(nouns[0], places[i].side) for i, p in enumerate(told))
