"""A session: words become a look, every message is answered, nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy as np
import pytest

from stream_retouch.errors import SdpError, ServiceUnavailable, SessionNotFound
from stream_retouch.language.plan import InstructionPlan
from stream_retouch.metrics import Metrics
from stream_retouch.service.instructions import InstructionThread
from stream_retouch.service.ladder import RUNGS
from stream_retouch.service.session import COULD_NOT, SUPERSEDED, Session
from stream_retouch.service.sessions import Sessions
from stream_retouch.settings import Settings
from tests.service.fakes import (
    OFFER,
    PATIENCE_S,
    FakeConditioner,
    FakeEngine,
    FakePeer,
    FakePlanner,
    FakeRetoucher,
    frame_at,
    parts,
)

T = TypeVar("T")


def run(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine and checks that it left no task and no thread of ours."""

    async def checked() -> T:
        result = await test()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, others
        return result

    before = set(threading.enumerate())
    result = asyncio.run(checked(), debug=False)
    assert set(threading.enumerate()) <= before
    return result


class House:
    """A service's sessions with fakes on every side."""

    def __init__(self, *face_ids: int, cores: float = math.inf, **settings: Any) -> None:
        self.settings = Settings(frame_budget_ms=1000, **settings)
        self.metrics = Metrics()
        self.engine, self.planner = FakeEngine(), FakePlanner()
        self.conditioner = FakeConditioner()
        self.parts = parts(self.engine, self.conditioner, self.planner)
        self.peers: list[FakePeer] = []
        self.retouchers: list[FakeRetoucher] = []
        self.offers_fail: Exception | None = None
        self._face_ids = face_ids
        self.sessions = Sessions(
            self.settings, self.metrics, self._make_peer, lambda _: self._make_retoucher(), cores
        )

    def _make_peer(self) -> FakePeer:
        self.peers.append(FakePeer())
        self.peers[-1].error = self.offers_fail
        return self.peers[-1]

    def _make_retoucher(self) -> FakeRetoucher:
        self.retouchers.append(FakeRetoucher(*self._face_ids))
        return self.retouchers[-1]

    async def enter(self) -> tuple[Session, FakePeer]:
        """A new session and its peer."""
        session, answer = await self.sessions.open(OFFER, self.parts)
        assert answer.startswith("v=0")
        return session, self.peers[-1]

    def sample(self, name: str) -> float | None:
        """A figure of the metrics."""
        return self.metrics.registry.get_sample_value(name)


@asynccontextmanager
async def house(*face_ids: int, **settings: Any) -> AsyncIterator[House]:
    built = House(*face_ids, **settings)
    built.sessions.start()
    try:
        yield built
    finally:
        built.engine.gate.set()
        built.planner.gate.set()
        await built.sessions.close()


async def entered(planner: FakePlanner) -> None:
    """Waits until the planner is at work."""
    assert await asyncio.to_thread(planner.entered.acquire, timeout=PATIENCE_S)


def test_an_instruction_is_acknowledged_planned_and_applied_on_a_frame() -> None:
    async def test() -> None:
        async with house(7) as home:
            session, peer = await home.enter()
            peer.frames.put(frame_at(0))
            assert (await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)).pts == 0
            peer.say(type="instruct", id="a", text="no spots")
            assert await peer.told_next("ack") == {"type": "ack", "id": "a", "version": 0}
            plan = await peer.told_next("plan")
            assert (plan["id"], plan["version"], plan["reply"]) == ("a", 1, "Less spot.")
            assert plan["plan"]["action"] == "apply"
            assert plan["plan"]["edits"] == [
                {"category": "spot", "regions": ["face"], "amount": 0.8}
            ]
            peer.frames.put(frame_at(30))
            applied = await peer.told_next("applied")
            assert (applied["version"], applied["first_pts"]) == (1, 1.0)
            assert applied["took_ms"] >= 0
            assert session.look.version == 1 and session.look.table.max() == np.float32(0.8)
            assert home.sample("stream_retouch_instruction_seconds_count") == 1

    run(test)


def test_the_only_face_in_view_is_the_key_frame_and_is_prepared_once() -> None:
    async def test() -> None:
        async with house(7) as home:
            session, peer = await home.enter()
            peer.frames.put(frame_at(0))
            await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            peer.say(type="instruct", text="no freckles")
            await peer.told_next("plan")
            assert [crop for _, crop in home.conditioner.calls] == [7, 7]
            assert set(session.look.by_face) == {7}
            assert session.look.by_face[7] is session.look.default

    run(test)


