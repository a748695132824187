"""A large frame leaves over 8 ms at most, an ordinary one at once."""

from __future__ import annotations

import asyncio

import pytest

from stream_retouch.rtc.pacing import (
    LEAST_BYTES,
    LONGEST_S,
    STEP_S,
    at_once_bytes,
    departures,
    send_paced,
)

PACKET = 1200


class Clock:
    """A clock that moves when somebody sleeps, and oversleeps as the event loop's timers do."""

    def __init__(self, oversleep_s: float = 0.0) -> None:
        self.now, self.oversleep_s, self.sleeps = 5.0, oversleep_s, 0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps += 1
        self.now += seconds + self.oversleep_s


def sent_at(clock: Clock, moments: list[float], cost_s: float = 0.0) -> list[float]:
    """When each packet left, seconds after the first; one takes `cost_s`."""
    left: list[float] = []

    async def send(packet: int) -> None:
        assert packet == len(left)
        left.append(clock.now - 5.0)
        clock.now += cost_s

    asyncio.run(send_paced(range(len(moments)), moments, send, clock.time, clock.sleep))
    return left


def test_an_ordinary_frame_leaves_at_once_whatever_the_rate() -> None:
    for bitrate in (300_000, 3_000_000, 20_000_000):
        mean = bitrate / 8 / 30
        moments = departures([PACKET] * int(1.4 * mean / PACKET), at_once_bytes(bitrate, 30))
        assert set(moments) <= {0.0}
    assert at_once_bytes(300_000, 30) == LEAST_BYTES


@pytest.mark.parametrize("packets", [11, 12, 20, 60, 400])
def test_the_rest_of_a_large_frame_is_spread_evenly_and_not_beyond_7_ms(packets: int) -> None:
    moments = departures([PACKET] * packets, 10 * PACKET)
    assert len(moments) == packets
    assert moments[:10] == [0.0] * 10
    steps = [b - a for a, b in zip(moments[9:], moments[10:], strict=False)]
    assert steps == pytest.approx([min(STEP_S, LONGEST_S / (packets - 10))] * (packets - 10))
    assert moments[-1] <= LONGEST_S + 1e-9


def test_one_packet_leaves_at_once_even_if_it_is_larger_than_an_ordinary_frame() -> None:
    assert departures([PACKET], 100) == [0.0]
    assert departures([PACKET, PACKET], 100) == [0.0, STEP_S]
    assert departures([], 100) == []


def test_packets_leave_in_order_at_their_moments() -> None:
    moments = departures([PACKET] * 60, 10 * PACKET)
    assert sent_at(Clock(), moments) == pytest.approx(moments)


def test_timers_that_wake_late_do_not_add_up() -> None:
    moments = departures([PACKET] * 60, 10 * PACKET)
    clock = Clock(oversleep_s=0.001)
    left = sent_at(clock, moments, cost_s=0.00006)
    assert all(at >= moment for at, moment in zip(left, moments, strict=True))
    assert max(at - moment for at, moment in zip(left, moments, strict=True)) < 0.0025
    assert left[-1] <= LONGEST_S + 0.001 + 1e-9
    assert clock.sleeps < 10


def test_after_a_stall_everything_overdue_leaves_together() -> None:
    clock = Clock(oversleep_s=0.5)
    left = sent_at(clock, departures([PACKET] * 60, 10 * PACKET))
    assert clock.sleeps == 1
    assert left[10] == left[-1] == pytest.approx(0.5, abs=0.001)


def test_an_ordinary_frame_never_gives_the_loop_away() -> None:
    clock = Clock()
    assert sent_at(clock, [0.0] * 10) == [0.0] * 10
    assert clock.sleeps == 0
