"""Whatever a client says is answered politely, and nobody else hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import FRAGMENT, OFFER, bounded, broken, broken_bytes
from tests.service.fakes import FakePeer
from tests.service.test_session import house
from tests.service.test_streams import FRAGMENT as FRAGMENT_TYPE
from tests.service.test_streams import HERE, SDP, Client

TIMEOUT_S = 20.0
ANSWERS = {"ack", "error", "rejected"}
"""Types of the messages of which each message gets one at least, at once."""
SIDE = {"stats", "plan", "applied", "state", "heard"}
"""Types of what may come besides, or later."""

PLAN = {
    "action": "apply",
    "edits": [{"category": "spot", "regions": ["chin", "nose"], "amount": 0.5}],
    "keep": [{"category": "mole", "regions": ["face"]}],
}
GOOD: list[dict[str, object]] = [
    {"type": "instruct", "id": "a", "text": "no spots"},
    {"type": "strength", "id": "b", "value": 0.5},
    {"type": "enable", "id": "c", "value": True},
    {"type": "overlay", "id": "d", "value": False},
    {"type": "state", "id": "e"},
    {"type": "set_plan", "id": "f", "plan": PLAN},
    {"type": "listen", "id": "g", "value": True},
]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([1 << 80, -1, 1e308, "\ud83d", "x" * 3000, "\0", "face", "spot"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good message in which fields have other values, depths or lengths, are missing or new."""
    message = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = message
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                break
            place = place[key]
        else:
            continue  # it is empty by now
        match draw(st.integers(0, 4)):
            case 0:
                del place[key]
            case 1:
                place[key] = [place[key]] * draw(st.sampled_from([0, 2, 1000]))
            case 2 if isinstance(place, dict):
                place[draw(st.text(max_size=5))] = draw(VALUES)
            case _:
                place[key] = draw(VALUES)
    return json.dumps(message)


MESSAGES = st.one_of(
    st.text(max_size=200),
    VALUES.map(json.dumps),
    mutated(),
    mutated(),
    st.sampled_from(GOOD).map(json.dumps).flatmap(lambda good: broken(good, joint=",")),
    st.sampled_from(["[" * 60_000, '{"a":' * 20_000, "1" * 60_000, "\ud83d", "x" * 70_000]),
)


def heard(peer: FakePeer) -> list[dict[str, Any]]:
    """What a client was told since the last call."""
    told = []
    while not peer.told.empty():
        told.append(peer.told.get_nowait())
    return told


@bounded(100)
@given(st.lists(MESSAGES, min_size=1, max_size=6))
def test_any_message_is_answered_and_the_neighbour_hears_nothing(texts: list[str]) -> None:
    async def main() -> None:
        async with asyncio.timeout(TIMEOUT_S), house() as home:
            _, peer = await home.enter()
            other_session, other = await home.enter()
            look = other_session.look
            for text in texts:
                assert peer.on_message is not None
                peer.on_message(text)
                told = heard(peer)
                kinds = {message["type"] for message in told}
                assert kinds & ANSWERS and kinds <= ANSWERS | SIDE
                assert all(message["reason"] for message in told if message["type"] == "error")
            peer.say(type="instruct", id="last", text="no spots")
            while (await peer.told_next("plan", "rejected"))["id"] != "last":
                pass
            assert {message["type"] for message in heard(other)} <= {"stats"}
            assert other_session.look is look
            other.say(type="state", id="mine")
            assert (await other.told_next("ack"))["id"] == "mine"
            assert (await other.told_next("state"))["strength"] == 1.0

    asyncio.run(main())


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client() as running:
        yield running


BODIES = st.one_of(
    broken(OFFER).map(str.encode),
    broken_bytes([OFFER.encode(), FRAGMENT.encode()]),
    st.binary(max_size=100),
)


@bounded(100)
@given(
    path=st.sampled_from(["/session", "/whip/me", "/whep/me"]) | st.text(max_size=10),
    body=BODIES,
    kind=st.sampled_from([SDP["Content-Type"], "application/sdp; x", "text/plain", ""]),
)
def test_any_offer_over_http_gets_an_answer_that_is_no_failure(
    client: Client, path: str, body: bytes, kind: str
) -> None:
    response = client.post(
        "/" + quote(path.lstrip("/")), content=body, headers={"Content-Type": kind}
    )
    assert response.status_code < 500, response.text
    if response.status_code == 201:
        ended = client.delete(response.headers["Location"].removeprefix(HERE))
        assert ended.status_code == 200


@bounded(100)
@given(
    body=BODIES | broken(FRAGMENT).map(str.encode),
    match=st.sampled_from([None, "*", "etag", "other"]),
)
def test_any_fragment_over_http_gets_an_answer_that_is_no_failure(
    client: Client, body: bytes, match: str | None
) -> None:
    location, etag = client.begin("/whip/me")
    headers = dict(FRAGMENT_TYPE)
    if match is not None:
        headers["If-Match"] = etag if match == "etag" else match
    assert client.patch(location, content=body, headers=headers).status_code < 500
    good = client.patch(
        location,
        content="a=ice-ufrag:mine\r\na=end-of-candidates\r\n",
        headers={**FRAGMENT_TYPE, "If-Match": etag},
    )
    assert good.status_code == 204
    assert client.delete(location).status_code == 200