def test_a_face_that_comes_later_gets_its_own_conditioning_in_the_background() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            assert session.look.by_face == {}
            assert home.conditioner.calls[0][1] is None  # no face, no key frame
            home.retouchers[0].seen = FakeRetoucher(3, 5).seen
            peer.frames.put(frame_at(0))
            async with asyncio.timeout(PATIENCE_S):
                while set(session.look.by_face) != {3, 5}:
                    await asyncio.sleep(0)
            assert sorted(crop or 0 for _, crop in home.conditioner.calls) == [0, 3, 5]
            assert session.look.version == 1
            # A face that has gone takes its conditioning with it.
            home.retouchers[0].seen = FakeRetoucher(5).seen
            peer.frames.put(frame_at(1))
            async with asyncio.timeout(PATIENCE_S):
                while set(session.look.by_face) != {5}:
                    await asyncio.sleep(0)
            assert len(home.conditioner.calls) == 3

    run(test)


def test_a_face_that_was_hidden_when_it_was_asked_for_gets_its_own_conditioning_later() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            retoucher = home.retouchers[0]
            retoucher.seen, retoucher.hidden = FakeRetoucher(3, 5).seen, {3}
            peer.frames.put(frame_at(0))
            async with asyncio.timeout(PATIENCE_S):
                while set(session.look.by_face) != {5}:
                    await asyncio.sleep(0)
            retoucher.hidden = set()
            async with asyncio.timeout(PATIENCE_S):
                while set(session.look.by_face) != {3, 5}:
                    await asyncio.sleep(0)

    run(test)


def test_what_is_out_of_scope_is_rejected_and_the_look_stays() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            peer.say(type="instruct", id="a", text="no spots")
            await peer.told_next("plan")
            before = session.look
            peer.say(type="instruct", id="b", text="order a pizza")
            assert await peer.told_next("rejected") == {
                "type": "rejected",
                "id": "b",
                "reason": "No pizza here.",
            }
            assert session.look is before
            assert len(home.conditioner.calls) == 1

    run(test)


def test_a_newer_instruction_supersedes_the_waiting_and_the_running_one() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            home.planner.gate.clear()
            peer.say(type="instruct", id="running", text="no spots")
            await entered(home.planner)
            peer.say(type="instruct", id="waiting", text="no spots")
            peer.say(type="instruct", id="newest", text="no freckles")
            home.planner.gate.set()
            told = [await peer.told_next("rejected", "plan") for _ in range(3)]
            assert [(m["type"], m["id"]) for m in told] == [
                ("rejected", "waiting"),
                ("rejected", "running"),
                ("plan", "newest"),
            ]
            assert told[0]["reason"] == told[1]["reason"] == SUPERSEDED
            assert told[2]["version"] == session.look.version == 1
            assert [edit.category for edit in session.look.plan.edits] == ["freckle"]

    run(test)


def test_strength_enable_and_overlay_count_versions_without_new_conditioning() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            conditioning = session.look.default
            for version, message in enumerate(
                (
                    {"type": "strength", "value": 0.25},
                    {"type": "enable", "value": False},
                    {"type": "overlay", "value": True},
                ),
                start=2,
            ):
                peer.say(id=str(version), **message)
                ack = await peer.told_next("ack")
                while ack["id"] is None:
                    ack = await peer.told_next("ack")
                assert ack == {"type": "ack", "id": str(version), "version": version}
            look = session.look
            assert (look.strength, look.enabled, look.overlay) == (0.25, False, True)
            assert look.default is conditioning and len(home.conditioner.calls) == 1
            # They outlive the next instruction.
            peer.say(type="instruct", text="no freckles")
            await peer.told_next("plan")
            look = session.look
            assert (look.version, look.strength, look.enabled, look.overlay) == (
                5,
                0.25,
                False,
                True,
            )

    run(test)


def test_a_plan_set_by_hand_becomes_the_look_as_an_instruction_does() -> None:
    async def test() -> None:
        async with house(7) as home:
            session, peer = await home.enter()
            peer.frames.put(frame_at(0))
            await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)
            plan = {"edits": [{"category": "mole", "regions": ["chin"], "amount": 0.3}], "keep": []}
            peer.say(type="set_plan", id="a", plan=plan)
            assert await peer.told_next("ack") == {"type": "ack", "id": "a", "version": 0}
            told = await peer.told_next("plan")
            assert (told["id"], told["version"]) == ("a", 1)
            assert told["plan"] == {"action": "apply", **plan}
            assert told["reply"] == "Slightly softening moles on your chin."
            peer.frames.put(frame_at(30))
            assert (await peer.told_next("applied"))["version"] == 1
            assert session.look.table.max() == np.float32(0.3)
            assert home.conditioner.calls[0][1] == 7
            assert not home.planner.entered.acquire(blocking=False)  # no words, no planner

    run(test)


