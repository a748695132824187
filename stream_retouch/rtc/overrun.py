"""Tells loss of a network that is sent too much from loss that is there at any rate.

Fault: a rule that only knows "loss: send less" gives a radio link, which loses a tenth of its packets
whatever is sent, less and less for nothing. Down at 300 kbps a picture of 720 lines falls to pieces
after every key frame (measured: 20 of 2400 frames, and 2 % of their area off by more than 24 of 255).

Cure: the rate falls with the loss, as that draft-ietf-rmcat-gcc-02 section 6 has it, but only until it
has been seen whether that helps. Overrun leaves a mark: a network that carries C and is sent R loses
1 - C / R, so at a lower rate the loss must have shrunk. If it has not, the rate stays.
"""

from __future__ import annotations

SLIGHT, HEAVY = 0.02, 0.10
"""Shares of packets lost: up to the first all is well; beyond the second the rate falls at once to
what arrived, which behind a bottleneck is what it carries."""
PROBE_SHARE = 0.6
"""Once the rate has fallen to this share, loss that comes of overrun must have shrunk with it."""
WORSE = (1.5, 0.05)
"""Loss beyond the first so many times, and so much more, is another: it is probed anew."""
QUIET = 3
"""Counts without loss, one after the other, until what was learnt is forgotten: one alone is chance."""


class Overrun:
    """What loss makes of a rate."""

    def __init__(self) -> None:
        # (rate, loss) when it began to fall.
        self._before: tuple[float, float] | None = None
        self._quiet = 0

    def lowered(self, rate_bps: float, loss: float) -> float:
        """The rate to go on with.

        Args:
            rate_bps: at which packets were lost, bits per second.
            loss: share of them, 0..1.
        """
        self._quiet = self._quiet + 1 if loss <= SLIGHT else 0
        if self._quiet >= QUIET:
            self._before = None
        if loss <= SLIGHT:
            return rate_bps
        if self._before is None or loss > WORSE[0] * self._before[1] + WORSE[1]:
            self._before = rate_bps, loss
        then_bps, first = self._before
        if rate_bps <= PROBE_SHARE * then_bps:
            # A network that carries no more than it did then would lose this much now.
            overrun = max(0.0, 1 - (1 - first) * then_bps / rate_bps)
            if loss > (first + overrun) / 2:
                return rate_bps
        return rate_bps * (1 - (loss if loss > HEAVY else loss / 2))
