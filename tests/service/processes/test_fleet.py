"""Media processes come, hear of each other, come back when they have died, and end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Message

from stream_retouch.service.parts import Parts
from stream_retouch.service.processes import fleet as fleets
from stream_retouch.service.processes.fleet import Fleet, MediaProcess
from stream_retouch.service.processes.forwarding import ProcessGone
from stream_retouch.settings import Settings
from tests.service.fakes import PATIENCE_S, parts
from tests.service.processes import stand_ins


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await main()

    asyncio.run(bounded())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "AGAIN_S", 0.0)


@asynccontextmanager
async def fleet_of(
    count: int, target: Callable[..., None] = stand_ins.small, load: Callable[[], Parts] = parts
) -> AsyncIterator[Fleet]:
    fleet = Fleet(Settings(), load, count, target)
    fleet.start()
    try:
        yield fleet
    finally:
        await fleet.close()
        assert fleet.running() == []
        await fleet.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def said(place: MediaProcess, path: str = "/", query: bytes = b"") -> list[str]:
    """What the process answers: its mark, its id, and the sessions of the others it has heard of."""
    answer = b""

    async def send(message: Message) -> None:
        nonlocal answer
        answer += message.get("body", b"")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert place.forwarder is not None
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "query_string": query}
    await place.forwarder(scope, receive, send)
    return answer.decode().split()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_processes_are_ready_answer_under_their_marks_and_end() -> None:
    async def main() -> None:
        async with fleet_of(2) as fleet:
            assert fleet.missing() is not None
            await until(lambda: fleet.missing() is None)
            answers = [await said(place) for place in fleet.processes]
            assert [answer[0] for answer in answers] == ["a", "b"]
            pids = [int(answer[1]) for answer in answers]
            assert len({*pids, os.getpid()}) == 3
            assert fleet.of("bXYZ") is fleet.processes[1] and fleet.of("") is None
        assert not any(map(is_there, pids))

    run(main)


def test_each_hears_how_full_the_others_are() -> None:
    async def main() -> None:
        async with fleet_of(3) as fleet:
            await until(lambda: fleet.missing() is None)
            await said(fleet.processes[0], "/sessions", b"2")
            await said(fleet.processes[1], "/sessions", b"3")
            await until(lambda: fleet.processes[1].state.occupancy.sessions == 3)
            heard = [int((await said(place))[2]) for place in fleet.processes]
            assert heard == [3, 2, 5]
            assert fleet.emptiest() is fleet.processes[2]

    run(main)


def test_one_that_dies_takes_nobody_with_it_and_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with fleet_of(2) as fleet:
            await until(lambda: fleet.missing() is None)
            first, other = fleet.processes
            _, before, _ = await said(first)
            await said(first, "/sessions", b"4")
            _, stays, _ = await said(other)
            with pytest.raises(ProcessGone):
                await said(first, "/die")
            assert fleet.of("a") is None and fleet.emptiest() is other
            assert await said(other) == ["b", stays, "0"]  # it has heard that they are gone
            assert fleet.missing() is None and fleet.failure is None
            await until(lambda: first.is_ready)
            mark, after, _ = await said(first)
            assert mark == "a" and after != before

    run(main)
    assert "media process a ended (exit status 9); its sessions are lost" in caplog.text


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (stand_ins.ending, "a media process ended (exit status 7) before it was ready"),
        (stand_ins.refusing, stand_ins.REFUSED),
    ],
)
def test_what_goes_wrong_before_it_was_ever_ready_is_the_failure_of_the_service(
    target: Callable[..., None], why: str
) -> None:
    async def main() -> None:
        async with fleet_of(2, target) as fleet:
            told: asyncio.Event = asyncio.Event()
            fleet.on_failure = told.set
            await told.wait()
            assert fleet.failure is not None and fleet.failure.startswith(why)
            assert fleet.missing() == fleet.failure

    run(main)


def test_a_fleet_that_is_ended_while_it_starts_leaves_nothing() -> None:
    async def main() -> None:
        async with fleet_of(2):
            await asyncio.sleep(0)

    run(main)


def test_a_process_that_does_not_end_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Fleet, "_patience_s", 0.0)
    monkeypatch.setattr(fleets, "Close", lambda: None)  # it never hears that it is over

    async def main() -> None:
        fleet = Fleet(Settings(), parts, 1, stand_ins.small)
        fleet.start()
        await until(lambda: fleet.missing() is None)
        place = fleet.processes[0]
        _, pid, _ = await said(place)
        assert place.channel is not None
        await place.channel.close()
        await fleet.close()
        assert not is_there(int(pid))

    run(main)
