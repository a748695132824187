"""RTP sequence numbers: 16 bits on the wire, counted on past their end inside.

Fault of aiortc 1.16: its buffers compare the 16 bits themselves. A packet 100 behind empties the
jitter buffer, and what is far ahead and what is far behind look the same.
"""

from __future__ import annotations

LARGEST_GAP = 200
"""Packets that may be missing in one go and still be asked for (about 0.6 s at 3 Mbps). To send more
of them again takes longer than a key frame does."""
STALE_BEHIND = 2000
"""Packets behind the newest from which on a packet is no late one: nothing that old is asked for."""
STALE_RUN = 3
"""Stale packets in a row, and in order, that show that the sender has started to count anew."""


def unwrap(sequence: int, near: int) -> int:
    """The number nearest to `near` whose low 16 bits are `sequence` (0..65535). May be negative."""
    return near + ((sequence - near + 0x8000) & 0xFFFF) - 0x8000


class Continuity:
    """Tells when a stream starts over: another source, or one that counts anew.

    What came before has nothing to do with what comes then (RFC 3550 appendix A.1 has the idea).
    """

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._highest = 0
        self._stale = 0
        self._run = 0

    def may_come_again(self, sequence: int) -> bool:
        """Whether a retransmission (RTX) can be of packet `sequence` (0..65535): what lies far ahead was never
        sent. Taken for the newest, it would make what is sent next look late."""
        if self._ssrc is None:
            return False
        return unwrap(sequence, self._highest) - self._highest <= LARGEST_GAP

    def starts_over(self, ssrc: int, sequence: int) -> bool:
        """Notes a packet that is no retransmission (RTX); whether a stream starts over with it.

        Args:
            ssrc: source of the packet, 32 bits.
            sequence: its sequence number, 0..65535.
        """
        if self._ssrc is None:
            self._ssrc, self._highest = ssrc, sequence
            return False
        number = unwrap(sequence, self._highest)
        if ssrc == self._ssrc and number > self._highest - STALE_BEHIND:
            self._highest = max(self._highest, number)
            self._run = 0
            return False
        self._run = self._run + 1 if number == self._stale + 1 else 1
        self._stale = number
        if ssrc == self._ssrc and self._run < STALE_RUN:
            return False
        self._ssrc, self._highest, self._run = ssrc, number, 0
        return True
