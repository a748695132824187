"""Notices a peer that has gone without a goodbye.

Fault: aioice 0.13 gives up after six unanswered consent checks of 5 s, so aiortc reports a killed
browser after 28 s (measured), while frames are made for nobody. A living browser is never silent:
it checks consent (STUN) and reports reception (RTCP) every few seconds, whatever its camera does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from aioice.ice import Connection

from stream_retouch.rtc.private import replace


class Liveness:
    """Calls `silent` once nothing has come from the peer for `timeout_s`. Event loop only."""

    def __init__(
        self, connections: Iterable[Connection], timeout_s: float, silent: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s, self._silent = timeout_s, silent
        self._heard_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        for connection in connections:
            self._listen(connection, "data_received")
            self._listen(connection, "request_received")

    @property
    def silent_s(self) -> float:
        """Seconds since anything came from the peer."""
        return self._loop.time() - self._heard_at

    def start(self) -> None:
        """Begins to watch; the peer counts as heard now. May be called twice."""
        if self._timer is None:
            self._heard_at = self._loop.time()
            self._check()

    def stop(self) -> None:
        """Ends the watch. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()

    def _listen(self, connection: Connection, method: str) -> None:
        def heard(*args: Any, **kwargs: Any) -> None:
            self._heard_at = self._loop.time()
            stock(*args, **kwargs)

        stock = replace(connection, method, heard)

    def _check(self) -> None:
        # Until the very moment: checks in fixed steps would notice up to one step late.
        silent_at = self._heard_at + self._timeout_s
        if self._loop.time() >= silent_at:
            self._silent()
            return
        self._timer = self._loop.call_at(silent_at, self._check)
