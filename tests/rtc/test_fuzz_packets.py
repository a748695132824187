"""Whatever bytes a client sends as media are left out or taken; what is good after them still passes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from struct import pack
from typing import Any

import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCRtpReceiver
from aiortc.codecs import CODECS
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpReceiveParameters
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    wrap_rtx,
)
from hypothesis import given
from hypothesis import strategies as st

from stream_retouch.rtc.jitter_buffer import CAPACITY
from stream_retouch.rtc.packet_border import SOURCES, guard
from stream_retouch.rtc.peer import Peer, PeerOptions
from stream_retouch.rtc.private import private, replace_private
from stream_retouch.rtc.receiver import ARRIVALS, BACKLOG_FRAMES
from stream_retouch.rtc.retransmission import MOST_MISSING
from tests.fuzzing import OFFER, bounded, broken_bytes
from tests.rtc.simulated import (
    EPOCH_MS,
    FRAME_S,
    KEY,
    RTX,
    RTX_SSRC,
    VIDEO_SSRC,
    VP8,
    Receiving,
    simulate,
)
from tests.rtc.test_sender import Session

CERTIFICATE = RTCCertificate.generateCertificate()
H264 = CODECS["video"][2]
SENDER_SSRC = 9
EXTENSIONS = [
    RTCRtpHeaderExtensionParameters(id=number, uri=uri)
    for number, uri in (
        (1, "urn:ietf:params:rtp-hdrext:sdes:mid"),
        (2, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
        (3, "urn:ietf:params:rtp-hdrext:toffset"),
        (4, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
    )
]


def border() -> RTCDtlsTransport:
    """A transport of one client, as `Peer` guards it."""
    transport = RTCDtlsTransport(RTCIceTransport(RTCIceGatherer()), [CERTIFICATE])
    transport._rtp_header_extensions_map.configure(RTCRtpReceiveParameters([], EXTENSIONS))
    guard(transport)
    return transport


def rtp(number: int, payload: bytes, *, codec: Any = VP8, extensions: bytes = b"") -> bytes:
    """One RTP packet; `extensions`: of the one-byte form."""
    packet = RtpPacket(codec.payloadType, 1, number & 0xFFFF, 3000 * number & 0xFFFFFFFF)
    packet.ssrc, packet.payload = VIDEO_SSRC, payload
    data = packet.serialize()
    if extensions:
        extensions += bytes(-len(extensions) % 4)
        head = pack("!HH", 0xBEDE, len(extensions) // 4)
        data = bytes([data[0] | 0x10]) + data[1:12] + head + extensions + data[12:]
    return data


def again(number: int, payload: bytes) -> bytes:
    packet = RtpPacket(VP8.payloadType or 0, 1, number, 3000 * number, VIDEO_SSRC, payload)
    return bytes(wrap_rtx(packet, RTX.payloadType or 0, 0, RTX_SSRC).serialize())


FRAME = b"\x10" + KEY
GOOD_RTP = [
    rtp(10, FRAME),
    rtp(11, b"\x10\x01", extensions=b"\x10\x30\x22\x01\x02\x03"),
    rtp(40, b"\x90\x80\x81\x02" + KEY, extensions=b"\x32\x01\x02\x03\x40\x7f"),
    rtp(41, b""),
    rtp(12, b"\x67\x42\xe0\x1f", codec=H264),
    rtp(13, b"\x78\x00\x02\x67\x42\x00\x02\x65\x01", codec=H264),
    rtp(14, b"\x7c\x85\x01\x02\x03", codec=H264),
    again(9, FRAME),
    again(42, b""),
]


@st.composite
def wild_rtp(draw: st.DrawFn) -> bytes:
    """A packet that can be read, with numbers from anywhere."""
    number = draw(st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 9, 12, 210, 211, 0x8000, 0xFFFF]))
    values = draw(st.lists(st.tuples(st.integers(1, 5), st.binary(min_size=1, max_size=5))))
    extensions = b"".join(bytes([x_id << 4 | len(value) - 1]) + value for x_id, value in values)
    extensions += bytes(-len(extensions) % 4)
    head = pack(
        "!BBHLL",
        0x90,
        draw(st.sampled_from([0, 0x80])) | draw(st.sampled_from([97, 98, 99, 111])),
        number,
        draw(st.sampled_from([0, 30_000, 33_000, 1 << 31, (1 << 32) - 1])),
        draw(st.sampled_from([VIDEO_SSRC, VIDEO_SSRC, VIDEO_SSRC, RTX_SSRC, 0, (1 << 32) - 1])),
    )
    head += pack("!HH", 0xBEDE, len(extensions) // 4) + extensions
    return head + draw(st.sampled_from([FRAME, b"\x10\x01", b"\x00", b""]) | st.binary(max_size=30))


class Incoming(Receiving):
    """A receiver behind the border."""

    def __init__(self) -> None:
        super().__init__()
        codecs = {codec.payloadType: codec for codec in (VP8, RTX, H264)}
        replace_private(self.receiver, "codecs", codecs)
        self.transport._stats_id = "fake"  # type: ignore[attr-defined]
        self.border = border()
        register(self.border, self.receiver, list(codecs), [VIDEO_SSRC, RTX_SSRC])

    async def hear(self, data: bytes) -> None:
        """One datagram comes in now, decrypted."""
        now_ms = EPOCH_MS + round(1000 * asyncio.get_running_loop().time())
        await self.border._handle_rtp_data(data, arrival_time_ms=now_ms)

    def check_bounds(self) -> None:
        """No memory may depend on what a client sends."""
        reception = self.reception
        assert len(reception._buffer._held) <= CAPACITY
        assert len(reception._retransmission._missing) <= MOST_MISSING
        assert len(reception._last_arrival) <= ARRIVALS
        assert reception.backlog <= BACKLOG_FRAMES
        check_sources(self.border, self.receiver)


def register(
    transport: RTCDtlsTransport, receiver: RTCRtpReceiver, types: list[int], sources: Sequence[int]
) -> None:
    transport._rtp_router.register_receiver(receiver, list(sources), types)


def check_sources(transport: RTCDtlsTransport, receiver: RTCRtpReceiver) -> None:
    for name in ("remote_streams", "active_ssrc", "lsr", "lsr_time"):
        assert len(private(receiver, name)) <= SOURCES
    assert len(transport._rtp_router.ssrc_table) <= SOURCES


@bounded(150)
@given(st.lists(broken_bytes(GOOD_RTP) | wild_rtp(), min_size=1, max_size=12), st.booleans())
def test_after_any_rtp_packets_a_stream_goes_on(datagrams: list[bytes], spread: bool) -> None:
    async def main() -> None:
        client, other = Incoming(), Incoming()
        await client.hear(rtp(10, FRAME))
        for data in datagrams:
            await client.hear(data)
            client.check_bounds()
            if spread:
                await asyncio.sleep(0.04)
        client.decoded()
        first = client.reception._continuity._highest + 1
        good = 0
        for number in range(first, first + 300):  # whatever is awaited is given up meanwhile
            await client.hear(rtp(number, FRAME + bytes([number % 256])))
            await asyncio.sleep(FRAME_S)
            good += any(data == KEY + bytes([number % 256]) for _, data in client.decoded())
            if good == 20:
                break
        assert good == 20
        assert other.transport.sent == [] and other.complete == []
        client.close()
        other.close()

    simulate(main)


INFO = RtcpReceiverInfo(SENDER_SSRC, 12, 3, 100, 4, 5, 6)
GOOD_RTCP = [
    bytes(packet)
    for packet in (
        RtcpSrPacket(VIDEO_SSRC, RtcpSenderInfo(1 << 63, 3000, 10, 1000), [INFO]),
        RtcpRrPacket(VIDEO_SSRC, [INFO, INFO]),
        RtcpSdesPacket([RtcpSourceInfo(VIDEO_SSRC, [(1, b"me")])]),
        RtcpByePacket([VIDEO_SSRC]),
        RtcpRtpfbPacket(1, VIDEO_SSRC, SENDER_SSRC, [1, 2, 17, 65_535]),
        RtcpPsfbPacket(1, VIDEO_SSRC, SENDER_SSRC),
        RtcpPsfbPacket(4, VIDEO_SSRC, SENDER_SSRC, bytes(8)),
        RtcpPsfbPacket(15, VIDEO_SSRC, 0, pack_remb_fci(700_000, [SENDER_SSRC])),
        RtcpPsfbPacket(15, VIDEO_SSRC, SENDER_SSRC, pack_remb_fci(1, [SENDER_SSRC])[:-4]),
    )
]
GOOD_RTCP.append(b"".join(GOOD_RTCP))


@bounded(100)
@given(st.lists(broken_bytes(GOOD_RTCP) | st.sampled_from(GOOD_RTCP), min_size=1, max_size=12))
def test_after_any_rtcp_packets_a_stream_is_sent_on(datagrams: list[bytes]) -> None:
    async def main() -> None:
        client, session = Incoming(), Session()
        session.sender._ssrc = SENDER_SSRC
        client.border._rtp_router.register_sender(session.sender, SENDER_SSRC)
        await session.start()
        await session.play(1)
        for data in datagrams:
            await client.border._handle_rtcp_data(data)
            client.check_bounds()
        before = len(session.packets)
        for _ in range(20):  # pictures too large for a rate that was asked for are left out
            await session.play(1)
            if len(session.packets) > before:
                break
        assert len(session.packets) > before
        await session.end()
        client.close()

    simulate(main)


@pytest.mark.parametrize(
    "data",
    [rtp(11, FRAME, extensions=bytes([identity << 4, 0])) for identity in (2, 3)]
    + [rtp(11, FRAME, extensions=b"\x41\x01\x02"), rtp(11, FRAME, extensions=b"\x10\xff")],
    ids=["send time", "offset", "level", "mid"],
)
def test_a_packet_whose_header_extension_has_the_wrong_size_is_left_out(data: bytes) -> None:
    async def main() -> None:
        client = Incoming()
        await client.hear(rtp(10, FRAME))
        await client.hear(data)
        await client.hear(rtp(11, FRAME))
        assert len(client.decoded()) == 2
        client.close()

    simulate(main)


def test_a_retransmission_of_what_was_never_sent_does_not_make_the_stream_wait() -> None:
    async def main() -> None:
        client = Incoming()
        await client.hear(again(900, FRAME))
        await client.hear(rtp(10, FRAME))
        await client.hear(again(1500, FRAME))
        await client.hear(rtp(11, FRAME))
        assert len(client.decoded()) == 2
        client.close()

    simulate(main)


def test_a_rate_message_that_is_cut_off_does_not_end_the_connection() -> None:
    async def main() -> None:
        fci = pack_remb_fci(700_000, [SENDER_SSRC])[:-4]
        await border()._handle_rtcp_data(bytes(RtcpPsfbPacket(15, VIDEO_SSRC, 0, fci)))

    simulate(main)


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_of_many_sources_the_newest_are_remembered(kind: str) -> None:
    async def main() -> None:
        transport = border()
        receiver = RTCRtpReceiver(kind, transport)
        codec = CODECS[kind][0]
        replace_private(receiver, "codecs", {codec.payloadType: codec})
        register(transport, receiver, [codec.payloadType or 0], [0])
        for ssrc in range(200):
            data = RtpPacket(codec.payloadType or 0, ssrc=ssrc, payload=FRAME).serialize()
            await transport._handle_rtp_data(data, arrival_time_ms=ssrc)
            check_sources(transport, receiver)
            report = RtcpSrPacket(ssrc, RtcpSenderInfo(0, 0, 0, 0))
            await transport._handle_rtcp_data(bytes(report))
            check_sources(transport, receiver)
        assert 199 in private(receiver, "remote_streams")

    simulate(main)


def test_every_connection_is_guarded() -> None:
    async def main() -> None:
        peer = Peer(PeerOptions())
        await peer.answer(OFFER)
        transport = peer._video.receiver.transport
        transport._rtp_header_extensions_map.configure(RTCRtpReceiveParameters([], EXTENSIONS))
        wild = rtp(11, FRAME, extensions=b"\x20\x00")
        await transport._handle_rtp_data(wild, arrival_time_ms=0)
        await peer.close()

    asyncio.run(main())
