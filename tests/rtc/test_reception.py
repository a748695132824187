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
from aiortc import RTCRtpSender
from aiortc.rtp import RtpPacket

from stream_retouch.errors import ServiceUnavailable
from stream_retouch.rtc.key_frames import is_key_frame
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.private import private, replace, replace_private
from stream_retouch.rtc.receiver import BACKLOG_FRAMES, SOURCES
from stream_retouch.rtc.sender import VideoSending, encoder_for
from stream_retouch.rtc.tracks import OutgoingVideo
from tests.rtc.client import picture, run
from tests.rtc.simulated import (
    DELTA,
    FRAME_S,
    KEY,
    VIDEO_SSRC,
    VP8,
    Camera,
    Chance,
    Receiving,
    Transport,
    simulate,
)


class Stream(Receiving):
    """Frames of one packet each, one after the other, over a network without delay."""

    def __init__(self) -> None:
        super().__init__()
        self._sequence = 0

    async def frame(self, timestamp: int, data: bytes) -> None:
        packet = RtpPacket(VP8.payloadType or 0, marker=1, timestamp=timestamp, ssrc=VIDEO_SSRC)
        packet.sequence_number = self._sequence
        packet.payload = b"\x10" + data  # a VP8 descriptor: start of the first partition
        self._sequence += 1
        await self.take(packet)

    def waiting(self) -> list[int]:
        """pts of the frames that wait for the decoder."""
        backlog: queue.Queue[Any] = private(self.receiver, "decoder_queue")
        return [task[1].timestamp for task in list(backlog.queue) if task is not None]


def test_frames_reach_the_decoder_with_the_first_at_time_zero() -> None:
    async def main() -> None:
        stream = Stream()
        for timestamp in (4_294_966_000, 1704, 4704):  # the RTP clock wraps
            await stream.frame(timestamp, KEY)
        assert stream.waiting() == [0, 3000, 6000]
        assert stream.complete == [0, 3000, 6000]
        stream.close()

    simulate(main)


def test_a_decoder_that_is_too_slow_is_fed_again_from_the_next_key_frame() -> None:
    async def main() -> None:
        stream = Stream()
        for n in range(BACKLOG_FRAMES):
            await stream.frame(3000 * n, KEY if n == 0 else DELTA)
        assert len(stream.waiting()) == BACKLOG_FRAMES
        await stream.frame(3000 * BACKLOG_FRAMES, DELTA)
        assert stream.waiting() == []
        assert stream.transport.plis == 1
        for n in range(BACKLOG_FRAMES + 1, BACKLOG_FRAMES + 9):
            await asyncio.sleep(FRAME_S)
            await stream.frame(3000 * n, DELTA)
        assert stream.waiting() == []
        assert stream.transport.plis == 2  # asked at once, and again after 200 ms
        await stream.frame(900_000, KEY)
        await stream.frame(903_000, DELTA)
        assert stream.waiting() == [900_000, 903_000]
        stream.close()

    simulate(main)


def test_a_decoder_that_fails_is_given_a_key_frame_and_one_request_for_it() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.frame(0, KEY)
        for n in range(1, 4):
            private(stream.receiver, "decoder_error").set()
            await stream.frame(3000 * n, DELTA)
        assert stream.transport.plis == 1
        await stream.frame(12_000, KEY)
        await asyncio.sleep(2)
        assert stream.transport.plis == 1
        assert len(stream.waiting()) == 5
        stream.close()

    simulate(main)


def test_a_sender_that_counts_anew_is_followed() -> None:
    async def main() -> None:
        stream = Stream()
        stream._sequence = 30_000
        await stream.frame(0, KEY)
        stream._sequence = 20_000
        for n in range(1, 9):
            await stream.frame(3000 * n, KEY)
        assert len(stream.waiting()) >= 6
        stream.close()

    simulate(main)


def test_a_sender_of_many_sources_does_not_fill_the_memory() -> None:
    async def main() -> None:
        stream = Receiving()
        for ssrc in range(500):
            packet = RtpPacket(VP8.payloadType or 0, marker=1, ssrc=ssrc, payload=b"\x10" + KEY)
            packet.extensions.abs_send_time = ssrc
            await stream.take(packet)
        await asyncio.sleep(1)
        packet.extensions.abs_send_time = 1 << 18
        await stream.take(packet)  # and the rate is told again
        for sources in ("remote_streams", "active_ssrc"):
            assert len(private(stream.receiver, sources)) == SOURCES
        stream.close()

    simulate(main)


def test_an_rtx_stream_that_no_offer_named_is_used() -> None:
    async def main() -> None:
        camera = Camera(lost=Chance(0.02).lost)
        replace_private(camera.stream.receiver, "rtx_ssrc", {})
        await camera.film(10)
        assert len(camera.shown) == 300
        assert camera.stream.reception.counts.given_up == 0

    simulate(main)


def test_after_its_end_a_stream_takes_nothing_and_leaves_no_timer() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.frame(0, KEY)
        stream._sequence += 1  # something is missing now
        await stream.frame(3000, DELTA)
        stream.close()
        for n in range(2, 100):
            await stream.frame(3000 * n, DELTA)
        await asyncio.sleep(10)
        assert (stream.transport.nacks, stream.complete) == ([], [0])
        assert not [
            timer for timer in asyncio.get_running_loop()._scheduled if not timer._cancelled
        ]  # type: ignore[attr-defined]

    simulate(main)


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


def test_a_frame_that_cannot_be_encoded_is_left_out_and_the_next_is_a_key_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        track = OutgoingVideo()
        sender = RTCRtpSender(track, cast(Any, Transport()))
        pool = ThreadPoolExecutor(1)
        encoder = encoder_for(VP8, RateLimits())
        sending = VideoSending(sender, encoder, pool, lambda pts, at: None)
        frames = [picture(64, 48, 0), av.VideoFrame(1, 48, "yuv420p"), picture(64, 48, 6000)]
        frames[1].pts, frames[1].time_base = 3000, frames[0].time_base
        encoded = []
        for frame in frames:
            track.put(frame)
            encoded.append(await sending._next_picture(VP8))
        assert [each is None for each in encoded] == [False, True, False]
        last = encoded[2]
        assert last is not None and is_key_frame("VP8", last.payloads[0][4:])
        assert sending.failed == 1
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
