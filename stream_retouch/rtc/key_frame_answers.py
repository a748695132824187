"""When to answer a receiver that asks for a key frame.

Fault of aiortc 1.16's sender: every request (PLI, RFC 4585 section 6.3.1; FIR, RFC 5104 section
4.3.1) makes the next frame a key frame, so a receiver that repeats itself, or ten viewers who join,
get one after the other, each ten times a frame's size. And while the source stands still no frame
comes, so the request is never answered and the receiver shows nothing.
"""

from __future__ import annotations

LEAST_S = 0.3
"""Between two key frames that were asked for."""
REPEAT_S = 0.1
"""How long a new frame is waited for; then the last one is encoded again."""
ROUND_TRIP_S = 0.1
"""While it is not known."""


class KeyFrameAnswers:
    """Merges the requests for key frames of one stream. Pure: takes `now`, seconds."""

    def __init__(self, least_s: float = LEAST_S) -> None:
        self._least_s = least_s
        self._last: float | None = None
        self._wanted_at: float | None = None
        self.asked = 0
        """Requests so far."""
        self.answered = 0
        """Key frames made because they were asked for."""

    def ask(self, now: float, round_trip_s: float | None = None) -> None:
        """A request has come; `round_trip_s` to who asks and back, None while not known."""
        self.asked += 1
        trip = ROUND_TRIP_S if round_trip_s is None else round_trip_s
        if self._last is not None and now - self._last < trip:
            return  # sent off before the key frame that is on its way could arrive
        if self._wanted_at is None:
            self._wanted_at = now if self._last is None else max(now, self._last + self._least_s)

    def due(self, now: float) -> bool:
        """Whether the next frame is to be a key frame."""
        return self._wanted_at is not None and now >= self._wanted_at

    @property
    def repeat_at(self) -> float | None:
        """When the last frame is to be sent again, if no other has come; None: never."""
        return None if self._wanted_at is None else self._wanted_at + REPEAT_S

    def made(self, now: float) -> None:
        """A key frame is being sent, whether it was asked for or not."""
        self.answered += self._wanted_at is not None
        self._last, self._wanted_at = now, None
