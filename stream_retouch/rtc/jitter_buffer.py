"""A video jitter buffer that lets a frame go as soon as its last packet is here.

Fault of aiortc 1.16's buffer: it releases a frame only when a packet of the *next* frame arrives,
which costs one frame interval per receiver (33 ms at 30 fps), and at most one frame per packet.

Cure: the RTP marker bit ends a frame (RFC 6184 section 5.1, RFC 7741 section 4.2). Two traps: a run
of padding-only packets, which Chrome sends to probe the network, makes no frame (an empty packet
would drain the decoder); and one packet that fills a gap may complete several frames.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

CAPACITY = 512
"""Packets held while one is missing; a power of two."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One complete frame as it came over the network."""

    data: bytes
    """Depacketised payload."""
    timestamp: int
    """RTP time stamp, 90 kHz, modulo 2**32."""
    payload_type: int
    """RTP payload type of its packets."""
    ssrc: int
    """RTP source of its packets."""


class MarkerJitterBuffer(JitterBuffer):
    """Orders packets as aiortc's buffer does; complete frames wait in `take`, oldest first.

    `add` never returns a frame itself, because its caller would handle one per packet only.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity=capacity, is_video=True)
        self._complete: deque[EncodedFrame] = deque()

    def take(self) -> list[EncodedFrame]:
        """Every frame that is complete and was not taken yet, oldest first."""
        frames = list(self._complete)
        self._complete.clear()
        return frames

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        while (packets := self._first_complete()) is not None:
            data = b"".join(packet._data for packet in packets)  # type: ignore[attr-defined]
            first = packets[0]
            self.remove(len(packets))
            if data:
                self._complete.append(
                    EncodedFrame(data, first.timestamp, first.payload_type, first.ssrc)
                )
        return None

    def _first_complete(self) -> list[RtpPacket] | None:
        """The packets of the oldest frame or run of padding, or None while one is missing."""
        packets: list[RtpPacket] = []
        for count in range(self._capacity):
            packet = self._packets[((self._origin or 0) + count) % self._capacity]
            if packet is None:
                return None
            if packets and packet.timestamp != packets[0].timestamp:
                return packets  # the sender set no marker, but a new frame has begun
            packets.append(packet)
            if packet.marker:
                return packets
        return None
