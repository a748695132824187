"""Leaves frames out while more was sent than the line carries.

Fault: a sender learns half a second late that the line carries less, and x264's buffer is as large as the highest rate
has it, for PyAV cannot shrink it while it runs. All that was sent too much waits before the line, and every later frame
behind it: at a rate just below the line's, for many seconds.

Cure: what was sent is counted against the rate, and a rate that falls counts against the time it took to fall. Not one
that falls for loss alone, where the receiver says that the line carries it: what is lost waits nowhere. While
more than `ALLOWED_S` of it is owed, two frames of three are not encoded at all: a second of less motion instead of many
of delay.
"""

from __future__ import annotations

ALLOWED_S = 0.25
"""How much may be owed: more than x264's buffer at the highest rate, so that there nothing is ever left out."""
LEARNT_S = 0.5
"""How long too much was sent before the rate fell: a look at the delay, a report, and the way of both."""
FALL_SHARE = 0.8
"""A rate that sways by less than a fifth is looking for the line's, and has sent little too much."""
MOST_IN_A_ROW = 2
"""Frames left out one after the other; then one goes out in any case."""


class Burst:
    """What was sent beyond the rate. `now` is any monotonic seconds."""

    def __init__(self) -> None:
        self._owed_bits = 0.0
        self._at: float | None = None
        self._rate_bps = 0
        self._left_out = 0

    def leaves_out(self, now: float, rate_bps: int, line_bps: float | None = None) -> bool:
        """Whether the next frame is to be left out, at a rate of so many bits a second from the last call on.

        Args:
            line_bps: what the receiver says the line carries; None where it says nothing, then it is the rate.
        """
        since = 0.0 if self._at is None else max(now - self._at, 0.0)
        line = (
            rate_bps if line_bps is None else max(line_bps, rate_bps)
        )  # below the least rate is the same
        fall = self._rate_bps - line if line < FALL_SHARE * self._rate_bps else 0.0
        self._at, self._rate_bps = now, rate_bps
        self._owed_bits = max(self._owed_bits - since * rate_bps, 0.0) + fall * LEARNT_S
        full = self._owed_bits > ALLOWED_S * rate_bps and self._left_out < MOST_IN_A_ROW
        self._left_out = self._left_out + 1 if full else 0
        return full

    def sent(self, size: int) -> None:
        """So many bytes have been given out."""
        self._owed_bits += 8 * size
