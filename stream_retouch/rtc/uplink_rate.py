"""The bit rate that the sender of the incoming video is asked to keep to (REMB).

Faults of aiortc 1.16's estimator: it starts at 300 kbps and takes half a minute to 0.8 Mbps, so a
browser sends 640x360 (measured with Chrome over loopback); arrival times are taken in the event
loop, so that its own stalls look like congestion; and what helps there, a floor, is blind to
congestion that only delays and never loses.

Policy: start at a rate that shows a good picture, and grow while all goes well. When every packet
waits in a queue (queue_delay.py, the loop's own lag taken off), fall below what the network carries,
the lower the longer the queue, so that it drains. When packets are lost, fall with the loss, unless
that does not help (overrun.py). Loss that stays bounds the rate by what it makes of the picture
(hold_ups.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from stream_retouch.rtc.hold_ups import COUNT_MS, HoldUps
from stream_retouch.rtc.overrun import SLIGHT, Overrun
from stream_retouch.rtc.queue_delay import QueueDelay

LOWEST_BPS = 200_000
GROWTH_PER_S = 0.08
CLEAR_MS = 25
"""Queueing delay up to which the rate may grow."""
QUEUE_MS = 50
"""Queueing delay from which on the rate falls."""
DRAIN_SHARE = (0.85, 0.5)
"""Share of what the network carries that is asked for while a queue drains: of a short one, and of
one of half a second."""
REACTION_MS = 200
"""From one step down to the next: the sender must have had time to follow."""
STANDING_MS = 4000
"""A queue that does not drain this long, at a lower rate, is not ours: it becomes the new zero."""
LOSS_WINDOW_MS = 1000
THROUGHPUT_MS = 150
STEP_MS = 25
"""Between two looks at the delay."""
TELL_MS = 500
"""The sender is told this often, and at once when the rate falls."""
MOST_SOURCES = 16
"""Sources the message names; it has room for 255."""
UNUSED_SHARE = 0.5
"""A sender that uses less of its rate than this has not shown that the network carries more."""


class PacketCounts(Protocol):
    """The part of aiortc's StreamStatistics that tells loss."""

    @property
    def packets_expected(self) -> int:
        """Packets the sender has sent so far, by their sequence numbers."""
        ...

    @property
    def packets_lost(self) -> int:
        """How many of them never came."""
        ...


