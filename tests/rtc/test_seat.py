"""What one viewer gets of a shared encoder, and how often its requests count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from stream_retouch.latest import Closed
from stream_retouch.rtc.seat import (
    FORGIVEN_S,
    LONGEST_PAUSE_S,
    MOST_WAITING,
    PAUSE_S,
    Encoded,
    Requests,
    Seat,
)


def frame(n: int, key: bool = False) -> Encoded:
    return Encoded([bytes([n])], 3000 * n, key)


class Encoder:
    """Writes down what a seat asks of it."""

    def __init__(self) -> None:
        self.woken = self.asked = self.heard = self.left = 0

    def seat(self) -> Seat:
        def count(name: str) -> Callable[..., None]:
            return lambda *_: setattr(self, name, getattr(self, name) + 1)

        return Seat(count("woken"), count("asked"), count("heard"), count("left"))


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await main()

    asyncio.run(bounded())


async def awake(seat: Seat) -> asyncio.Task[Encoded]:
    """A reader that waits for the first frame."""
    reader = asyncio.create_task(seat.next())
    await asyncio.sleep(0)
    return reader


def test_the_first_frame_of_a_viewer_is_a_key_frame_it_has_asked_for() -> None:
    async def main() -> None:
        encoder = Encoder()
        seat = encoder.seat()
        seat.put(frame(1, key=True))  # nobody reads yet: the viewer may never connect
        assert (encoder.woken, encoder.asked) == (0, 0)
        reader = await awake(seat)
        assert (encoder.woken, encoder.asked) == (1, 1)
        seat.put(frame(2))
        seat.put(frame(3, key=True))
        seat.put(frame(4))
        assert [(await reader).timestamp, (await seat.next()).timestamp] == [9000, 12000]
        assert seat.dropped == 1
        seat.close()

    run(main)


def test_a_slow_viewer_loses_what_piles_up_and_goes_on_with_a_key_frame() -> None:
    async def main() -> None:
        encoder = Encoder()
        seat = encoder.seat()
        reader = await awake(seat)
        for n in range(MOST_WAITING):
            seat.put(frame(n, key=n == 0))
        seat.put(frame(100))  # one too many
        assert seat.dropped == MOST_WAITING + 1
        seat.put(frame(101))
        seat.put(frame(102, key=True))
        assert (await reader).timestamp == 102 * 3000
        seat.close()

    run(main)


def test_whoever_has_left_gets_nothing_more_and_leaves_once() -> None:
    async def main() -> None:
        encoder = Encoder()
        seat = encoder.seat()
        reader = await awake(seat)
        seat.close()
        seat.close()
        seat.put(frame(1, key=True))
        seat.ask_key_frame()
        with pytest.raises(Closed):
            await reader
        assert (encoder.left, encoder.asked) == (1, 1)

    run(main)


def test_an_estimate_is_told_only_when_it_changes() -> None:
    async def main() -> None:
        encoder = Encoder()
        seat = encoder.seat()
        for bps in (1_000_000, 1_000_000, 900_000):
            seat.estimate(bps)
        assert (encoder.heard, seat.estimate_bps) == (2, 900_000)

    run(main)


def test_the_requests_of_a_viewer_that_never_has_enough_count_less_and_less_often() -> None:
    requests, now, counted = Requests(), 0.0, []
    for _ in range(7):
        now = requests.counts_at(now)
        counted.append(now)
    pauses = [later - earlier for earlier, later in zip(counted, counted[1:], strict=False)]
    assert pauses == [PAUSE_S, 1, 2, 4, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_viewer_that_was_content_for_long_is_served_at_once_again() -> None:
    requests, now = Requests(), 0.0
    for _ in range(6):
        now = requests.counts_at(now)
    later = now + LONGEST_PAUSE_S + FORGIVEN_S + 0.1
    assert requests.counts_at(later) == later
    assert requests.counts_at(later) == later + PAUSE_S


def test_requests_during_a_pause_are_one_when_it_ends() -> None:
    async def main() -> None:
        loop, encoder = asyncio.get_running_loop(), Encoder()
        seat = encoder.seat()
        reader = await awake(seat)
        calls: list[Callable[[], None]] = []
        stock = loop.call_at
        loop.call_at = lambda at, call, *args: calls.append(call) or stock(at, lambda: None)  # type: ignore
        for _ in range(5):
            seat.ask_key_frame()
        loop.call_at = stock  # type: ignore[method-assign]
        assert (encoder.asked, len(calls), seat.asked) == (1, 1, 6)
        calls[0]()
        assert encoder.asked == 2
        seat.close()
        await asyncio.gather(reader, return_exceptions=True)

    run(main)
