"""The meter of the event loop's lag."""

from __future__ import annotations

import asyncio

import pytest

from stream_retouch.rtc.loop_lag import INTERVAL_S, LoopLag, loop_lag
from tests.rtc.simulated import SimulatedLoop, simulate


def stand_still(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    loop.stand_still(seconds)


def test_a_loop_with_nothing_to_do_has_no_lag() -> None:
    async def main() -> None:
        lag = LoopLag()
        assert lag.behind_s == 0
        lag.start()
        await asyncio.sleep(3)
        assert (lag.recent_ms, lag.max_ms) == pytest.approx((0, 0), abs=0.01)
        lag.stop()

    simulate(main)


def test_a_stall_is_seen_at_once_and_forgotten_by_and_by() -> None:
    async def main() -> None:
        lag = LoopLag()
        lag.start()
        await asyncio.sleep(1)
        stand_still(0.2)
        # Packets that waited are read before the timer runs: it is known to be overdue all the same.
        assert lag.behind_s == pytest.approx(0.2, abs=INTERVAL_S)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert lag.behind_s == pytest.approx(0.2, abs=INTERVAL_S)
        await asyncio.sleep(2 * INTERVAL_S)
        assert lag.behind_s == pytest.approx(0, abs=0.001)
        assert lag.recent_ms == pytest.approx(200, abs=1000 * INTERVAL_S)
        await asyncio.sleep(2.5)
        assert lag.recent_ms == pytest.approx(0, abs=0.01)
        assert lag.max_ms == pytest.approx(200, abs=1000 * INTERVAL_S)
        lag.stop()

    simulate(main)


def test_one_meter_serves_all_of_a_loop_until_the_last_has_gone() -> None:
    async def main() -> None:
        lag = loop_lag()
        assert loop_lag() is lag
        lag.start()
        lag.start()
        lag.stop()
        await asyncio.sleep(1)
        stand_still(0.1)
        assert lag.behind_s > 0
        lag.stop()
        await asyncio.sleep(0.1)
        assert lag.behind_s == 0
        lag.start()  # and again
        await asyncio.sleep(1)
        assert lag.recent_ms == pytest.approx(0, abs=0.01)
        lag.stop()

    simulate(main)
    simulate(main)  # another loop, another meter
