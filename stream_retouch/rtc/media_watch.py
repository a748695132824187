"""Notices that the picture stands, and counts for how long.

Fault of aiortc 1.16: it tells nobody that no video comes any more. A peer whose video stops is
*stalled* after 3 s, and told so; it is not thrown out: a browser's muted or hidden camera, or a
publisher that pauses, still sends packets of some kind (RTCP, STUN), and may go on at any time. Only
a peer from which nothing at all comes is gone, which liveness.py watches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

STALLED_S = 3.0
"""Without a frame: the peer is stalled."""
FREEZE_S = 0.15
"""A frame that comes this much later than usual, and three times as late, ends a freeze (the rule of
WebRTC's `freezeCount` statistic)."""
USUAL_FRAMES = 30


class MediaWatch:
    """Watches the frames of one video. Event loop only; figures may be read from any thread."""

    def __init__(
        self,
        changed: Callable[[bool], None] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Watches nothing yet.

        Args:
            changed: called with True when the video stalls, with False when it goes on.
            loop: whose clock and timers are used; the running one by default.
        """
        self.changed = changed
        self._loop = loop or asyncio.get_running_loop()
        self.stalled = False
        """Whether no frame has come for 3 s."""
        self.stalls = 0
        """Times that it stalled."""
        self.freezes = 0
        """Times that a frame came much later than usual."""
        self._frozen_s = 0.0
        self._last_at: float | None = None
        self._intervals: deque[float] = deque(maxlen=USUAL_FRAMES)
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0

    @property
    def frozen_s(self) -> float:
        """Seconds that the picture stood, a stall that goes on included."""
        last = self._last_at
        if self.stalled and last is not None and self._timer is not None:
            return self._frozen_s + self._loop.time() - last
        return self._frozen_s

    def start(self) -> None:
        """Begins to watch: a frame is expected from now on. May be called twice."""
        if self._timer is None:
            self._heard_at = self._loop.time()
            self._arm()

    def stop(self) -> None:
        """Ends the watch. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def frame(self) -> None:
        """Notes that a frame is complete."""
        now = self._loop.time()
        if self._last_at is not None:
            self._judge(now - self._last_at)
        self._last_at = self._heard_at = now
        if self.stalled:
            self._turn(False)

    def _judge(self, interval: float) -> None:
        if self._intervals:
            usual = sum(self._intervals) / len(self._intervals)
            if interval > max(3 * usual, usual + FREEZE_S):
                self.freezes += 1
                self._frozen_s += interval
        self._intervals.append(interval)

    def _arm(self) -> None:
        self._timer = self._loop.call_at(self._heard_at + STALLED_S, self._check)

    def _check(self) -> None:
        if self._loop.time() - self._heard_at >= STALLED_S:
            if not self.stalled:
                self.stalls += 1
                self._turn(True)
            # Looks again; a frame that comes tells itself.
            self._timer = self._loop.call_later(STALLED_S, self._check)
        else:
            self._arm()

    def _turn(self, stalled: bool) -> None:
        self.stalled = stalled
        if self.changed is not None:
            self.changed(stalled)
