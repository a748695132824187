"""What this program adds to the delay of a picture: last packet in to last packet out.

aiortc measures nothing of the kind. Frames keep their source time stamp on their way (90 kHz, from
the first frame's), so the two moments are matched by it.
"""

from __future__ import annotations

from collections import deque

HISTORY = 300
"""Samples kept: ten seconds at 30 frames a second."""
WAITING = 256
"""Frames remembered between arriving and leaving; frames that never leave are forgotten so."""


class AddedDelay:
    """Pairs arrivals and departures. Written on the event loop; may be read from any thread."""

    def __init__(self) -> None:
        self._arrived: dict[int, float] = {}
        self._samples: deque[float] = deque(maxlen=HISTORY)

    def arrived(self, pts: int, now: float) -> None:
        """The frame `pts` was complete at `now` (seconds)."""
        self._arrived[pts] = now
        while len(self._arrived) > WAITING:
            del self._arrived[next(iter(self._arrived))]

    def left(self, pts: int, now: float) -> None:
        """The last packet of the frame `pts` was sent at `now` (seconds); unknown frames pass."""
        arrived = self._arrived.pop(pts, None)
        if arrived is not None:
            self._samples.append((now - arrived) * 1000)

    def left_for_one(self, pts: int, now: float) -> None:
        """The same, for one of several receivers: each counts."""
        arrived = self._arrived.get(pts)
        if arrived is not None:
            self._samples.append((now - arrived) * 1000)

    @property
    def samples_ms(self) -> tuple[float, ...]:
        """The latest samples, oldest first, milliseconds."""
        return tuple(self._samples)

    @property
    def p50_ms(self) -> float | None:
        """Median of the latest samples; None before the first."""
        return self._percentile(0.50)

    @property
    def p95_ms(self) -> float | None:
        """95th percentile of the latest samples; None before the first."""
        return self._percentile(0.95)

    def _percentile(self, share: float) -> float | None:
        samples = sorted(self.samples_ms)
        return samples[round(share * (len(samples) - 1))] if samples else None
