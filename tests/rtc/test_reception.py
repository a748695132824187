"""Between the packets of a stream and its decoder, and between an encoder and its packets."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import av
import pytest
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.codecs import CODECS
from aiortc.rtp import RTCP_PSFB_PLI, RtcpPacket, RtcpPsfbPacket, RtpPacket

from stream_retouch.errors import ServiceUnavailable
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.private import private, replace, replace_private
from stream_retouch.rtc.receiver import BACKLOG_FRAMES, VideoReception, is_key_frame
from stream_retouch.rtc.sender import VideoSending, encoder_for
from stream_retouch.rtc.tracks import OutgoingVideo
from tests.rtc.client import picture, run

VP8 = CODECS["video"][0]
KEY, DELTA = b"\x00", b"\x01"


class Transport:
    """A DTLS transport that keeps what is sent."""

    state = "connected"

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append(data)

    @property
    def plis(self) -> int:
        packets = [packet for data in self.sent for packet in RtcpPacket.parse(data)]
        return sum(isinstance(p, RtcpPsfbPacket) and p.fmt == RTCP_PSFB_PLI for p in packets)


class Stream:
    """A receiver whose decoder never takes anything, and the packets for it."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.receiver = RTCRtpReceiver("video", cast(Any, self.transport))
        self.receiver._set_rtcp_ssrc(1)
        replace_private(self.receiver, "codecs", {VP8.payloadType: VP8})
        replace_private(self.receiver, "decoder_thread", threading.Thread())
        self.complete: list[int] = []
        self.reception = VideoReception(
            self.receiver, lambda pts, _: self.complete.append(pts), 1_000_000, 2_000_000
        )
        self._sequence = 0

    async def frame(self, timestamp: int, data: bytes) -> None:
        packet = RtpPacket(payload_type=VP8.payloadType or 0, marker=1, timestamp=timestamp)
        packet.sequence_number, packet.ssrc = self._sequence, 7
        packet.payload = b"\x10" + data  # a VP8 descriptor: start of the first partition
        self._sequence += 1
        await self.receiver._handle_rtp_packet(packet, arrival_time_ms=0)

    def waiting(self) -> list[int]:
        """pts of the frames that wait for the decoder."""
        backlog: queue.Queue[Any] = private(self.receiver, "decoder_queue")
        return [frame.timestamp for _, frame in list(backlog.queue)]


def test_frames_reach_the_decoder_with_the_first_at_time_zero() -> None:
    async def main() -> None:
        stream = Stream()
        for timestamp in (4_294_966_000, 1704, 4704):  # the RTP clock wraps
            await stream.frame(timestamp, KEY)
        assert stream.waiting() == [0, 3000, 6000]
        assert stream.complete == [0, 3000, 6000]

    run(main)


def test_a_decoder_that_is_too_slow_is_fed_again_from_the_next_key_frame() -> None:
    async def main() -> None:
        stream = Stream()
        for n in range(BACKLOG_FRAMES):
            await stream.frame(3000 * n, KEY if n == 0 else DELTA)
        assert len(stream.waiting()) == BACKLOG_FRAMES
        for n in range(BACKLOG_FRAMES, BACKLOG_FRAMES + 20):
            await stream.frame(3000 * n, DELTA)
        assert stream.waiting() == []
        assert stream.transport.plis == 2  # asked at once, and again half a second later
        await stream.frame(900_000, KEY)
        await stream.frame(903_000, DELTA)
        assert stream.waiting() == [900_000, 903_000]

    run(main)


def test_a_stopped_decoder_is_told_at_once_and_joined_elsewhere() -> None:
    async def main() -> None:
        stream = Stream()
        release = threading.Event()
        thread = threading.Thread(target=release.wait)
        thread.start()
        replace_private(stream.receiver, "decoder_thread", thread)
        stream.receiver._handle_disconnect()  # returns although the thread has not ended
        stream.receiver._handle_disconnect()
        assert thread.is_alive()
        await stream.frame(0, KEY)  # goes nowhere
        assert list(private(stream.receiver, "decoder_queue").queue) == [None]
        release.set()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, stream.reception.join_decoder)
        assert not thread.is_alive()

    run(main)


@pytest.mark.parametrize(
    ("codec", "data", "key"),
    [
        ("VP8", b"\x50\x01", True),
        ("VP8", b"\x51\x01", False),
        ("VP8", b"", False),
        ("H264", b"\x00\x00\x00\x01\x67\x42\x00\x00\x00\x01\x65\x88", True),
        ("H264", b"\x00\x00\x00\x01\x06\x05\x00\x00\x00\x01\x65\x88", True),
        ("H264", b"\x00\x00\x00\x01\x41\x9a\x00\x00\x00\x01\x41", False),
        ("H264", b"\x00\x00\x01", False),
        ("H264", b"", False),
    ],
)
def test_a_key_frame_is_known_by_its_first_bytes(codec: str, data: bytes, key: bool) -> None:
    assert is_key_frame(codec, data) is key


def test_a_frame_that_cannot_be_encoded_is_left_out_and_the_next_is_a_key_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        track, left = OutgoingVideo(), []
        sender = RTCRtpSender(track, cast(Any, Transport()))
        pool = ThreadPoolExecutor(1)
        encoder = encoder_for(VP8, RateLimits())
        sending = VideoSending(sender, encoder, pool, lambda pts, _: left.append(pts))
        frames = [picture(64, 48, 0), av.VideoFrame(1, 48, "yuv420p"), picture(64, 48, 6000)]
        frames[1].pts, frames[1].time_base = 3000, frames[0].time_base
        encoded = []
        for frame in frames:
            track.put(frame)
            encoded.append(await sender._next_encoded_frame(VP8))
        assert [each is None for each in encoded] == [False, True, False]
        last = encoded[2]
        assert last is not None and is_key_frame("VP8", last.payloads[0][4:])
        assert (sending.sent, sending.failed) == (1, 1)  # the last has not left yet
        assert left == [0]
        track.stop()
        pool.shutdown()

    run(main)
    assert caplog.text.count("a frame could not be encoded and was left out") == 1


def test_another_aiortc_is_refused_with_the_remedy() -> None:
    changed = SimpleNamespace()
    for attempt in (
        lambda: private(changed, "jitter_buffer"),
        lambda: replace_private(changed, "jitter_buffer", 1),
        lambda: replace(changed, "_handle_rtp_packet", 1),
    ):
        with pytest.raises(ServiceUnavailable, match="this aiortc has no .*; install aiortc 1.16"):
            attempt()