class UplinkRate:
    """The policy above. Has the `add` that aiortc's receiver calls for its estimate."""

    def __init__(
        self,
        streams: Mapping[int, PacketCounts],
        start_bps: int,
        ceiling_bps: int,
        lag_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Starts at `start_bps`.

        Args:
            streams: counts of the packets, by source.
            start_bps, ceiling_bps: bits per second.
            lag_s: seconds that a packet which is read now may have waited for our event loop.
        """
        self._lag_s = lag_s
        self._start_bps, self._ceiling_bps = start_bps, ceiling_bps
        self._network_bps = float(min(start_bps, ceiling_bps))  # what it seems to carry
        self._hold_ups = HoldUps(ceiling_bps)
        self._delay = QueueDelay()
        self._sources: dict[int, None] = {}
        self._arrived: deque[tuple[int, int]] = deque()
        self._arrived_bytes = 0
        self._step_at: int | None = None
        self._told_at = self._loss_at = self._hold_ups_at = 0
        self._told_bps = self.rate_bps
        self._fell_at = -REACTION_MS
        self._queue_since: int | None = None
        self._queue_then = 0.0
        self._loss = 0.0
        self._overrun = Overrun()
        self._losses, self._short_losses = _Losses(streams), _Losses(streams)

    @property
    def rate_bps(self) -> float:
        """What the sender is asked to keep to, bits per second."""
        return min(self._network_bps, self._hold_ups.most_bps)

    @property
    def queue_ms(self) -> float:
        """Milliseconds that every recent packet waited in the network; 0 while not known."""
        return self._delay.queue_ms or 0.0

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        """Counts one packet; from time to time (bits per second, sources) to tell the sender."""
        now = arrival_time_ms
        if ssrc not in self._sources and len(self._sources) == MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        self._sources[ssrc] = None
        self._delay.add(now, abs_send_time, 1000 * self._lag_s())
        self._count(now, payload_size)
        if self._step_at is None or not 0 <= now - self._step_at <= 10 * TELL_MS:
            # The first packet, or the first after a long silence: there is nothing to judge yet.
            self._step_at = self._loss_at = self._hold_ups_at = now
            self._losses.share()
            self._short_losses.share()
        elif now - self._step_at >= STEP_MS:
            self._step(now, (now - self._step_at) / 1000)
            self._step_at = now
        if now - self._told_at < TELL_MS and self.rate_bps >= 0.97 * self._told_bps:
            return None
        self._told_at, self._told_bps = now, self.rate_bps
        return round(self.rate_bps), list(self._sources)

    def _step(self, now: int, elapsed_s: float) -> None:
        if now - self._loss_at >= LOSS_WINDOW_MS:
            self._loss_at = now
            self._fall_by_loss(self._losses.share())
        if now - self._hold_ups_at >= COUNT_MS:
            self._hold_ups_at = now
            self._hold_ups.count(self._short_losses.share())
        queue_ms = self._delay.queue_ms
        if queue_ms is None:
            return
        if queue_ms >= QUEUE_MS:
            self._fall_by_delay(now, queue_ms)
        else:
            self._queue_since = None
            used = self._throughput_bps(now) >= UNUSED_SHARE * self.rate_bps
            if queue_ms < CLEAR_MS and self._loss <= SLIGHT and used:
                self._set(self._network_bps * (1 + GROWTH_PER_S) ** elapsed_s)

    def _fall_by_delay(self, now: int, queue_ms: float) -> None:
        if self._queue_since is None or queue_ms < 0.8 * self._queue_then:
            self._queue_since, self._queue_then = now, queue_ms
        elif now - self._queue_since > STANDING_MS and queue_ms < 1.2 * self._queue_then:
            self._delay.accept()
            self._queue_since = None
            return
        if now - self._fell_at < REACTION_MS:
            return
        self._fell_at = now
        short, long = DRAIN_SHARE
        share = max(long, short - (short - long) * (queue_ms - QUEUE_MS) / 500)
        wanted = share * self._throughput_bps(now)
        self._set(min(self.rate_bps, max(wanted, self.rate_bps / 3)))

    def _fall_by_loss(self, loss: float) -> None:
        self._loss = loss
        self._set(self._overrun.lowered(self._network_bps, loss))

    def _set(self, rate_bps: float) -> None:
        lowest = min(LOWEST_BPS, self._start_bps)
        self._network_bps = min(max(rate_bps, lowest), self._ceiling_bps)

    def _count(self, now: int, size: int) -> None:
        self._arrived.append((now, size))
        self._arrived_bytes += size
        while self._arrived[0][0] <= now - THROUGHPUT_MS:
            self._arrived_bytes -= self._arrived.popleft()[1]

    def _throughput_bps(self, now: int) -> float:
        return 8000 * self._arrived_bytes / THROUGHPUT_MS


class _Losses:
    """Counts the packets lost from one look to the next."""

    def __init__(self, streams: Mapping[int, PacketCounts]) -> None:
        self._streams = streams
        self._expected = self._lost = 0

    def share(self) -> float:
        """Share of packets lost since the last look, 0..1."""
        expected = sum(stream.packets_expected for stream in self._streams.values())
        lost = sum(stream.packets_lost for stream in self._streams.values())
        new, new_lost = expected - self._expected, lost - self._lost
        self._expected, self._lost = expected, lost
        return min(1.0, max(0.0, new_lost / new)) if new > 0 else 0.0
