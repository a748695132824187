"""The packets that were sent a moment ago, for receivers that miss some.

Fault of aiortc 1.16's sender: it keeps 128 packets, 0.4 s at 3 Mbps, so what is asked for a second
time after a long outage is gone and the picture waits for a key frame. And it sends a packet as
often as it is asked for, so a receiver that repeats itself (or a hostile one) multiplies traffic.

Here packets are kept for a time, within a bound in bytes; the same packet is not sent again before
the receiver can have got it, and all that is sent again is held to a rate.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from aiortc.rtp import RtpPacket

KEEP_S = 2.0
"""How long a packet is kept; one that comes later than that is of no use to a picture."""
LEAST_BYTES = 2_000_000
"""Kept at least, if they are younger than `KEEP_S`, whatever the bit rate."""
ASSUMED_ROUND_TRIP_S = 0.04
"""While no receiver report has told the round trip."""
LEAST_PAUSE_S = 0.01
"""Between two sendings of one packet, however short the round trip."""


@dataclass(slots=True)
class _Sent:
    packet: RtpPacket
    at: float
    again_at: float | None = None
    times: int = 0


class Repeat(NamedTuple):
    """A packet that is to be sent again."""

    packet: RtpPacket
    times: int
    """How often so far, this time included."""


class SentPackets:
    """The latest packets of one stream by their sequence number. Pure: takes `now`, seconds."""

    def __init__(self, most_bps: int) -> None:
        """For a stream of at most `most_bps`; 2 s of it are kept."""
        self._most_bytes = max(LEAST_BYTES, round(2 * KEEP_S * most_bps / 8))
        self._again_bps = float(most_bps)
        self._packets: OrderedDict[int, _Sent] = OrderedDict()
        self._bytes = 0
        self._credit_bits = float(most_bps)
        self._credit_at: float | None = None
        self.resent = 0
        """Packets given out again."""
        self.gone = 0
        """Packets that were asked for and are not kept (any more)."""
        self.refused = 0
        """Packets that were asked for too soon after the last time, or too many at once."""

    @property
    def size(self) -> tuple[int, int]:
        """(packets, bytes of payload) that are kept."""
        return len(self._packets), self._bytes

    def add(self, packet: RtpPacket, now: float) -> None:
        """Keeps a packet that is being sent; lets go of what is too old or too much."""
        known = self._packets.pop(packet.sequence_number, None)
        if known is not None:
            self._bytes -= len(known.packet.payload)
        self._packets[packet.sequence_number] = _Sent(packet, now)
        self._bytes += len(packet.payload)
        while self._packets:
            oldest = next(iter(self._packets.values()))
            if now - oldest.at <= KEEP_S and self._bytes <= self._most_bytes:
                break
            self._packets.popitem(last=False)
            self._bytes -= len(oldest.packet.payload)

    def again(self, sequence_number: int, now: float, round_trip_s: float | None) -> Repeat | None:
        """The packet to send again now; None: it is gone, is on its way, or it would be too much.

        Args:
            sequence_number: 0..65535.
            round_trip_s: to the receiver and back, None while it is not known.
        """
        sent = self._packets.get(sequence_number)
        if sent is None or now - sent.at > KEEP_S:
            self.gone += 1
            return None
        trip = ASSUMED_ROUND_TRIP_S if round_trip_s is None else round_trip_s
        too_soon = sent.again_at is not None and now - sent.again_at < max(LEAST_PAUSE_S, trip / 2)
        if too_soon or not self._may_spend(8 * len(sent.packet.payload), now):
            self.refused += 1
            return None
        sent.again_at = now
        sent.times += 1
        self.resent += 1
        return Repeat(sent.packet, sent.times)

    def once_more(self, packet: RtpPacket, now: float) -> bool:
        """Whether a packet that `again` gave out may be sent one more time, to be on the safe side."""
        may = self._may_spend(8 * len(packet.payload), now)
        self.resent += may
        return may

    def _may_spend(self, bits: int, now: float) -> bool:
        """Whether so much more may be sent again: at most the stream's own rate, by the second."""
        if self._credit_at is not None:
            earned = (now - self._credit_at) * self._again_bps
            self._credit_bits = min(self._again_bps, self._credit_bits + earned)
        self._credit_at = now
        if bits > self._credit_bits:
            return False
        self._credit_bits -= bits
        return True
