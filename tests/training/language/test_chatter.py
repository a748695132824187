"""Talk around a wish: the wish stays whole, and nothing around it is a wish."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue
from training.language.chatter import amid_chatter, chatter


def test_the_wish_stays_whole_and_is_not_alone() -> None:
    rng = np.random.default_rng(4)
    said = [amid_chatter("remove my moles", rng) for _ in range(200)]
    assert all("remove my moles" in text and len(text) < 440 for text in said)
    assert sum(text != "remove my moles" for text in said) > 190
    assert any(text.startswith("remove") for text in said)
    assert any(text.endswith("moles") for text in said)


def test_a_wish_that_is_long_already_gets_no_longer() -> None:
    long = "remove my moles " * 30
    assert amid_chatter(long, np.random.default_rng(1)) == long


def test_nothing_that_is_said_around_it_changes_the_face() -> None:
    planner = GrammarPlanner()
    asked = [
        text
        for side in chatter().values()
        for text in side
        if planner.plan(text, Dialogue())[0].edits
    ]
    assert asked == []
