"""Hands frames that waited behind a missing packet to the decoder a little apart.

Fault: when the packet comes, several frames are complete in the same moment. Newest wins from
the decoder on, so all but one of them would be thrown away, and at one lost packet in a hundred a
stream of 30 frames a second looks like one of 25.

Cure: the last few leave one after the other, quickly enough that the delay of the newest hardly
grows. A frame that comes alone never waits, and after a long outage all but the last few leave at
once.
"""

from __future__ import annotations

from collections import deque

from stream_retouch.rtc.jitter_buffer import EncodedFrame

APART_S = 0.012
"""Between two frames: about what the frame path takes for one."""
MOST_WAITING = 4
"""Frames that may wait: 48 ms at most, for as long as it takes to catch up."""


class CatchUp:
    """The frames that wait for their moment."""

    def __init__(self) -> None:
        self._waiting: deque[EncodedFrame] = deque()
        self._last_at = 0.0

    @property
    def next_at(self) -> float | None:
        """When the next frame may leave, seconds of the caller's clock; None without one."""
        return self._last_at + APART_S if self._waiting else None

    def clear(self) -> None:
        """Forgets the frames that wait."""
        self._waiting.clear()

    def leaving(self, frames: list[EncodedFrame], now: float) -> list[EncodedFrame]:
        """The frames that leave now, oldest first.

        Args:
            frames: complete now, oldest first.
            now: the caller's clock, seconds.
        """
        alone = len(frames) == 1 and not self._waiting
        self._waiting.extend(frames)
        left: list[EncodedFrame] = []
        due = alone or now >= self._last_at + APART_S
        while self._waiting and (due or len(self._waiting) > MOST_WAITING):
            left.append(self._waiting.popleft())
            self._last_at, due = now, False
        return left
