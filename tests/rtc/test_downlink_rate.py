"""What a receiver is sent: the less of what it asks for and of what losses allow."""

from __future__ import annotations

import pytest

from stream_retouch.rtc.downlink_rate import (
    GROWTH,
    HOLD_S,
    STALE_S,
    DownlinkRate,
    tcp_friendly_bps,
)
from stream_retouch.rtc.limits import RateLimits

LIMITS = RateLimits(min_bps=300_000, start_bps=2_500_000, max_bps=3_000_000)
PACKETS_A_SECOND = 250


class Receiver:
    """Reports once a second, as long as it is let."""

    def __init__(self, limits: RateLimits = LIMITS, packets: int = PACKETS_A_SECOND) -> None:
        self.rate, self.now, self.highest = DownlinkRate(limits), 100.0, 4_294_967_000
        self.packets = packets

    def report(self, loss: float, seconds: int = 1, trip_s: float | None = 0.05) -> int:
        """The rate after so many reports of that loss."""
        for _ in range(seconds):
            self.now += 1.0
            self.highest = (self.highest + self.packets) % (1 << 32)
            self.rate.report(loss, self.highest, self.now, trip_s)
        return self.rate.target(self.now)


def test_with_neither_loss_nor_remb_it_grows_to_the_maximum() -> None:
    rate = DownlinkRate(LIMITS)
    assert rate.target(10.0) == 2_500_000
    assert rate.target(11.0) == pytest.approx(2_500_000 * (1 + GROWTH), abs=1)
    assert rate.target(30.0) == 3_000_000
    assert rate.target(9999.0) == 3_000_000


def test_reports_without_loss_are_no_obstacle() -> None:
    assert Receiver().report(0.0, seconds=6) == 3_000_000
    assert Receiver().report(0.015, seconds=6) == 3_000_000


def test_remb_is_obeyed_down_to_the_minimum_and_never_beyond_the_maximum() -> None:
    rate = DownlinkRate(LIMITS)
    for asked, given in ((1_000_000, 1_000_000), (10_000, 300_000), (50_000_000, 2_500_000)):
        rate.remb(asked, 10.0)
        assert rate.target(10.0) == given


def test_the_less_of_remb_and_loss_counts() -> None:
    receiver = Receiver()
    receiver.rate.remb(1_000_000, 100.5)
    assert receiver.report(0.5, trip_s=0.1) == 500_000
    receiver.rate.remb(400_000, receiver.now)
    assert receiver.rate.target(receiver.now) == 400_000
    receiver.rate.remb(2_900_000, receiver.now)
    assert receiver.rate.target(receiver.now) == 500_000


def test_a_remb_that_is_not_repeated_is_grown_out_of_slowly() -> None:
    rate = DownlinkRate(LIMITS)
    rate.remb(1_000_000, 0.0)
    assert rate.target(STALE_S) == 1_000_000
    assert rate.target(STALE_S + 0.1) <= 1_000_000 * 1.01
    assert 1_150_000 < rate.target(STALE_S + 4.0) < 1_300_000
    for second in range(5, 60):
        rate.target(STALE_S + second)
    assert rate.target(STALE_S + 60) == 3_000_000


def test_slight_loss_sinks_slowly_and_heavy_loss_at_once() -> None:
    slight, heavy = Receiver().report(0.05), Receiver().report(0.4)
    assert slight == pytest.approx(2_500_000 * 1.05 * 0.975, rel=0.06)
    assert heavy == pytest.approx(2_500_000 * 0.6, rel=0.06)


def test_behind_a_bottleneck_the_first_report_finds_its_rate() -> None:
    """A link of 1 Mbps under 2.5 Mbps loses 60 %."""
    assert Receiver().report(0.6) == pytest.approx(1_000_000, rel=0.06)


def test_loss_that_stays_whatever_is_sent_takes_two_fifths_at_most() -> None:
    for loss in (0.03, 0.05, 0.10):
        assert 1_350_000 < Receiver().report(loss, seconds=300) <= 1_500_000
    # A rate that began low does not sink below what TCP would take.
    low = RateLimits(min_bps=300_000, start_bps=800_000, max_bps=3_000_000)
    for loss, floor in ((0.03, 800_000), (0.05, 708_000)):
        assert Receiver(low).report(loss, seconds=300) == pytest.approx(floor, rel=0.02)


def test_loss_that_grows_is_another_and_is_fallen_for_again() -> None:
    receiver = Receiver()
    held = receiver.report(0.05, seconds=60)
    assert receiver.report(0.5) == pytest.approx(held / 2, rel=0.02)


def test_the_tcp_equation_gives_known_values() -> None:
    # RFC 5348 section 3.1 by hand: s = 1200 bytes, R = 0.1 s, p = 0.01.
    by_hand = 9600 / (0.1 * 0.081650 + 0.4 * 3 * 0.061237 * 0.01 * 1.0032)
    assert tcp_friendly_bps(0.01, 0.1) == pytest.approx(by_hand, rel=1e-4)


def test_it_recovers_slowly_after_a_pause() -> None:
    receiver = Receiver()
    low = receiver.report(0.6)
    at = receiver.now
    assert receiver.rate.target(at + HOLD_S) == low
    assert receiver.rate.target(at + HOLD_S + 1.0) == pytest.approx(low * (1 + GROWTH), rel=1e-3)
    assert receiver.rate.target(at + HOLD_S + 5.0) < 1.3 * low
    for second in range(6, 40):
        receiver.rate.target(at + second)
    assert receiver.rate.target(at + 40) == 3_000_000


def test_one_lost_packet_of_a_few_is_no_loss_of_twenty_percent() -> None:
    receiver = Receiver(packets=5)
    for second in range(8):
        receiver.report(0.2 if second == 3 else 0.0)
    assert receiver.rate.loss == pytest.approx(0.05)  # of the twenty around it
    assert receiver.rate.target(receiver.now) > 2_400_000


def test_an_overtaken_report_counts_for_nothing() -> None:
    receiver = Receiver()
    before = receiver.report(0.0, seconds=5)
    receiver.rate.report(1.0, (receiver.highest - 500) % (1 << 32), receiver.now, 0.05)
    assert receiver.rate.target(receiver.now) == before


def test_nothing_leaves_the_limits_whatever_is_reported() -> None:
    receiver = Receiver(packets=30_000_000)
    for loss in (1.0, 1.0, 0.999, 0.0, 1.0):
        assert 300_000 <= receiver.report(loss, trip_s=1e-9) <= 3_000_000
        assert 300_000 <= receiver.report(loss, trip_s=100.0) <= 3_000_000