def test_of_plans_that_follow_quickly_the_newest_wins_and_the_others_are_superseded() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            home.planner.gate.clear()
            peer.say(type="instruct", id="words", text="no spots")
            await entered(home.planner)
            for index, amount in enumerate((0.2, 0.4, 0.6)):
                edit = {"category": "mole", "regions": ["chin"], "amount": amount}
                peer.say(type="set_plan", id=str(index), plan={"edits": [edit], "keep": []})
            home.planner.gate.set()
            told = [await peer.told_next("rejected", "plan") for _ in range(4)]
            assert {m["id"]: m.get("reason") for m in told} == {
                "0": SUPERSEDED,
                "1": SUPERSEDED,
                "words": SUPERSEDED,
                "2": None,
            }
            assert [edit.amount for edit in session.look.plan.edits] == [0.6]

    run(test)


def test_the_state_tells_the_look() -> None:
    async def test() -> None:
        async with house() as home:
            _, peer = await home.enter()
            peer.say(type="state", id="s")
            assert (await peer.told_next("ack"))["id"] == "s"
            state = await peer.told_next("state")
            assert state["plan"] == {"action": "apply", "edits": [], "keep": []}
            wanted: dict[str, object] = {
                "version": 0,
                "strength": 1.0,
                "enabled": True,
                "overlay": False,
            }
            wanted |= {"faces": 0, "engine": "fake", "ready": True, "id": "s"}
            assert {key: state[key] for key in wanted} == wanted
            assert state["reply"]

    run(test)


def test_ten_thousand_characters_are_refused_with_the_limit_and_the_look_stays() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            before = session.look
            peer.say(type="instruct", id="a", text="x" * 10_000)
            error = await peer.told_next("error", "ack")
            assert error["type"] == "error" and "at most 2000 characters" in error["reason"]
            peer.say(type="dance", id="b")
            error = await peer.told_next("error", "ack")
            assert error["id"] == "b"
            assert "instruct, strength, enable, overlay, state" in error["reason"]
            assert session.look is before

    run(test)


def test_a_failing_planner_is_told_and_what_was_said_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        async with house() as home:
            _, peer = await home.enter()
            home.planner.error = ValueError("my secret scar")
            peer.say(type="instruct", id="a", text="my secret scar")
            assert (await peer.told_next("rejected"))["reason"] == COULD_NOT
            home.planner.error = None
            peer.say(type="instruct", id="b", text="my secret spots")
            assert (await peer.told_next("plan"))["id"] == "b"

    with caplog.at_level(logging.INFO):
        run(test)
    assert "session 1: an instruction failed with ValueError" in caplog.messages
    assert "secret" not in caplog.text


def test_a_conditioning_that_disagrees_with_its_plan_is_counted() -> None:
    async def test() -> None:
        async with house() as home:
            _, peer = await home.enter()
            home.conditioner.agrees = False
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            assert home.sample("stream_retouch_conditioning_mismatches_total") == 1

    run(test)


def test_two_sessions_never_see_each_others_messages_looks_or_frames() -> None:
    async def test() -> None:
        async with house() as home:
            (one, first), (other, second) = await home.enter(), await home.enter()
            outbox = other.subscribe()
            first.say(type="instruct", id="mine", text="no spots")
            await first.told_next("plan")
            first.say(type="strength", id="mine", value=0.5)
            second.say(type="instruct", id="theirs", text="no freckles")
            await second.told_next("plan")
            assert one.id != other.id and len(one.id) >= 32
            assert [e.category for e in one.look.plan.edits] == ["spot"]
            assert [e.category for e in other.look.plan.edits] == ["freckle"]
            assert other.look.strength == 1.0
            for index in range(20):
                first.frames.put(frame_at(index))
                second.frames.put(frame_at(1000 + index))
                for peer, pts in ((first, index), (second, 1000 + index)):
                    out = await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)
                    assert out.pts == pts
            other.unsubscribe(outbox)
            seen = [await outbox.get()]
            while seen[-1] is not None:
                seen.append(await outbox.get())
            assert "theirs" in str(seen) and "mine" not in str(seen)
            while not second.told.empty():
                assert second.told.get_nowait().get("id") != "mine"

    run(test)


def test_once_a_second_the_session_tells_how_it_does() -> None:
    async def test() -> None:
        async with house(7) as home:
            _, peer = await home.enter()
            peer.added_ms, peer.dropped_out = (10.0, 30.0, 20.0), 2
            for index in range(3):
                peer.frames.put(frame_at(index))
                await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)
            stats = await peer.told_next("stats")
            assert stats["added_ms"] == 20.0 and stats["fps"] > 0
            assert (stats["faces"], stats["fresh_share"]) == (1, 1.0)
            assert (stats["dropped"], stats["reused"]) == (2, 0)
            assert home.sample("stream_retouch_added_seconds_count") == 3

    run(test)


