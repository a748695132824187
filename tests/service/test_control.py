"""Control messages: whatever a peer says is answered, never raised."""

from __future__ import annotations

import asyncio
import json

import pytest

from stream_retouch.language.plan import Edit, InstructionPlan, Keep
from stream_retouch.service import control
from stream_retouch.service.control import (
    AskState,
    Enable,
    Instruct,
    Listen,
    Message,
    Outbox,
    Overlay,
    Refusal,
    SetPlan,
    Strength,
    parse,
)
from stream_retouch.settings import Settings

SETTINGS = Settings()


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ({"type": "instruct", "id": "a", "text": "no spots"}, Instruct("a", "no spots")),
        ({"type": "instruct", "text": "no spots"}, Instruct(None, "no spots")),
        ({"type": "strength", "id": "b", "value": 0}, Strength("b", 0.0)),
        ({"type": "strength", "value": 1.0}, Strength(None, 1.0)),
        ({"type": "enable", "value": False}, Enable(None, False)),
        ({"type": "overlay", "id": "c", "value": True}, Overlay("c", True)),
        ({"type": "listen", "id": "e", "value": True}, Listen("e", True)),
        ({"type": "state", "more": [1]}, AskState(None)),
        ({"type": "set_plan", "id": "d", "plan": {}}, SetPlan("d", InstructionPlan())),
        (
            {
                "type": "set_plan",
                "plan": {
                    "action": "undo",
                    "edits": [{"category": "spot", "regions": ["chin"], "amount": 0}],
                    "keep": [{"category": "mole", "regions": ["face"]}],
                },
            },
            SetPlan(
                None,
                InstructionPlan((Edit("spot", ("chin",), 0.0),), (Keep("mole", ("face",)),)),
            ),
        ),
    ],
)
def test_a_good_message_is_understood(said: dict[str, object], understood: Message) -> None:
    assert parse(json.dumps(said), SETTINGS) == understood


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "a message must be JSON"),
        ("order a pizza", "a message must be JSON"),
        ("[" * 60_000, "a message must be JSON"),
        ("1" * 10_000, "a message must be JSON"),
        ("[]", "a message must be a JSON object"),
        ("null", "a message must be a JSON object"),
        ("{}", "type must be one of instruct, strength, enable, overlay, state"),
        ('{"type":"dance"}', "type must be one of instruct, strength, enable, overlay, state"),
        ('{"type":["instruct"]}', "type must be one of"),
        ('{"type":"state","id":7}', "id must be a text of at most 100 characters"),
        ('{"type":"state","id":"' + "x" * 101 + '"}', "id must be a text"),
        ('{"type":"strength"}', "value of strength must be a number from 0 to 1"),
        ('{"type":"strength","value":1.1}', "value of strength must be a number from 0 to 1"),
        ('{"type":"strength","value":NaN}', "value of strength must be a number from 0 to 1"),
        ('{"type":"strength","value":1e999}', "value of strength must be a number from 0 to 1"),
        ('{"type":"strength","value":true}', "value of strength must be a number from 0 to 1"),
        ('{"type":"enable","value":1}', "value of enable must be true or false"),
        ('{"type":"overlay"}', "value of overlay must be true or false"),
        ('{"type":"set_plan"}', "plan of set_plan must be an object with edits and keep"),
        ('{"type":"set_plan","plan":[]}', "plan of set_plan must be an object"),
        ('{"type":"set_plan","plan":{"edits":[1]}}', "each of a plan's edits must be an object"),
        (
            '{"type":"set_plan","plan":{"edits":[{"category":"spot","regions":["chin"],"amount":2}]}}',
            "an edit's amount is no share; give a number from 0 to 1",
        ),
        ('{"type":"instruct"}', "text of instruct must say what to change"),
        ('{"type":"instruct","text":"  "}', "text of instruct must say what to change"),
        ('{"type":"instruct","text":{"a":1}}', "text of instruct must say what to change"),
        (
            '{"type":"instruct","text":"' + "x" * 10_000 + '"}',
            "an instruction may have at most 2000 characters, this one has 10000; "
            "say it in fewer words",
        ),
        ("x" * 70_000, "a message may have at most 65536 bytes"),
        ("\u20ac" * 30_000, "a message may have at most 65536 bytes"),
    ],
)
def test_a_bad_message_gets_the_reason_and_what_is_right(said: str, reason: str) -> None:
    refusal = parse(said, SETTINGS)
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(reason)


def test_a_refusal_carries_the_id_of_its_message() -> None:
    refusal = parse('{"type":"dance","id":"q"}', SETTINGS)
    assert isinstance(refusal, Refusal) and refusal.id == "q"


def test_half_a_surrogate_pair_becomes_text() -> None:
    message = parse('{"type":"instruct","text":"spots \\ud83d"}', SETTINGS)
    assert message == Instruct(None, "spots ?")


def test_an_answer_is_json_even_with_an_odd_id() -> None:
    text = control.encode(control.ack("\ud83d", 1))
    assert text.encode() and json.loads(text)["version"] == 1


def test_an_outbox_gives_messages_in_order_then_ends() -> None:
    async def run() -> list[str | None]:
        outbox = Outbox()
        outbox.put("a")
        outbox.put("b")
        outbox.close()
        outbox.put("c")
        return [await outbox.get(), await outbox.get(), await outbox.get()]

    assert asyncio.run(run()) == ["a", "b", None]


def test_an_outbox_whose_reader_is_too_slow_is_cut_off() -> None:
    async def run() -> Outbox:
        outbox = Outbox()
        for index in range(control.OUTBOX_MESSAGES + 1):
            outbox.put(str(index))
        assert await outbox.get() is None
        return outbox

    assert asyncio.run(run()).overflowed
