"""How long decoding and encoding take, frame by frame.

aiortc decodes in a thread of its own that tells nothing, so a frame is timed from the moment it is
handed over to the moment its picture is there: waiting for the decoder counts, as it does for the
user.
"""

from __future__ import annotations

import time
from collections import deque

from stream_retouch.metrics import Stage

KEPT = 300
"""Samples of each stage between two calls of `take`; older ones are forgotten."""
WAITING = 64
"""Frames remembered while they are decoded."""


class StageTimes:
    """Belongs to one connection. `decoded` and `encoded` may be called from threads of their own."""

    def __init__(self) -> None:
        self._handed: dict[int, float] = {}
        self._samples = _empty()

    def handed(self, pts: int) -> None:
        """The frame `pts` goes to the decoder now."""
        self._handed[pts] = time.perf_counter()
        while len(self._handed) > WAITING:
            self._handed.pop(next(iter(self._handed)), None)

    def decoded(self, pts: int | None) -> None:
        """The picture of the frame `pts` is there; unknown ones pass."""
        since = self._handed.pop(pts, None) if pts is not None else None
        if since is not None:
            self._samples["decode"].append(time.perf_counter() - since)

    def encoded(self, seconds: float) -> None:
        """A frame was encoded."""
        self._samples["encode"].append(seconds)

    def take(self) -> dict[Stage, list[float]]:
        """The samples since the last call, seconds, oldest first."""
        taken, self._samples = self._samples, _empty()
        return {stage: list(samples) for stage, samples in taken.items()}


def _empty() -> dict[Stage, deque[float]]:
    return {"decode": deque(maxlen=KEPT), "encode": deque(maxlen=KEPT)}
