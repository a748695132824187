"""Where a decoder can start, and asking the sender for such a place.

Fault of aiortc 1.16: one picture loss indication (PLI) per loss; when it is lost, or the key frame
is, the picture stands until the decoder happens to fail. Here it is sent again until one comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from aiortc.rtp import RtpPacket

ANSWER_S = 0.1
"""What a sender may take, beyond the round trip, until its key frame is here."""
EAGER = 10
"""Requests sent one round trip after the other; a sender that still has not answered hardly can
(FFmpeg's WHIP muxer takes no PLI) and is asked once a second."""
PATIENT_S = 1.0

_IDR, _SPS = 5, 7  # H.264 NAL unit types (ITU-T H.264 table 7-1)


class Entry(Enum):
    """Whether decoding can start with a packet."""

    NO = 0
    IF_FIRST = 1
    """Yes, if it is the first packet of its frame, which it does not say itself."""
    YES = 2


def entry(codec_name: str, packet: RtpPacket) -> Entry:
    """Whether a decoder can start at a depacketised `packet` (VP8 or H.264).

    A VP8 packet says where a frame starts (RFC 7741 section 4.2: S set, partition 0). In H.264 a
    parameter set does; an IDR slice without one before it may be the second part of a key frame.
    """
    data: bytes = packet._data  # type: ignore[attr-defined]
    if codec_name == "VP8":
        starts = bool(packet.payload) and packet.payload[0] & 0x17 == 0x10
        return Entry.YES if starts and is_key_frame("VP8", data) else Entry.NO
    types = set(_nal_types(data))
    if _SPS in types:
        return Entry.YES
    return Entry.IF_FIRST if _IDR in types else Entry.NO


def is_key_frame(codec_name: str, data: bytes) -> bool:
    """Whether a decoder can start with this depacketised frame (VP8, or H.264 in Annex B form)."""
    if codec_name == "VP8":
        return bool(data) and not data[0] & 1
    return any(kind in (_IDR, _SPS) for kind in _nal_types(data))


def _nal_types(data: bytes) -> Iterator[int]:
    position = data.find(b"\x00\x00\x01")
    while 0 <= position < len(data) - 3:
        yield data[position + 3] & 0x1F
        position = data.find(b"\x00\x00\x01", position + 3)


class KeyFrameRequests:
    """When to send a PLI: at once, then again until a key frame has come."""

    def __init__(self) -> None:
        self.sent = 0
        """Requests so far."""
        self.next_at: float | None = None
        """When the next one is due, seconds of the caller's clock; None while none is wanted."""
        self._tries = 0

    def due(self, wanted: bool, now: float, round_trip_s: float) -> bool:
        """Whether one is to be sent now; counts it as sent.

        Args:
            wanted: whether a key frame is needed.
            now: the caller's clock, seconds.
            round_trip_s: to the sender and back, seconds.
        """
        if not wanted:
            self.next_at, self._tries = None, 0
            return False
        if self.next_at is not None and now < self.next_at:
            return False
        self._tries += 1
        self.sent += 1
        self.next_at = now + (round_trip_s + ANSWER_S if self._tries < EAGER else PATIENT_S)
        return True
