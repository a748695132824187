"""Candidates that come after the offer (RFC 8840, ``application/trickle-ice-sdpfrag``).

Faults answered: aiortc 1.16 reads no such fragment; it looks up mDNS names, which takes seconds and
raises where there is no multicast; and nothing bounds how many candidates one client may add. A
candidate that cannot be used is left out without a word, as RFC 9725 wants: the client's checks
find us all the same.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from aiortc import RTCIceCandidate, RTCPeerConnection
from aiortc.sdp import candidate_from_sdp

from stream_retouch.errors import SdpError

MOST_CANDIDATES = 64
"""Candidates taken of one client; further ones are left out."""

_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)\s*$", re.MULTILINE)
_LINE = re.compile(r"[a-z]=\S.*")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one fragment says."""

    ufrag: str | None
    """ICE user name it belongs to; None: it does not say."""
    candidates: tuple[RTCIceCandidate, ...] = ()
    """Those that can be used."""
    complete: bool = False
    """Whether no more will come."""


def parse_fragment(text: str) -> Fragment:
    """Reads a fragment.

    Raises:
        SdpError: it is none.
    """
    ufrag, complete, mid = None, False, None
    candidates: list[RTCIceCandidate] = []
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if not lines or not all(_LINE.fullmatch(line) for line in lines):
        raise SdpError("this is no trickle-ice-sdpfrag; send lines like a=candidate:... (RFC 8840)")
    for line in lines:
        name, _, value = line.partition(":")
        if name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=mid":
            mid = value
        elif name == "a=end-of-candidates":
            complete = True
        elif name == "a=candidate":
            candidate = _usable(value)
            if candidate is not None:
                candidate.sdpMid = mid
                candidate.sdpMLineIndex = 0 if mid is None else None
                candidates.append(candidate)
    return Fragment(ufrag, tuple(candidates), complete)


def _usable(value: str) -> RTCIceCandidate | None:
    try:
        candidate = candidate_from_sdp(value)
        ipaddress.ip_address(candidate.ip)  # no name: neither mDNS nor one that must be looked up
    except Exception:  # aiortc's parser meets bad text with any exception there is
        return None
    usable = candidate.protocol.lower() == "udp" and candidate.component == 1
    return candidate if usable and 0 < candidate.port < 65_536 else None


def is_restart(fragment: Fragment, offer: str) -> bool:
    """Whether `fragment` begins another ICE session than that of `offer`."""
    return fragment.ufrag is not None and fragment.ufrag not in _UFRAG.findall(offer)


async def add_candidates(pc: RTCPeerConnection, fragment: Fragment) -> None:
    """Gives the candidates of `fragment` to `pc`, as long as it takes any."""
    known = pc.remoteDescription.sdp.count("a=candidate:")
    for candidate in fragment.candidates[: max(0, MOST_CANDIDATES - known)]:
        try:
            await pc.addIceCandidate(candidate)
        except (ValueError, ConnectionError):
            return  # the client had said that no more would come
