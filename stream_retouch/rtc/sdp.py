"""Checks an offer before aiortc sees it, and edits offer and answer around aiortc's faults.

Faults answered here: aiortc 1.16 meets a bad offer with whatever its parser trips over; it looks up
mDNS candidates before it answers (seconds of delay, an OSError where there is no multicast); it
prefers VP8; and a browser starts at 300 kbps and 640x360 unless the answer says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import MediaDescription, SessionDescription

from stream_retouch.errors import SdpError, UnsupportedOffer

MAX_OFFER_BYTES = 64 * 1024

_RTPMAP = re.compile(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of offer can be answered."""

    advice: str
    """What to offer instead."""
    useless: frozenset[str]
    """Directions of the video, as the client offers it, that cannot be answered."""
    whole: bool
    """Whether all of the offer must be usable, as WHIP and WHEP want it (RFC 9725 section 4.4)."""
    channel: bool = True
    """Whether a data channel has a use."""


SESSION = Wanted(
    "offer one video track with sendrecv, as a browser does",
    frozenset({"recvonly", "inactive"}),
    whole=False,
)
"""Video in and out, for ``/session``."""
PUBLISH = Wanted(
    "offer one video to send, and with it one sound at most",
    frozenset({"recvonly", "inactive"}),
    whole=True,
)
"""Video in, for WHIP."""
WATCH = Wanted(
    "offer to receive one video, and with it one sound at most",
    frozenset({"sendonly", "inactive"}),
    whole=True,
    channel=False,
)
"""Video out, for WHEP."""


def check_offer(offer: str, wanted: Wanted = SESSION) -> None:
    """Refuses what cannot become a session.

    Raises:
        SdpError: with a sentence for whoever sent the offer.
        UnsupportedOffer: it can be read, but asks for what is not done here.
    """
    if len(offer.encode()) > MAX_OFFER_BYTES:
        raise SdpError("the offer is larger than 64 kB; send one session description only")
    if not offer.startswith("v=0"):
        raise SdpError(
            "the offer is not a session description; send the SDP text of createOffer, starting v=0"
        )
    description = _parsed(offer)
    videos = [media for media in description.media if media.kind == "video"]
    if not videos:
        raise UnsupportedOffer(f"the offer has no video; {wanted.advice}")
    if len(videos) > 1:
        raise UnsupportedOffer(f"the offer has {len(videos)} videos; {wanted.advice}")
    if wanted.whole:
        _check_rest(description, wanted)
    _check_directions(description)
    _check_video(videos[0], wanted)
    _check_bundle(description)
    if re.search(r"^a=simulcast:", offer, re.MULTILINE):
        raise UnsupportedOffer("the offer has several simulcast layers; send one layer")


def _check_rest(description: SessionDescription, wanted: Wanted) -> None:
    kinds = [media.kind for media in description.media]
    if kinds.count("audio") > 1:
        raise UnsupportedOffer(f"the offer has {kinds.count('audio')} sounds; {wanted.advice}")
    if kinds.count("application") > wanted.channel:
        raise UnsupportedOffer(
            "the offer has a data channel too many; leave it out: words are for who publishes"
        )
    for kind in kinds:
        if kind not in ("video", "audio", "application"):
            raise UnsupportedOffer(f"the offer has media of an unknown kind; {wanted.advice}")


def _parsed(offer: str) -> SessionDescription:
    try:
        return SessionDescription.parse(offer)
    except Exception as error:  # aiortc's parser meets bad text with any exception there is
        raise SdpError(
            f"the offer cannot be read ({type(error).__name__}); send it as createOffer gave it"
        ) from error


