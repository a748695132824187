"""Streams that do nothing before they have to: what stands for CUDA's where there is no GPU.

Work runs when an event that was recorded after it is waited for, and not a piece more: neither what was enqueued later
nor what another stream has to do, unless the one that is waited for waits for it. So whoever forgets to order something
reads what was there before, every time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Stream:
    """What stands for `torch.cuda.Stream`, and can be given any work."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._enqueued = 0

    @property
    def left(self) -> int:
        """How much was enqueued and has not run."""
        return len(self._waiting)

    def enqueue(self, run: Callable[[], object]) -> None:
        self._waiting.append(run)
        self._enqueued += 1

    def record_event(self) -> Event:
        return Event(self, self._enqueued)

    def wait_stream(self, other: Stream) -> None:
        self.enqueue(other.record_event().synchronize)

    def synchronize(self) -> None:
        self.record_event().synchronize()

    def run_up_to(self, place: int) -> None:
        """Runs what was enqueued, up to the piece of that number."""
        while self._enqueued - len(self._waiting) < place:
            self._waiting.popleft()()


class Event:
    """A moment of a stream: after all that had been enqueued when it was recorded."""

    def __init__(self, stream: Stream, place: int) -> None:
        self._stream, self._place = stream, place

    def synchronize(self) -> None:
        self._stream.run_up_to(self._place)
