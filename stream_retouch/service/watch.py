"""Once a second, whatever the sessions do: how late the event loop is, how much waits where, what has been kept for too
long, and what connections have left behind.

A connection is a web of objects that hold each other, with codecs and their threads inside. Python's collector would
find it some connections later: 24 threads and 200 MB were left after a minute of coming and going (measured). So it is
called once a connection has ended; with what lives for ever set aside (`service/garbage.py`) that takes a millisecond.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping

from stream_retouch.metrics import Metrics, Queue
from stream_retouch.rtc.loop_lag import loop_lag

WATCH_S = 1.0
COLLECT_LOOKS = 2
"""Looks after which a connection that has ended is collected: its last callbacks are over."""


class Watch:
    """Runs from `start` to `close`. Event loop only."""

    def __init__(
        self,
        metrics: Metrics,
        depths: Callable[[], Mapping[Queue, int]],
        sweep: Callable[[], int],
        collect: Callable[[], object] = gc.collect,
    ) -> None:
        """
        Args:
            depths: how much waits in the queues now.
            sweep: forgets looks that were kept for too long; gives how many are left.
            collect: frees what nobody can reach.
        """
        self._metrics, self._depths, self._sweep = metrics, depths, sweep
        self._collect, self._looks_to_go = collect, 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins on the running loop. Call once."""
        self._task = asyncio.create_task(self._run(), name="watch")

    async def close(self) -> None:
        """Ends it. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def collect_soon(self) -> None:
        """A connection has ended, and is to be freed."""
        self._looks_to_go = COLLECT_LOOKS

    def look(self) -> None:
        """One look around."""
        if self._looks_to_go:
            self._looks_to_go -= 1
            if not self._looks_to_go:
                self._collect()
        for queue, depth in self._depths().items():
            self._metrics.queue_depth(queue, depth)
        self._metrics.looks_kept.set(self._sweep())

    async def _run(self) -> None:
        lag = loop_lag()
        lag.start()
        try:
            while True:
                await asyncio.sleep(WATCH_S)
                self._metrics.observe_loop_lag(lag.recent_ms / 1000)
                self.look()
        finally:
            lag.stop()
