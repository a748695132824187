"""Programs as tokens: nothing is lost, and whatever the machine lets through is a program."""

from __future__ import annotations

import numpy as np
import pytest

from engines.language.tokens import END, INDEX, START, VOCABULARY, allowed, program, tokens
from stream_retouch.language.dialogue import advance
from stream_retouch.language.grammar import answered
from stream_retouch.language.plan import Dialogue, plan_from_json, plan_to_json
from stream_retouch.language.program import parsed, reading, written
from tests.language.test_program import ALL

_ANY_ORDER = ("edit blemishes nose,forehead =0.35; keep freckle left_cheek,right_cheek",)


@pytest.mark.parametrize("text", [*ALL, *_ANY_ORDER])
def test_a_program_survives_its_tokens(text: str) -> None:
    ops = parsed(text)
    back = program(tokens(ops))
    assert [(o.act, o.kind, set(o.places), o.amount, o.soft, o.scale, o.beyond) for o in back] == [
        (o.act, o.kind, set(o.places), o.amount, o.soft, o.scale, o.beyond) for o in ops
    ]


@pytest.mark.parametrize("text", [*ALL, *_ANY_ORDER])
def test_the_machine_lets_every_true_program_through(text: str) -> None:
    numbers = tokens(parsed(text))
    for at in range(1, len(numbers)):
        assert numbers[at] in allowed(numbers[:at]), VOCABULARY[numbers[at]]


def test_every_walk_of_the_machine_is_a_program_that_can_be_applied() -> None:
    rng = np.random.default_rng(5)
    ended, dialogue = 0, Dialogue()
    for _ in range(1200):
        numbers = [INDEX[START]]
        while numbers[-1] != INDEX[END] and len(numbers) < 40:
            numbers.append(int(rng.choice(allowed(numbers))))
        ops = program(numbers)
        if numbers[-1] == INDEX[END]:
            ended += 1
            assert parsed(written(ops)) == ops
        plan, reply = answered(reading(ops), dialogue)
        assert reply and plan_from_json(plan_to_json(plan)) == plan
        dialogue = advance(dialogue, "so", plan) if rng.random() < 0.8 else Dialogue()
    assert ended > 50


def test_a_first_turn_refers_to_nothing_before_it() -> None:
    def told(text: str) -> bool:
        numbers = tokens(parsed(text))
        return all(n in allowed(numbers[:i], later=False) for i, n in enumerate(numbers) if i)

    for text in (
        "edit mole face; edit pimple last",
        "undo",
        "reset",
        "edit spot left; keep last chin",
        "more last last",
    ):
        assert told(text), text
    for text in (
        "drop mole face",
        "fix mole chin",
        "edit last chin",
        "edit mole other",
        "keep last chin",
    ):
        assert not told(text), text


def test_amounts_are_told_to_a_twentieth() -> None:
    (op,) = program(tokens(parsed("edit mole face =0.33")))
    assert op.amount == pytest.approx(0.35)


def test_a_program_that_breaks_off_keeps_its_whole_ops() -> None:
    numbers = tokens(parsed("edit mole face; keep scar chin"))
    assert written(program(numbers[:6])) == "edit mole face"
