"""engines.asked: every word is told, and only a program is taken for an answer."""

from __future__ import annotations

import json
import math

import pytest

from engines.asked import MOST_OPS, TASK, checked, question
from stream_retouch.language.dialogue import advance
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue
from stream_retouch.language.program import (
    ACTS,
    BEYOND,
    COMMANDS,
    KINDS,
    OUT,
    PLACES,
    SCALES,
    written,
)
from tests.engines.chats import op


@pytest.mark.parametrize("word", [*ACTS, *COMMANDS, OUT, *KINDS, *PLACES, *SCALES, *BEYOND])
def test_the_task_names_every_word(word: str) -> None:
    assert word in TASK.replace(",", " ").split()


def test_the_example_of_the_task_is_a_program() -> None:
    example = TASK[TASK.rindex('{"ops"') :]
    assert (
        written(checked(json.loads(example)))
        == "edit crows_feet left_crows_feet =0.3; keep mole face"
    )


def test_the_question_tells_what_is_on_and_the_last_turns() -> None:
    dialogue = Dialogue()
    for text in ("remove the moles", "more", "less", "undo", "keep my freckles"):
        dialogue = advance(dialogue, text, GrammarPlanner().plan(text, dialogue)[0])
    told = json.loads(question("weg mit der Röte", dialogue))
    assert told["says"] == "weg mit der Röte"
    assert told["before"] == ["more", "less", "undo", "keep my freckles"]
    assert [edit["category"] for edit in told["on"]["edits"]] == ["mole"]


def test_amounts_are_clamped_and_measures_of_other_acts_left_out() -> None:
    ops = checked(
        {"ops": [op(amount=7), op("more", scale="big", amount=0.2), op("keep", amount=1)]}
    )
    assert (
        written(ops) == "edit uneven_tone nose =1; more uneven_tone nose big; keep uneven_tone nose"
    )
    assert written(checked({"ops": [op(soft=True), op("out", None, beyond="teeth")]})) == (
        "edit uneven_tone nose soft; out teeth"
    )


def test_what_is_null_may_be_left_out() -> None:
    ops = checked({"ops": [{"act": "edit", "kind": "mole", "places": ["chin"]}, {"act": "undo"}]})
    assert written(ops) == "edit mole chin; undo"


def test_an_amount_of_any_length_is_clamped() -> None:
    assert written(checked({"ops": [op(amount=10**400)]})) == "edit uneven_tone nose =1"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"ops": []},
        {"ops": {}},
        {"ops": [op()] * (MOST_OPS + 1)},
        {"ops": [op("paint")]},
        {"ops": [{**op(), "act": ["edit"]}]},
        {"ops": [op(kind="wart")]},
        {"ops": [op(kind="mole chin; reset")]},
        {"ops": [op(places=["elbow"])]},
        {"ops": [op(places="nose")]},
        {"ops": [op(amount=math.nan)]},
        {"ops": [op("set")]},
        {"ops": [op("out", beyond="soul")]},
    ],
)
def test_what_is_no_program_is_refused(answer: object) -> None:
    with pytest.raises(ValueError):
        checked(answer)
