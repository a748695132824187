"""How one session's frame path does: what became of its frames, and how many a second."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from stream_retouch.metrics import FrameResult

STATS_WINDOW_S = 2.0
"""Rates in `FrameStats` are over this long."""


@dataclass(frozen=True, slots=True)
class FrameStats:
    """How the frame path does: rates over the last STATS_WINDOW_S, counts since the session
    began."""

    fps: float
    """Frames sent per second."""
    fresh_share: float | None
    """Share of the sent frames whose every edit came from their own crop, 0..1; None when none was
    sent."""
    faces: int
    """Faces in the latest frame."""
    dropped: int
    """Frames that were never looked at because a newer one was there."""
    reused: int
    """Frames that left with an earlier edit, moved to the face's new place."""
    failed: int
    """Frames that left as they came because something went wrong."""


class Tally:
    """Counts what became of frames; the lock makes it readable from the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, FrameResult]] = deque(maxlen=1_000)
        self._first: float | None = None
        self._counts: dict[FrameResult, int] = {}
        self._faces = 0

    def add(self, now: float, result: FrameResult, faces: int | None) -> None:
        """`faces` None: nobody has looked; those of the frame before still count."""
        with self._lock:
            self._first = now if self._first is None else self._first
            self._recent.append((now, result))
            while self._recent[0][0] < now - STATS_WINDOW_S:
                self._recent.popleft()
            self._counts[result] = self._counts.get(result, 0) + 1
            self._faces = self._faces if faces is None else faces

    def read(self, now: float, dropped: int) -> FrameStats:
        with self._lock:
            recent = [result for at, result in self._recent if at >= now - STATS_WINDOW_S]
            span = min(STATS_WINDOW_S, now - self._first) if self._first is not None else 0.0
            own = sum(result in ("fresh", "passed") for result in recent)
            return FrameStats(
                fps=len(recent) / span if span > 0 else 0.0,
                fresh_share=own / len(recent) if recent else None,
                faces=self._faces,
                dropped=dropped,
                reused=self._counts.get("reused", 0),
                failed=self._counts.get("failed", 0),
            )
