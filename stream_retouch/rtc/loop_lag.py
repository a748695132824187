"""How late the event loop is: a timer that measures its own delay.

Whatever holds the loop up makes every packet look late that waited meanwhile. The lag is an
operator's figure, and what uplink_rate.py takes off before it calls a delay congestion.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

INTERVAL_S = 0.025
"""Between two measurements."""
RECENT_S = 1.0


class LoopLag:
    """The lag of one event loop, while anybody wants to know. Figures may be read from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._period_start = 0.0
        self._this_period = self._last_period = self._last_lag = self._mean = 0.0
        self.max_ms = 0.0
        """Worst lag so far, milliseconds."""

    @property
    def recent_ms(self) -> float:
        """Worst lag of the last one to two seconds, milliseconds."""
        return 1000 * max(self._this_period, self._last_period)

    @property
    def mean_ms(self) -> float:
        """Mean lag of about the last second, milliseconds: one stall hardly moves it, overload does."""
        return 1000 * self._mean

    @property
    def behind_s(self) -> float:
        """Seconds that a packet which is read now may have waited for the loop. Event loop only."""
        if self._loop is None:
            return 0.0
        # The timer itself may be overdue: packets that waited are read in the same turn as it runs.
        return max(self._loop.time() - self._due, self._last_lag, 0.0)

    def start(self) -> None:
        """Begins to measure the running loop. May be called by several; each calls `stop`."""
        self._users += 1
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._period_start = self._loop.time()
            self._this_period = self._last_period = self._last_lag = self._mean = 0.0
            self._arm(self._loop)

    def stop(self) -> None:
        """Ends `start`; the last one ends the measurement."""
        self._users -= 1
        if self._users == 0 and self._timer is not None:
            self._timer.cancel()
            self._loop = self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + INTERVAL_S
        self._timer = loop.call_at(self._due, self._measure, loop)

    def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._last_lag = max(0.0, now - self._due)
        self._mean += (self._last_lag - self._mean) * INTERVAL_S / RECENT_S
        if now - self._period_start >= RECENT_S:
            self._last_period, self._this_period = self._this_period, 0.0
            self._period_start = now
        self._this_period = max(self._this_period, self._last_lag)
        self.max_ms = max(self.max_ms, 1000 * self._last_lag)
        self._arm(loop)


_lags: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopLag] = WeakKeyDictionary()


def loop_lag() -> LoopLag:
    """The one meter of the running event loop."""
    loop = asyncio.get_running_loop()
    return _lags.setdefault(loop, LoopLag())
