"""A planner by a folder's model: what it says is checked; the own planner speaks when it says nonsense or is late."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engines.chat_model import ChatModel
from engines.local_planner import BEGINNING, LocalPlanner, first_object
from stream_retouch.language.plan import Dialogue, InstructionPlan
from tests.engines.chats import SAID, Own, Scripted, op, save_llama, tokenizer


class Saying:
    """A model that says one piece after another, and may take its time."""

    def __init__(self, pieces: Iterable[str], between: Callable[[], object] = int) -> None:
        self.pieces, self.between = pieces, between
        self.asked: list[str] = []
        self.said = ""

    def answer(self, question: str, enough: Callable[[str], bool]) -> str:
        self.asked.append(question)
        self.said = ""
        for piece in self.pieces:
            self.said += piece
            self.between()
            if enough(self.said):
                break
        return self.said


def replied(chat: Saying) -> str:
    return LocalPlanner(chat, Own()).plan(SAID, Dialogue())[1]


def places(plan: InstructionPlan) -> list[tuple[str, tuple[str, ...], float]]:
    return [(edit.category, edit.regions, edit.amount) for edit in plan.edits]


PROGRAM = json.dumps({"ops": [op(amount=0.4), op("keep", "mole", places=["face"])]})


def test_its_program_becomes_the_plan() -> None:
    chat = Saying(PROGRAM)
    plan, reply = LocalPlanner(chat, Own()).plan(SAID, Dialogue())
    assert places(plan) == [("uneven_tone", ("nose",), 0.4)]
    assert [k.category for k in plan.keep] == ["mole"] and reply != "own"
    assert json.loads(chat.asked[0])["says"] == SAID


def test_it_is_stopped_when_the_program_is_whole() -> None:
    chat = Saying(["Sure:\n", PROGRAM, "\nHope", " that", " helps"])
    assert replied(chat) != "own"
    assert chat.said == "Sure:\n" + PROGRAM


def test_a_model_of_transformers_gives_the_plan_too() -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    model = Scripted(' [{"act": "edit", "kind": "mole", "places": ["chin"]}]} and so on')
    planner = LocalPlanner(ChatModel(model, tokenizer(), "do", BEGINNING), Own())
    plan, _ = planner.plan(SAID, Dialogue())
    assert places(plan) == [("mole", ("chin",), 0.8)]
    assert model.wrote == len(model.says) - len(" and so on")


def test_random_weights_make_way_within_their_tokens(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    save_llama(tmp_path)
    planner = LocalPlanner.load(tmp_path, Own(), most_tokens=8)
    assert planner.plan(SAID, Dialogue())[1] == "own"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "sure, here you go!",
        PROGRAM[:-1],
        PROGRAM.replace('"act"', "act"),
        "{}",
        json.dumps({"ops": []}),
        json.dumps({"ops": [op("paint")]}),
        json.dumps({"ops": [op(kind="wart")]}),
        json.dumps({"ops": [op(places=["elbow"])]}),
        json.dumps({"ops": [op()] * 17}),
        "{" * 100_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
    ],
)
def test_nonsense_makes_way_for_the_own_planner(said: str) -> None:
    assert replied(Saying([said])) == "own"


def test_a_model_that_breaks_makes_way_and_no_words_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def breaks() -> None:
        raise IndexError(f"index out of range: {SAID}")

    with caplog.at_level(logging.INFO):
        assert replied(Saying(["x"], between=breaks)) == "own"
        assert replied(Saying([SAID])) == "own"
    assert caplog.messages == [
        "the planner's model gave no program (IndexError); the own planner speaks",
        "the planner's model gave no program (JSONDecodeError); the own planner speaks",
    ]


def test_a_slow_model_is_ended_at_its_time(caplog: pytest.LogCaptureFixture) -> None:
    seconds = iter(range(100))
    chat = Saying(["{"] + [" "] * 1000)
    planner = LocalPlanner(chat, Own(), timeout_s=10, now=lambda: next(seconds))
    assert planner.plan(SAID, Dialogue())[1] == "own"
    assert len(chat.said) == 10
    assert "(TimeoutError)" in caplog.text


def test_they_take_turns_and_nobody_waits_for_ever() -> None:
    begun, released = threading.Event(), threading.Event()

    def between() -> None:
        begun.set()
        released.wait(20)

    slow = LocalPlanner(Saying([PROGRAM], between), Own(), timeout_s=0.1)
    replies: list[str] = []
    first = threading.Thread(target=lambda: replies.append(slow.plan(SAID, Dialogue())[1]))
    first.start()
    assert begun.wait(20)
    assert slow.plan(SAID, Dialogue())[1] == "own"
    released.set()
    first.join()
    assert replies != ["own"] and slow.plan(SAID, Dialogue())[1] == replies[0]


def test_no_words_are_never_asked_about() -> None:
    chat = Saying(PROGRAM)
    planner = LocalPlanner(chat, Own())
    assert planner.plan(" \U0001f642 ", Dialogue())[1] == "own"
    assert planner.plan("x" * 5000, Dialogue())[1] == "own"
    assert chat.asked == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ("no brace", ""),
        ('{"a": 1', ""),
        ('a {"b": [{}]} c', '{"b": [{}]}'),
        ('{"a": "}"} {"b": 1}', '{"a": "}"}'),
        (r'{"a": "\"}"}', r'{"a": "\"}"}'),
    ],
)
def test_an_object_ends_with_the_brace_that_closes_it(text: str, found: str) -> None:
    assert first_object(text) == found
