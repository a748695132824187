"""Whether less is sent because packets were lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stream_retouch.rtc.overrun import PROBE_SHARE, QUIET, Overrun

START = 2_500_000.0


def after(loss_at: Callable[[float], float], counts: int, rate: float = START) -> float:
    overrun = Overrun()
    for _ in range(counts):
        rate = overrun.lowered(rate, loss_at(rate))
    return rate


def test_hardly_any_loss_is_none() -> None:
    assert after(lambda rate: 0.02, 50) == START


@pytest.mark.parametrize("share", [0.03, 0.10, 0.30])
def test_loss_that_is_there_at_any_rate_is_fallen_for_until_that_is_seen(share: float) -> None:
    rate = after(lambda rate: share, 100)
    assert PROBE_SHARE * 0.7 * START <= rate <= PROBE_SHARE * START
    assert rate == after(lambda rate: share, 200)


@pytest.mark.parametrize("carried", [300_000, 1_000_000, 2_000_000])
def test_a_network_that_is_sent_too_much_gets_what_it_carries(carried: int) -> None:
    rate = after(lambda rate: max(0.0, 1 - carried / rate), 100)
    assert rate == pytest.approx(carried, rel=0.03)


def test_heavy_loss_is_fallen_for_at_once() -> None:
    assert after(lambda rate: 0.6, 1) == pytest.approx(0.4 * START)


def test_a_link_that_grows_much_worse_is_judged_anew() -> None:
    overrun, rate = Overrun(), START
    for _ in range(40):
        rate = overrun.lowered(rate, 0.05)
    assert overrun.lowered(rate, 0.05) == rate
    assert overrun.lowered(rate, 0.5) == pytest.approx(0.5 * rate)


def test_one_good_count_is_chance_and_three_are_not() -> None:
    overrun, rate = Overrun(), START
    for _ in range(40):
        rate = overrun.lowered(rate, 0.05)
    overrun.lowered(rate, 0.0)
    assert overrun.lowered(rate, 0.05) == rate  # it is known that less does not help
    for _ in range(QUIET):
        overrun.lowered(rate, 0.0)
    assert overrun.lowered(rate, 0.05) < rate
