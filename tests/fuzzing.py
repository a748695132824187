"""What all fuzz tests share: how far they go, and ways to break what is good."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

OFFER = "".join(
    line + "\r\n"
    for line in (
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1 2",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:0 PCMU/8000",
        "a=ssrc:5 cname:me",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdef01234567",
        "a=fingerprint:sha-256 " + ":".join(["A5"] * 32),
        "a=setup:actpass",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host generation 0",
        "a=candidate:2 1 udp 2122260222 0b2f.local 50001 typ host",
        "a=end-of-candidates",
        "a=mid:1",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=msid:stream track",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 goog-remb",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:98 H264/90000",
        "a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=ssrc-group:FID 7 8",
        "a=ssrc:7 cname:me",
        "a=ssrc:8 cname:me",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdef01234567",
        "a=fingerprint:sha-256 " + ":".join(["A5"] * 32),
        "a=setup:actpass",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:2",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789abcdef01234567",
        "a=fingerprint:sha-256 " + ":".join(["A5"] * 32),
        "a=setup:actpass",
    )
)
"""A browser's offer with sound, video and a data channel. It is written out, so that every run is the same."""

FRAGMENT = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\n"
    "a=candidate:2 1 tcp 1 2001:db8::7 9 typ srflx raddr 0.0.0.0 rport 9 tcptype active\r\n"
    "a=end-of-candidates\r\n"
)

NUMBERS = st.sampled_from(
    ["0", "-1", "1", "65535", "65536", str(1 << 31), str(1 << 32), str(-(1 << 63)), "9" * 30]
    + ["9" * 5000, "1e999", "0x10", "", "\N{ARABIC-INDIC DIGIT THREE}"]
)
"""Numbers at the edges, and what only looks like one."""


def bounded(examples: int) -> settings:
    """So many examples, the same in every run, with nothing kept for the next."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,  # other work on the machine is no fault
        suppress_health_check=[HealthCheck.too_slow],
    )


@st.composite
def broken(draw: st.DrawFn, good: str, joint: str = "\r\n") -> str:
    """`good` text with lines dropped, doubled, moved or replaced, numbers changed, or cut off."""
    lines = good.split(joint)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 7)):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case 2:
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case 3:
                lines = draw(st.permutations(lines))
            case 4:
                name = re.match(r"[^:= ]*[:= ]", lines[at])
                lines[at] = (name[0] if name else "") + draw(st.text(max_size=20))
            case 5:
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case _:
                lines[at] = _with_number(draw, lines[at])
    text = joint.join(lines)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 9 else text


def _with_number(draw: st.DrawFn, line: str) -> str:
    found = list(re.finditer(r"-?\d+", line))
    if not found:
        return line
    which = found[draw(st.integers(0, len(found) - 1))]
    return line[: which.start()] + draw(NUMBERS) + line[which.end() :]


@st.composite
def broken_bytes(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """One of `good` with bytes changed, put in or taken out, cut off, or any bytes at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=80))
    data = bytearray(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 3)):
            case 0 | 1 if data:
                data[at] = draw(st.integers(0, 255))
            case 2:
                data[at:at] = draw(st.binary(max_size=12))
            case _:
                del data[at : at + draw(st.integers(1, 40))]
    return bytes(data)
