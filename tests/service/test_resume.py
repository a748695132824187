"""A look that outlives its connection: for a minute, for who has the token, once."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from stream_retouch.errors import SdpError, ServiceUnavailable, SessionNotFound
from stream_retouch.language.plan import Dialogue
from stream_retouch.service.parts import no_look
from stream_retouch.service.resume import (
    BACK,
    GONE,
    KEEP_S,
    MOST_KEPT,
    Kept,
    Resumption,
    Ticket,
)
from tests.service.fakes import OFFER, FakePeer, frame_at
from tests.service.test_server import SDP, Browser
from tests.service.test_session import House, house, run


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def kept(reply: str = "") -> Kept:
    return Kept(no_look(), Dialogue(), reply)


def test_a_token_stands_for_what_its_session_left_and_only_once() -> None:
    resumption = Resumption(Clock())
    token, left = resumption.issue("a"), kept()
    resumption.leave("a", left)
    assert resumption.claim(token + "x") is None
    assert resumption.claim(token) is left
    assert resumption.claim(token) is None and len(resumption) == 0


def test_the_token_of_an_open_session_stands_for_it_and_only_once() -> None:
    resumption = Resumption(Clock())
    token = resumption.issue("a")
    assert resumption.claim(token) == "a"
    resumption.leave("a", kept())  # its end comes later and leaves nothing
    assert resumption.claim(token) is None and len(resumption) == 0


def test_what_nobody_asks_for_is_forgotten_after_a_minute() -> None:
    clock = Clock()
    resumption = Resumption(clock)
    early, late = resumption.issue("a"), resumption.issue("b")
    resumption.leave("a", kept())
    clock.now += 30
    resumption.leave("b", kept())
    clock.now += KEEP_S - 30
    resumption.sweep()
    assert len(resumption) == 1
    assert resumption.claim(early) is None
    assert isinstance(resumption.claim(late), Kept)


def test_looks_are_bounded_in_number_and_the_oldest_goes_first() -> None:
    resumption = Resumption(Clock())
    tokens = [resumption.issue(str(number)) for number in range(MOST_KEPT + 1)]
    for number in range(MOST_KEPT + 1):
        resumption.leave(str(number), kept())
    assert len(resumption) == MOST_KEPT
    assert resumption.claim(tokens[0]) is None and resumption.claim(tokens[1]) is not None


def test_after_delete_and_after_the_end_of_the_service_nothing_is_kept() -> None:
    resumption = Resumption(Clock())
    deleted, closed, open_still = (resumption.issue(name) for name in "abc")
    resumption.forget("a")
    resumption.leave("b", kept())
    resumption.clear()
    assert [resumption.claim(token) for token in (deleted, closed, open_still)] == [None] * 3


def test_tokens_cannot_be_guessed_and_are_not_shown() -> None:
    resumption = Resumption()
    tokens = {resumption.issue(str(number)) for number in range(50)}
    assert len(tokens) == 50 and min(map(len, tokens)) >= 43  # 32 random bytes
    assert not any(token in str(vars(resumption)) for token in tokens)
    assert "secret" not in repr(Ticket("secret", Kept(no_look(), Dialogue(), "secret")))


def token_of(peer: FakePeer) -> str:
    """What the session told its peer."""
    assert peer.on_open is not None
    peer.on_open()
    return str(peer.told.get_nowait()["token"])


async def lost(home: House, peer: FakePeer) -> None:
    """The connection breaks; returns once its session has ended."""
    assert peer.on_closed is not None
    peer.on_closed()
    while not peer.closed:
        await asyncio.sleep(0)


def test_look_dialogue_and_switches_come_back_after_the_connection_broke() -> None:
    async def test() -> None:
        async with house(7) as home:
            first, peer = await home.enter()
            token = token_of(peer)
            peer.frames.put(frame_at(0))
            await asyncio.to_thread(peer.out.get, timeout=30)
            for text in ("no spots", "no freckles"):
                peer.say(type="instruct", text=text)
                await peer.told_next("plan")
            peer.say(type="strength", value=0.5)
            peer.say(type="enable", value=False)
            await lost(home, peer)
            assert home.sample("stream_retouch_sessions") == 0
            second, answer = await home.sessions.open(OFFER, home.parts, token)
            again = home.peers[-1]
            assert second.ticket.resumed is True and second.ticket.note == BACK
            assert (second.look.strength, second.look.enabled) == (0.5, False)
            assert second.look.plan == first.look.plan and second.look.version == 4
            assert second.look.default is first.look.default
            assert second.look.by_face == {}  # faces are numbered anew
            np.testing.assert_array_equal(second.look.table, first.look.table)
            assert again.on_open is not None
            again.on_open()
            told = await again.told_next("resume")
            assert (told["resumed"], told["note"], told["keep_s"]) == (True, BACK, 60)
            state = await again.told_next("state")
            assert state["strength"] == 0.5 and len(state["plan"]["edits"]) == 2
            again.say(type="instruct", text="undo")  # the planner of fakes adds a spot
            plan = await again.told_next("plan")
            assert plan["version"] == 5 and len(second._dialogue.past) == 3
            value = home.metrics.registry.get_sample_value
            assert value("stream_retouch_resumes_total", {"result": "back"}) == 1

    run(test)


def test_the_first_face_gets_its_own_conditioning_again() -> None:
    async def test() -> None:
        async with house(7) as home:
            _, peer = await home.enter()
            token = token_of(peer)
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            await lost(home, peer)
            second, _ = await home.sessions.open(OFFER, home.parts, token)
            home.peers[-1].frames.put(frame_at(0))
            async with asyncio.timeout(30):
                while set(second.look.by_face) != {7}:
                    await asyncio.sleep(0)

    run(test)


def test_a_connection_that_still_hangs_is_ended_and_gives_its_place_up() -> None:
    async def test() -> None:
        async with house(max_sessions=1) as home:
            first, peer = await home.enter()
            token = token_of(peer)
            peer.say(type="strength", value=0.25)
            with pytest.raises(ServiceUnavailable):
                await home.sessions.open(OFFER, home.parts)
            second, _ = await home.sessions.open(OFFER, home.parts, token)
            assert second.look.strength == 0.25
            with pytest.raises(SessionNotFound):
                home.sessions.get(first.id)
            await first.close()
            assert peer.closed == 1 and home.sample("stream_retouch_sessions") == 1
            # The token was for once, whoever brings it.
            newer = token_of(home.peers[-1])
            third, _ = await home.sessions.open(OFFER, home.parts, newer)
            assert third.look.strength == 0.25
            with pytest.raises(ServiceUnavailable):
                await home.sessions.open(OFFER, home.parts, token)

    run(test)


def test_a_wrong_token_begins_a_fresh_session_that_says_so() -> None:
    async def test() -> None:
        async with house() as home:
            session, _ = await home.sessions.open(OFFER, home.parts, "nobody's")
            assert session.ticket.resumed is False and session.look.version == 0
            peer = home.peers[-1]
            assert peer.on_open is not None
            peer.on_open()
            told = await peer.told_next("resume")
            assert (told["resumed"], told["note"]) == (False, GONE)
            assert peer.told.empty()

    run(test)


def test_an_offer_that_cannot_be_used_does_not_cost_the_look() -> None:
    async def test() -> None:
        async with house() as home:
            _, peer = await home.enter()
            token = token_of(peer)
            peer.say(type="strength", value=0.25)
            await lost(home, peer)
            home.offers_fail = SdpError("the offer is not SDP; send what createOffer() gave")
            with pytest.raises(SdpError):
                await home.sessions.open(OFFER, home.parts, token)
            home.offers_fail = None
            session, _ = await home.sessions.open(OFFER, home.parts, token)
            assert session.look.strength == 0.25

    run(test)


def test_who_listens_on_a_control_socket_does_not_learn_the_token() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            outbox = session.subscribe()
            token_of(peer)
            peer.say(type="state", id="a")
            assert '"ack"' in (await outbox.get() or "")

    run(test)


def test_the_header_takes_a_look_over_and_tells_the_next_token() -> None:
    with Browser(None) as client:
        first = client.post("/session", content=OFFER, headers=SDP)
        token = first.headers["Resume"]
        assert "Resumed" not in first.headers and token not in first.headers["Location"]
        with client.socket(first.headers["Location"].removeprefix("/session/")) as ws:
            ws.send_json({"type": "strength", "value": 0.5})
            assert ws.receive_json()["type"] == "ack"
        second = client.post("/session", content=OFFER, headers={**SDP, "Resume": token})
        assert second.status_code == 201 and second.headers["Resumed"] == "?1"
        assert second.headers["Resume"] not in ("", token)
        assert client.delete(first.headers["Location"]).status_code == 404
        with client.socket(second.headers["Location"].removeprefix("/session/")) as ws:
            ws.send_json({"type": "state"})
            ws.receive_json()
            assert ws.receive_json()["strength"] == 0.5
        assert client.delete(second.headers["Location"]).status_code == 200
        gone = client.post(
            "/session", content=OFFER, headers={**SDP, "Resume": second.headers["Resume"]}
        )
        assert gone.status_code == 201 and gone.headers["Resumed"] == "?0"


def test_a_token_of_any_length_and_kind_is_no_error() -> None:
    with Browser(None) as client:
        for token in ("x" * 10_000, "é", "a b", "\x7f"):
            headers = {**SDP, "Resume": token.encode("latin-1")}
            response = client.post("/session", content=OFFER, headers=headers)
            assert (response.status_code, response.headers["Resumed"]) == (201, "?0")
            client.delete(response.headers["Location"])


def test_who_takes_over_an_open_session_is_let_in_by_a_full_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        async with house() as home:
            _, peer = await home.enter()
            token = token_of(peer)
            monkeypatch.setattr(home.sessions._overload, "refusal", lambda: "no room; try later")
            with pytest.raises(ServiceUnavailable, match="no room"):
                await home.sessions.open(OFFER, home.parts)
            session, _ = await home.sessions.open(OFFER, home.parts, token)
            assert session.ticket.resumed is True
            newer = token_of(home.peers[-1])
            await lost(home, home.peers[-1])
            with pytest.raises(ServiceUnavailable, match="no room"):
                await home.sessions.open(OFFER, home.parts, newer)
            monkeypatch.undo()
            again, _ = await home.sessions.open(OFFER, home.parts, newer)  # it was kept
            assert again.ticket.resumed is True

    run(test)
