"""A progress bar with the time that is left, for a terminal or a log."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

_REDRAW_S = 0.1
_LOG_STEP = 0.1
_LOG_FRAMES = 500
_BAR = 24


class Progress:
    """Shows how far a job is: one line redrawn on a terminal, a line every tenth of the job
    elsewhere.

    Where the length is not known, frames and speed only. One thread; `close` may be called twice.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._is_terminal = stream.isatty()
        self._start = clock()
        self._drawn_at = -1.0
        self._logged = 0.0
        self._width = 0

    def update(self, frames: int, share: float | None) -> None:
        """`frames` are done, which is `share` (0..1) of the job, or None where its length is
        unknown."""
        now = self._clock()
        if self._is_terminal:
            if self._drawn_at >= 0 and now - self._drawn_at < _REDRAW_S:
                return
            self._drawn_at = now
            self._draw(self._text(frames, share, now))
        elif self._is_due(frames, share):
            self._stream.write(self._text(frames, share, now) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Clears the bar, so that what is printed next starts on an empty line."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0

    def _is_due(self, frames: int, share: float | None) -> bool:
        if share is None:
            return frames % _LOG_FRAMES == 0
        if share + 1e-9 < self._logged + _LOG_STEP:
            return False
        self._logged = int(share / _LOG_STEP + 1e-9) * _LOG_STEP
        return True

    def _text(self, frames: int, share: float | None, now: float) -> str:
        elapsed = max(now - self._start, 1e-6)
        counted = f"{frames} frames  {frames / elapsed:.1f} fps"
        if share is None:
            return counted
        share = min(max(share, 0.0), 1.0)
        left = elapsed * (1 - share) / share if share else 0.0
        bar = ("=" * int(share * _BAR)).ljust(_BAR)
        return f"[{bar}] {share * 100:3.0f} %  {counted}  {clock_text(left)} left"

    def _draw(self, text: str) -> None:
        text = text[: max(shutil.get_terminal_size().columns - 1, 20)]
        # Spaces over the end of a longer line before, instead of an escape sequence that not every
        # console knows.
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)


def clock_text(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