def test_a_client_whose_video_stands_is_told_so_and_stays() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            assert peer.on_stalled is not None
            for stalled in (True, False):
                peer.on_stalled(stalled)
                assert await peer.told_next("video") == {"type": "video", "stalled": stalled}
            assert peer.closed == 0 and home.sample("stream_retouch_sessions") == 1
            await home.sessions.end(session.id)
            assert peer.on_stalled is None

    run(test)


def test_an_unusable_offer_leaves_nothing_open() -> None:
    async def test() -> None:
        async with house() as home:
            with pytest.raises(SdpError):
                await home.sessions.open("hello", home.parts)
            assert home.peers[0].closed == 1
            assert home.sample("stream_retouch_sessions") == 0

    run(test)


def test_no_more_sessions_than_allowed_and_an_ended_one_makes_room() -> None:
    async def test() -> None:
        async with house(max_sessions=1) as home:
            session, peer = await home.enter()
            with pytest.raises(ServiceUnavailable, match="all 1 sessions are taken"):
                await home.sessions.open(OFFER, home.parts)
            await home.sessions.end(session.id)
            assert peer.closed == 1 and session.id not in repr(home.sessions)
            with pytest.raises(SessionNotFound, match="start a new one with POST /session"):
                home.sessions.get(session.id)
            await home.enter()

    run(test)


def test_a_full_machine_refuses_the_next_and_takes_one_when_one_has_left() -> None:
    async def test() -> None:
        async with house(cores=1.0) as home:
            session, _ = await home.enter()
            with pytest.raises(ServiceUnavailable, match="this machine carries 1 stream") as caught:
                await home.enter()
            assert caught.value.reason == "overload" and len(home.peers) == 1
            await home.sessions.end(session.id)
            await home.enter()

    run(test)


def test_a_step_on_the_ladder_is_told_and_shows_in_the_stats_and_the_frames() -> None:
    async def test() -> None:
        async with house(7) as home:
            session, peer = await home.enter()
            session.go_to(RUNGS[4])
            assert await peer.told_next("quality") == {
                "type": "quality", "rung": 4, "scale": 0.5, "note": RUNGS[4].note
            }  # fmt: skip
            frame = frame_at(0)
            peer.frames.put(frame)
            assert await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S) is frame
            assert (await peer.told_next("stats"))["rung"] == 4
            peer.added_ms = (20.0, 1070.0, 20.0)  # a frame may wait for a second here
            assert session.effort().late == 1
            peer.added_ms = (20.0, 1070.0, 1000.0, 1150.0)
            effort = session.effort()
            assert (effort.frames, effort.timed, effort.late) == (1, 4, 2)

    run(test)


def test_a_session_whose_peer_is_gone_ends_by_itself() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            outbox = session.subscribe()
            assert peer.on_closed is not None
            peer.on_closed()
            async with asyncio.timeout(PATIENCE_S):
                while await outbox.get() is not None:
                    pass
            assert home.sample("stream_retouch_sessions") == 0
            with pytest.raises(SessionNotFound):
                home.sessions.get(session.id)

    run(test)


def test_a_session_closes_while_an_instruction_is_at_work() -> None:
    async def test() -> None:
        async with house() as home:
            session, peer = await home.enter()
            home.planner.gate.clear()
            peer.say(type="instruct", text="no spots")
            await entered(home.planner)
            await session.close()
            await session.close()
            home.planner.gate.set()
            assert session.look.version == 0

    run(test)


def test_the_ids_of_sessions_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> str:
        async with house() as home:
            session, peer = await home.enter()
            peer.say(type="instruct", text="no spots")
            await peer.told_next("plan")
            return session.id

    with caplog.at_level(logging.INFO):
        session_id = run(test)
    assert "session 1 begins" in caplog.messages and "session 1 ends" in caplog.messages
    assert session_id not in caplog.text


def test_the_instruction_thread_skips_a_call_that_nobody_awaits_any_more() -> None:
    async def test() -> list[str]:
        done: list[str] = []
        held = threading.Event()
        thread = InstructionThread()
        thread.start()
        first = asyncio.create_task(thread.run(lambda: held.wait(PATIENCE_S)))
        second = asyncio.create_task(thread.run(lambda: done.append("cancelled")))
        third = asyncio.create_task(thread.run(lambda: done.append("awaited")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        held.set()
        await asyncio.gather(first, third)
        await asyncio.to_thread(thread.close, PATIENCE_S)
        return done

    assert run(test) == ["awaited"]


def test_a_look_that_asks_for_nothing_prepares_no_face() -> None:
    async def test() -> None:
        async with house(7) as home:
            session, peer = await home.enter()
            peer.frames.put(frame_at(0))
            await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)
            peer.say(type="state")
            await peer.told_next("state")
            assert session.look.plan == InstructionPlan()
            assert home.conditioner.calls == []

    run(test)