def _check_video(video: MediaDescription, wanted: Wanted) -> None:
    if video.direction in wanted.useless:
        raise UnsupportedOffer(f"the offer's video is {video.direction}; {wanted.advice}")
    if not any(codec.name.upper() in ("H264", "VP8") for codec in video.rtp.codecs):
        raise UnsupportedOffer("the offer has neither H.264 nor VP8; offer one of them")
    if video.ice is None or not video.ice.usernameFragment or not video.ice.password:
        raise SdpError("the offer has no ICE user name or password; send a complete WebRTC offer")
    if video.dtls is None or not video.dtls.fingerprints:
        raise SdpError("the offer has no DTLS fingerprint; send a complete WebRTC offer")


def _check_directions(description: SessionDescription) -> None:
    """aiortc takes no direction for none at all, and then trips over it (RFC 8866 has a default)."""
    for media in description.media:
        if media.kind in ("audio", "video") and media.direction is None:
            raise SdpError(
                f"the offer's {media.kind} has no direction of its own; send a=sendrecv or another"
            )


def _check_bundle(description: SessionDescription) -> None:
    """aiortc takes the transport of the first in the bundle for all, and gives them none if there is none."""
    bundle = next((group for group in description.group if group.semantic == "BUNDLE"), None)
    known = ("video", "audio", "application")
    mids = {media.rtp.muxId for media in description.media if media.kind in known}
    if bundle is not None and bundle.items and bundle.items[0] not in mids:
        raise SdpError(
            "the offer bundles media that it does not have; send it as createOffer gave it"
        )


def without_mdns(offer: str) -> str:
    """`offer` without its mDNS (``.local``) candidates.

    The browser is found all the same: it checks our candidates, and where its checks come from is
    a candidate (peer-reflexive, RFC 8445 section 7.3.1.3). For that the list of candidates must
    stay open, so its end mark goes with them.
    """
    kept = [line for line in _lines(offer) if not _is_mdns_candidate(line)]
    if len(kept) != len(_lines(offer)):
        kept = [line for line in kept if line != "a=end-of-candidates"]
    return _joined(kept)


def codec_preferences() -> list[RTCRtpCodecCapability]:
    """H.264 first (constrained baseline before baseline), VP8 as the fallback, with RTX."""

    def rank(codec: RTCRtpCodecCapability) -> tuple[bool, bool]:
        return (
            codec.name.upper() != "H264",
            codec.parameters.get("profile-level-id") != "42e01f",
        )

    return sorted(RTCRtpSender.getCapabilities("video").codecs, key=rank)


def with_rate_hints(answer: str, start_bps: int, max_bps: int, min_bps: int | None = None) -> str:
    """`answer` that tells Chrome where to start and where to end its bit rate.

    Every VP8 and H.264 payload type gets ``x-google-start-bitrate`` and ``x-google-max-bitrate``
    (kbps), and ``x-google-min-bitrate`` when `min_bps` is given: that pins the rate, come what may.
    """
    hints = f"x-google-start-bitrate={start_bps // 1000}"
    if min_bps is not None:
        hints += f";x-google-min-bitrate={min_bps // 1000}"
    hints += f";x-google-max-bitrate={max_bps // 1000}"
    return _joined(list(_hinted(_lines(answer), hints)))


def _hinted(lines: list[str], hints: str) -> Iterator[str]:
    formatted = {line.split(" ", 1)[0] for line in lines if line.startswith("a=fmtp:")}
    hinted = {f"a=fmtp:{match[1]}" for line in lines if (match := _RTPMAP.match(line))}
    for line in lines:
        name, _, parameters = line.partition(" ")
        if name in hinted:
            yield f"{name} {hints};{parameters}"
            continue
        yield line
        match = _RTPMAP.match(line)
        if match and f"a=fmtp:{match[1]}" not in formatted:
            yield f"a=fmtp:{match[1]} {hints}"


def _is_mdns_candidate(line: str) -> bool:
    # a=candidate:foundation component transport priority address port typ ... (RFC 8839, 5.1)
    fields = line.split()
    return line.startswith("a=candidate:") and len(fields) > 4 and fields[4].endswith(".local")


def _lines(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line]


def _joined(lines: list[str]) -> str:
    return "\r\n".join(lines) + "\r\n"
