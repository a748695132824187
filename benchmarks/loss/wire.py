"""What can be read of a WebRTC packet without its keys.

SRTP encrypts the payload but not the RTP header (RFC 3711 section 3.1), SRTCP everything but the
first eight bytes (section 3.4). So source, sequence number, time stamp and payload type can be
read, and of RTCP the kind of a compound packet's first part.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_RTP = struct.Struct("!BBHII")
_RTCP = struct.Struct("!BBHI")
RTPFB, PSFB = 205, 206
"""RTCP packet types of feedback (RFC 4585 section 6.1)."""
_FEEDBACK = {(RTPFB, 1): "nack", (RTPFB, 15): "twcc", (PSFB, 1): "pli", (PSFB, 4): "fir"}
_FEEDBACK[PSFB, 15] = "remb"


@dataclass(frozen=True, slots=True)
class Rtp:
    """The header of an RTP packet (RFC 3550 section 5.1)."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    """Set on the last packet of a video frame."""


@dataclass(frozen=True, slots=True)
class Rtcp:
    """The readable part of an RTCP packet."""

    kind: str
    """``nack``, ``pli``, ``fir``, ``remb``, ``twcc``, or ``report`` for everything else."""
    ssrc: int
    """Of who sent it."""


def header_of(datagram: bytes) -> Rtp | Rtcp | None:
    """The header of an RTP or RTCP packet; None for anything else (STUN, DTLS) and for a stump.

    Told apart as RFC 7983 section 7 and RFC 5761 section 4 say.
    """
    if len(datagram) < 8 or not 128 <= datagram[0] < 192:
        return None
    if 192 <= datagram[1] < 224:
        first, kind, _, ssrc = _RTCP.unpack_from(datagram)
        return Rtcp(_FEEDBACK.get((kind, first & 0x1F), "report"), ssrc)
    if len(datagram) < _RTP.size:
        return None
    _, second, sequence, timestamp, ssrc = _RTP.unpack_from(datagram)
    return Rtp(second & 0x7F, sequence, timestamp, ssrc, second >= 128)


@dataclass(frozen=True, slots=True)
class PayloadTypes:
    """Which payload types a description gives to video and to its retransmission."""

    video: frozenset[int]
    rtx: frozenset[int]


def payload_types(sdp: str) -> PayloadTypes:
    """From the ``a=rtpmap`` lines of an offer or answer (RFC 4588 section 8.1 for ``rtx``)."""
    named = re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)/90000", sdp, re.MULTILINE)
    rtx = frozenset(int(number) for number, name in named if name.lower() == "rtx")
    return PayloadTypes(frozenset(int(number) for number, _ in named) - rtx, rtx)
