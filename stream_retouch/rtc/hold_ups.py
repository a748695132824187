"""The bit rate at which packets that are lost twice hold the picture up twice in three seconds at most.

Fault: over a radio link that loses a tenth of its packets whatever is sent, 2.5 Mbps are 240 packets
a second, and more than two of them are lost together with their first repetition. Each holds the
picture up for two round trips; frames bunch, a key frame is asked for, and for a second and more the
picture hardly moves (measured: 1.1 s).

Cure: of n packets a second, the share p lost, n p^2 are lost twice. So fewer are asked for. Up to
4 % loss that leaves 4 Mbps, at 10 % it leaves 0.7 Mbps: a softer picture that moves.
"""

from __future__ import annotations

from collections import deque
from statistics import median

PACKET_BITS = 1200 * 8
HOLD_UPS_PER_S = 0.7
LEAST_BPS = 600_000
"""A picture that moves but shows nothing is of no use either."""
COUNT_MS = 250
"""One count of loss."""
COUNTS = 20
"""The median of so many is the link's loss: an outage, however total, is not a lossy link."""
CHANGE = 4
"""So many alike, lossy or not, after a time that was the other: those before are forgotten."""
LOSSY = 0.02
"""A count beyond this share is one of a lossy link."""
RISE = 1.05
"""The bound rises at most by this factor from one count to the next: what ended the loss may be the
bound itself."""


class HoldUps:
    """The bound above, from counts of loss."""

    def __init__(self, ceiling_bps: float) -> None:
        """Allows `ceiling_bps` until loss is counted."""
        self._counts: deque[float] = deque(maxlen=COUNTS)
        self._ceiling_bps = float(ceiling_bps)
        self.most_bps = self._ceiling_bps
        """Bits per second to ask for at most."""

    def count(self, loss: float) -> None:
        """Takes the share of packets lost (0..1) in the latest `COUNT_MS`."""
        self._counts.append(loss)
        if len(self._counts) < CHANGE:
            return
        latest = list(self._counts)[-CHANGE:]
        kinds = {each > LOSSY for each in latest}
        if kinds == {median(self._counts) <= LOSSY}:
            self._counts.clear()
            self._counts.extend(latest)
        usual = median(self._counts)
        allowed = self._ceiling_bps
        if usual > LOSSY:
            allowed = min(allowed, max(LEAST_BPS, HOLD_UPS_PER_S * PACKET_BITS / usual**2))
        self.most_bps = min(allowed, RISE * self.most_bps)
