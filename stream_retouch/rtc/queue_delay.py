"""How long packets wait in the network, from when they were sent and when they came.

Clocks of two machines differ, so only growth is known: the delay now, less the least delay of the
last while. One number decides nothing: frames leave in bursts, Wi-Fi holds packets back, and an
event loop that stood still reads many packets late. What counts is therefore the *least* delay of
several moments: when a queue stands, no packet escapes it, and what was held back comes in one.
"""

from __future__ import annotations

from collections import deque

TICKS_PER_MS = (1 << 18) / 1000
"""Of the abs-send-time header extension: 6.18 bits of seconds, modulo 64 s."""
WRAP = 1 << 24
MOMENT_MS = 25
"""Packets that come within this count as one moment."""
MOMENTS = 4
SILENCE_MS = 1000
"""What came before a pause as long as this says nothing about now."""
BASE_MS = 20_000
"""How long the least delay is remembered: a new route, or clocks that drift, are taken on then."""
SLICE_MS = 1000


class QueueDelay:
    """One stream's queueing delay, by abs-send-time."""

    def __init__(self) -> None:
        self._arrival_ms = 0
        self._sent_ticks: int | None = None
        # (start, least delay) of the last moments, milliseconds.
        self._moments: deque[tuple[int, float]] = deque(maxlen=MOMENTS)
        # The same of slices of a second; of equal use, the later, so least delays come first.
        self._base: deque[tuple[int, float]] = deque()

    def add(self, arrival_ms: int, abs_send_time: int, lag_ms: float) -> None:
        """Notes one packet.

        Args:
            arrival_ms: when it was read, by our clock.
            abs_send_time: the header extension, 24 bits.
            lag_ms: what it may have waited for our own event loop.
        """
        elapsed = arrival_ms - self._arrival_ms
        if self._sent_ticks is None:
            self._sent_ticks = abs_send_time
        else:
            if not 0 <= elapsed <= SILENCE_MS:
                self._moments.clear()
            expected = self._sent_ticks + round(elapsed * TICKS_PER_MS)
            ahead = (abs_send_time - expected + WRAP // 2) % WRAP - WRAP // 2
            self._sent_ticks = expected + ahead
        self._arrival_ms = arrival_ms
        delay_ms = arrival_ms - self._sent_ticks / TICKS_PER_MS
        self._note(arrival_ms, delay_ms - lag_ms)
        # The base is never less than the network's: no lag is taken off.
        self._note_base(arrival_ms // SLICE_MS * SLICE_MS, delay_ms)

    @property
    def queue_ms(self) -> float | None:
        """Milliseconds that every recent packet waited; None while too little has come."""
        if len(self._moments) < MOMENTS:
            return None
        return max(0.0, self._least() - self._base[0][1])

    def accept(self) -> None:
        """Takes the present delay as that of an empty queue."""
        if self._moments:
            self._base = deque([(self._arrival_ms, self._least())])

    def _least(self) -> float:
        return min(delay for _, delay in self._moments)

    def _note(self, at: int, delay: float) -> None:
        if self._moments and at < self._moments[-1][0] + MOMENT_MS:
            start, least = self._moments.pop()
            self._moments.append((start, min(least, delay)))
        else:
            self._moments.append((at, delay))

    def _note_base(self, at: int, delay: float) -> None:
        base = self._base
        while base and (base[-1][1] >= delay or base[-1][0] > at):
            base.pop()
        base.append((at, delay))
        while base[0][0] <= at - BASE_MS:
            base.popleft()
