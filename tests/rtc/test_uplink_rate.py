"""What the sender of the incoming video is told, over links that are simulated."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from stream_retouch.rtc.uplink_rate import LOWEST_BPS, TELL_MS, UplinkRate

START, CEILING = 2_500_000, 5_000_000
PACKET_BYTES = 1200


@dataclass
class Counts:
    packets_expected: int = 0
    packets_lost: int = 0


@dataclass
class Link:
    """A bottleneck with a queue of no end, 25 ms each way, and a sender that keeps to its rate."""

    capacity_bps: Callable[[float], float] = lambda now: 100e6
    lost: Callable[[float, float], float] = lambda now, rate: 0.0
    """Share of the packets lost, by time and rate."""
    used: float = 1.0
    """Share of its rate that the sender uses."""
    late_s: Callable[[float], float] = lambda now: 0.0
    """By how much our own loop reads a packet late that comes at this time."""
    lag_s: float = 0.0
    """What the loop is known to be late."""

    def __post_init__(self) -> None:
        self.counts = Counts()
        self.rate = UplinkRate({7: self.counts}, START, CEILING, lambda: self.lag_s)
        self.delays: list[tuple[float, float]] = []
        """(when sent, seconds to arrive) of every packet."""
        self.rates: list[tuple[float, float]] = []
        self.told_ms: list[int] = []
        self._now = 0.0

    def run(self, seconds: float) -> None:
        rng = random.Random(6)
        obeyed, free = self.rate.rate_bps, 0.0
        feedback: list[tuple[float, float]] = []
        coming: list[tuple[float, float]] = []
        end = self._now + seconds
        while self._now < end:
            while feedback and feedback[0][0] <= self._now:
                obeyed = feedback.pop(0)[1]
            packets = round(self.used * obeyed / 30 / 8 / PACKET_BYTES * rng.uniform(0.8, 1.2))
            for n in range(max(1, packets)):
                sent = self._now + 0.0003 * n
                self.counts.packets_expected += 1
                if rng.random() < self.lost(sent, obeyed):
                    self.counts.packets_lost += 1
                    continue
                free = max(free, sent) + 8 * PACKET_BYTES / self.capacity_bps(sent)
                heapq.heappush(coming, (free + 0.025, sent))
            self._now += 1 / 30
            while coming and coming[0][0] <= self._now:
                came, sent = heapq.heappop(coming)
                self.delays.append((sent, came - sent))
                if (bps := self._read(came + self.late_s(came), sent)) is not None:
                    feedback.append((came + 0.1, bps))
            self.rates.append((self._now, self.rate.rate_bps))

    def _read(self, at: float, sent: float) -> float | None:
        ticks = int((sent + 1000) * (1 << 18)) & 0xFFFFFF
        answer = self.rate.add(1_000_000 + round(1000 * at), ticks, PACKET_BYTES, 7)
        if answer is None:
            return None
        self.told_ms.append(round(1000 * at))
        return answer[0]

    def delay_ms_p95(self, since: float) -> float:
        delays = sorted(delay for sent, delay in self.delays if sent >= since)
        return 1000 * delays[int(0.95 * len(delays))]

    def mean_bps(self, since: float) -> float:
        rates = [rate for at, rate in self.rates if at >= since]
        return sum(rates) / len(rates)


def test_it_starts_at_the_start_rate_and_grows_to_the_ceiling() -> None:
    link = Link()
    link.run(2)
    assert link.rates[0][1] == START
    assert START * 1.1 < link.rate.rate_bps < START * 1.2
    link.run(10)
    assert link.rate.rate_bps == CEILING


def test_the_sender_is_told_at_least_once_a_second_and_which_sources_are_meant() -> None:
    link = Link()
    link.run(5)
    gaps = [b - a for a, b in zip(link.told_ms, link.told_ms[1:], strict=False)]
    assert TELL_MS <= max(gaps) < 1000
    rate = UplinkRate({}, START, CEILING)
    assert rate.add(1000, 0, 1200, 7) == (START, [7])
    assert rate.add(1001, 0, 1200, 8) is None
    assert rate.add(1000 + TELL_MS, 0, 1200, 7) == (START, [7, 8])


@pytest.mark.parametrize("bps", [500_000, 1_000_000, 2_000_000])
def test_a_bottleneck_with_a_deep_queue_is_filled_without_a_queue(bps: int) -> None:
    link = Link(capacity_bps=lambda now: bps)
    link.run(60)
    assert link.delay_ms_p95(since=5 if bps >= 1_000_000 else 10) <= 200
    assert 0.85 * bps < link.mean_bps(since=15) < 1.05 * bps


def test_at_1_mbps_the_start_included_the_delay_stays_bounded() -> None:
    link = Link(capacity_bps=lambda now: 1e6)
    link.run(60)
    assert link.delay_ms_p95(since=0) <= 300


def test_a_link_that_narrows_and_widens_again_is_followed() -> None:
    link = Link(capacity_bps=lambda now: 1e6 if 20 < now < 40 else 4e6)
    link.run(80)
    assert link.delay_ms_p95(since=24) <= 200
    assert link.rate.rate_bps > 3e6


@pytest.mark.parametrize(("every_s", "stall_s"), [(1.0, 0.2), (0.3, 0.15), (1.0, 0.6)])
def test_our_own_stalls_do_not_look_like_congestion(every_s: float, stall_s: float) -> None:
    link = Link(late_s=lambda now: max(0.0, stall_s - now % every_s))
    link.run(20)
    assert min(rate for _, rate in link.rates) == START
    assert link.rate.rate_bps > 1.5 * START


def test_a_loop_that_is_always_late_does_not_either() -> None:
    link = Link(late_s=lambda now: 0.08 if now > 3 else 0.0)
    link.run(3)
    link.lag_s = 0.08
    link.run(17)
    assert min(rate for _, rate in link.rates) == START


def test_a_route_with_more_delay_is_no_congestion_for_long() -> None:
    link = Link(late_s=lambda now: 0.1 if now > 5 else 0.0)
    link.run(40)
    assert link.rate.rate_bps > START


def test_light_loss_lowers_the_rate_a_little_and_one_percent_does_not() -> None:
    link = Link(lost=lambda now, rate: 0.01)
    link.run(60)
    assert link.rate.rate_bps > 0.8 * CEILING
    link = Link(lost=lambda now, rate: 0.04)
    link.run(10)
    assert 0.6 * START < link.rate.rate_bps < START


@pytest.mark.parametrize("share", [0.04, 0.10, 0.25])
def test_loss_that_stays_whatever_the_rate_does_not_take_the_picture_away(share: float) -> None:
    link = Link(lost=lambda now, rate: share)
    link.run(120)
    assert link.rate.rate_bps > 500_000


@pytest.mark.parametrize("bps", [400_000, 800_000])
def test_an_overrun_link_without_a_queue_is_left_room(bps: int) -> None:
    link = Link(lost=lambda now, rate: max(0.0, 1 - bps / rate))
    link.run(60)
    assert 0.6 * bps < link.mean_bps(since=20) < 1.15 * bps


def test_one_outage_costs_a_step_and_is_made_good() -> None:
    link = Link(lost=lambda now, rate: 1.0 if 10 < now < 10.3 else 0.0)
    link.run(12)
    assert link.rate.rate_bps < 0.9 * CEILING
    link.run(8)
    assert link.rate.rate_bps == CEILING


def test_what_is_not_used_is_not_shown_to_be_there() -> None:
    link = Link(used=0.3)
    link.run(20)
    assert link.rate.rate_bps == START


def test_a_long_silence_is_not_judged() -> None:
    link = Link()
    link.run(5)
    before = link.rate.rate_bps
    link._now += 30
    link.counts.packets_expected += 9000  # counted, but nothing is known of them
    link.counts.packets_lost += 9000
    link.run(0.9)
    assert link.rate.rate_bps >= before


def test_it_never_asks_for_less_than_the_lowest() -> None:
    link = Link(lost=lambda now, rate: max(0.0, 1 - 50_000 / rate))
    link.run(30)
    assert link.rate.rate_bps == LOWEST_BPS
