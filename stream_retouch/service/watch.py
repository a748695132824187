"""Once a second, whatever the sessions do: how late the event loop is, how much waits where, and what
has been kept for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from stream_retouch.metrics import Metrics, Queue
from stream_retouch.rtc.loop_lag import loop_lag

WATCH_S = 1.0


class Watch:
    """Runs from `start` to `close`. Event loop only."""

    def __init__(
        self,
        metrics: Metrics,
        depths: Callable[[], Mapping[Queue, int]],
        sweep: Callable[[], int],
    ) -> None:
        """
        Args:
            depths: how much waits in the queues now.
            sweep: forgets looks that were kept for too long; gives how many are left.
        """
        self._metrics, self._depths, self._sweep = metrics, depths, sweep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins on the running loop. Call once."""
        self._task = asyncio.create_task(self._run(), name="watch")

    async def close(self) -> None:
        """Ends it. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> None:
        """One look around."""
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
