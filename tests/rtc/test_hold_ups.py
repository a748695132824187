"""How much is asked for over a link that loses packets."""

from __future__ import annotations

import pytest

from stream_retouch.rtc.hold_ups import (
    CHANGE,
    COUNTS,
    HOLD_UPS_PER_S,
    LEAST_BPS,
    PACKET_BITS,
    RISE,
    HoldUps,
)

CEILING = 5_000_000


def after(*losses: float) -> HoldUps:
    bound = HoldUps(CEILING)
    for loss in losses:
        bound.count(loss)
    return bound


def test_packets_lost_twice_are_as_seldom_as_promised() -> None:
    bound = after(*[0.08] * CHANGE)
    assert bound.most_bps / PACKET_BITS * 0.08**2 == pytest.approx(HOLD_UPS_PER_S)
    assert after(*[0.01] * COUNTS).most_bps == CEILING
    assert after(*[0.03] * COUNTS).most_bps == CEILING


def test_the_picture_is_left_enough_to_show_something() -> None:
    assert after(*[0.4] * COUNTS).most_bps == LEAST_BPS


def test_a_second_of_loss_is_answered_whatever_was_before() -> None:
    losses = [0.0] * COUNTS
    assert after(*losses, *[0.1] * (CHANGE - 1)).most_bps == CEILING
    assert after(*losses, *[0.1] * CHANGE).most_bps < 0.2 * CEILING


def test_an_outage_is_not_a_lossy_link() -> None:
    assert after(*[0.0] * 8, 1.0, 0.6, *[0.0] * 8).most_bps == CEILING
    assert after(1.0, 0.6).most_bps == CEILING


def test_chance_sways_it_little() -> None:
    bound = after(*[0.10] * COUNTS)
    before = bound.most_bps
    for loss in (0.02, 0.21, 0.0, 0.16):
        bound.count(loss)
        assert bound.most_bps == pytest.approx(before)


def test_when_the_loss_has_ended_it_rises_slowly() -> None:
    bound = after(*[0.10] * COUNTS)
    low = bound.most_bps
    for _ in range(CHANGE - 1):
        bound.count(0.0)
        assert bound.most_bps == low
    bound.count(0.0)
    assert bound.most_bps == pytest.approx(low * RISE)
    for _ in range(60):
        bound.count(0.0)
    assert bound.most_bps == CEILING
