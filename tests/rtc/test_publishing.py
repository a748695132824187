"""A publisher and its viewers over loopback: ours, and aiortc as the clients."""

from __future__ import annotations

import asyncio

import av
import numpy as np
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from stream_retouch.errors import SdpError, StreamConflict, UnsupportedOffer
from stream_retouch.rtc.candidates import connections_of, gather_on
from stream_retouch.rtc.options import PeerOptions
from stream_retouch.rtc.publisher import LEFT, Publisher
from stream_retouch.rtc.sdp import PUBLISH, WATCH, check_offer
from stream_retouch.rtc.trickle import parse_fragment
from stream_retouch.rtc.viewer import Viewer
from tests.rtc.client import MARK, Client, Worker, closing, first, luma_of, run, until
from tests.rtc.test_audio import Tone
from tests.rtc.test_sdp import offered


class Screen:
    """A viewer's part: offers to receive, collects what comes."""

    def __init__(self, *, audio: bool = False, codec: str | None = None) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        if audio:
            self.pc.addTransceiver("audio", direction="recvonly")
        video = self.pc.addTransceiver("video", direction="recvonly")
        if codec is not None:
            known = RTCRtpReceiver.getCapabilities("video").codecs
            video.setCodecPreferences([c for c in known if c.name.upper() in (codec, "RTX")])
        self.pictures: asyncio.Queue[av.VideoFrame] = asyncio.Queue()
        self.sounds: asyncio.Queue[av.AudioFrame] = asyncio.Queue()
        self.ended = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []
        self.pc.on("track", self._on_track)
        gather_on(connections_of(self.pc), ["127.0.0.1"])

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._readers.append(asyncio.create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.pictures.put_nowait(frame)
                elif isinstance(frame, av.AudioFrame):
                    self.sounds.put_nowait(frame)
        except MediaStreamError:
            self.ended.set()

    async def offer(self) -> str:
        await self.pc.setLocalDescription()
        return self.pc.localDescription.sdp

    async def watch(self, viewer: Viewer) -> str:
        """Offers to `viewer` and takes its answer, which it gives."""
        answer = await viewer.answer(await self.offer())
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    async def close(self) -> None:
        await self.pc.close()
        for reader in self._readers:
            reader.cancel()
        if self._readers:
            await asyncio.wait(self._readers)


def is_marked(frame: object) -> bool:
    return abs(float(luma_of(frame)[8:24, 8:24].mean()) - MARK) < 10  # type: ignore[arg-type]


def barred(frame: av.VideoFrame) -> av.VideoFrame:
    """A new frame with its number (pts / 3000) as eight 32x32 blocks, black or white."""
    planes = frame.to_ndarray(format="yuv420p").copy()
    for bit in range(8):
        planes[64:96, 32 * bit : 32 * bit + 32] = 220 if (frame.pts or 0) // 3000 >> bit & 1 else 30
    new = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    new.pts, new.time_base = frame.pts, frame.time_base
    return new


def number_on(frame: av.VideoFrame) -> int:
    row = luma_of(frame)[72:88]
    return sum(int(np.mean(row[:, 32 * bit + 8 : 32 * bit + 24]) > 125) << bit for bit in range(8))


async def publishing(**client: object) -> tuple[Publisher, Client]:
    publisher, camera = Publisher(PeerOptions()), Client(direction="sendonly", **client)  # type: ignore[arg-type]
    await camera.connect(publisher)
    return publisher, camera


def test_two_viewers_get_every_number_in_order_from_one_encoder() -> None:
    async def main() -> None:
        publisher, camera = await publishing()
        Worker(publisher, barred)
        viewers = [Viewer(PeerOptions(), publisher.stream) for _ in range(2)]
        screens = [Screen(), Screen()]
        for viewer, screen in zip(viewers, screens, strict=True):
            answer = await screen.watch(viewer)
            assert "a=sendonly" in answer and "a=sendrecv" not in answer
            assert "H264/90000" in answer
        for screen in screens:
            numbers = [number_on(await screen.pictures.get()) for _ in range(15)]
            steps = [(b - a) % 256 for a, b in zip(numbers, numbers[1:], strict=False)]
            assert all(0 < step < 20 for step in steps), numbers
        assert publisher.stream.viewers == 2
        (encoder,) = publisher.stream.encoders.values()
        # Twice as many were sent as encoded, but for who joined first and what is on its way.
        assert encoder.encoded < publisher.sent <= 2 * encoder.encoded
        assert encoder.key_frames <= 3
        assert publisher.added_delay.p50_ms is not None
        await closing(publisher, *viewers, camera, *screens)

    run(main)


def test_viewers_join_and_leave_at_will_and_the_publisher_ends_all() -> None:
    async def main() -> None:
        publisher, camera = await publishing()
        Worker(publisher)
        one, two = (Viewer(PeerOptions(), publisher.stream) for _ in range(2))
        near, far = Screen(), Screen(codec="VP8")
        await near.watch(one)
        await first(near.pictures, is_marked)
        assert "VP8/90000" in await far.watch(two)
        await first(far.pictures, is_marked)
        assert set(publisher.stream.encoders) == {"H264", "VP8"}
        await near.close()  # no goodbye but DTLS's
        await until(lambda: one.end_reason is not None)
        assert one.end_reason == "the other side has left; start a new session"
        assert set(publisher.stream.encoders) == {"VP8"}
        await first(far.pictures, is_marked)
        closed = asyncio.Event()
        two.on_closed = closed.set
        await camera.close()
        await closed.wait()
        assert two.end_reason == LEFT
        await far.ended.wait()
        late = Screen()
        with pytest.raises(StreamConflict, match="the publisher has left"):
            await late.watch(Viewer(PeerOptions(), publisher.stream))
        await closing(publisher, one, two, far, late)

    run(main)


def test_a_publisher_sends_nothing_back_and_can_be_steered_over_its_channel() -> None:
    async def main() -> None:
        publisher, camera = Publisher(PeerOptions()), Client(direction="sendrecv")
        Worker(publisher)
        answer = await camera.connect(publisher)
        assert "a=recvonly" in answer and "a=sendrecv" not in answer
        heard: asyncio.Queue[str] = asyncio.Queue()
        publisher.on_message = heard.put_nowait
        await camera.opened.wait()
        camera.channel.send("hello")
        assert await heard.get() == "hello"
        assert publisher.send_message("and you")
        assert await camera.messages.get() == "and you"
        await until(lambda: publisher.received > 3)
        assert publisher.sent == publisher.dropped_out == 0  # nobody watches
        assert camera.returned.empty()
        await closing(publisher, camera)

    run(main)


def test_the_publishers_sound_reaches_its_viewers() -> None:
    async def main() -> None:
        publisher, camera = await publishing(microphone=Tone())
        Worker(publisher)
        viewer, screen = Viewer(PeerOptions(), publisher.stream), Screen(audio=True)
        answer = await screen.watch(viewer)
        assert answer.count("a=sendonly") == 2
        await first(
            screen.sounds, lambda sound: np.abs(sound.to_ndarray().astype(int)).max() > 1000
        )
        await closing(publisher, viewer, camera, screen)

    run(main)


def test_candidates_that_come_later_are_taken_and_a_restart_is_not() -> None:
    async def main() -> None:
        publisher, camera = await publishing()
        mine = camera.pc.localDescription.sdp.partition("a=ice-ufrag:")[2].split()[0]
        host = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
        assert await publisher.trickle(parse_fragment(f"a=ice-ufrag:{mine}\r\na=mid:0\r\n{host}"))
        assert not await publisher.trickle(parse_fragment(f"a=ice-ufrag:other\r\n{host}"))
        await closing(publisher, camera)
        assert await publisher.trickle(parse_fragment(host))  # too late, and no harm

    run(main)


@pytest.mark.parametrize(
    ("offer", "sentence"),
    [
        (offered(direction="recvonly"), "the offer's video is recvonly; offer one video to send"),
        (offered(audios=2), "the offer has 2 sounds"),
        (offered(videos=5), "the offer has 5 videos"),
        (offered(videos=0), "the offer has no video"),
        (offered(videos=0, audios=1), "the offer has no video"),
        (offered() + "a=simulcast:send a;b\r\n", "the offer has several simulcast layers"),
        (offered().replace("H264", "AV1").replace("VP8", "H265"), "the offer has neither H.264"),
        (
            offered() + "m=text 9 RTP/AVP 98\r\na=mid:9\r\n",
            "the offer has media of an unknown kind; offer one video",
        ),
    ],
)
def test_what_cannot_be_published_is_unsupported_as_a_whole(offer: str, sentence: str) -> None:
    with pytest.raises(UnsupportedOffer) as refusal:
        check_offer(offer, PUBLISH)
    assert str(refusal.value).startswith(sentence) and ";" in str(refusal.value)


def test_a_viewer_offers_to_receive_and_no_data_channel() -> None:
    check_offer(offered(direction="recvonly"), WATCH)
    with pytest.raises(UnsupportedOffer, match="the offer's video is sendonly; offer to receive"):
        check_offer(offered(direction="sendonly"), WATCH)
    channel = offered(videos=0)
    with_channel = offered(direction="recvonly") + channel[channel.index("m=application") :]
    with pytest.raises(UnsupportedOffer, match="a data channel too many"):
        check_offer(with_channel, WATCH)
    check_offer(with_channel.replace("recvonly", "sendonly"), PUBLISH)


def test_codecs_that_only_look_alike_are_unsupported_too() -> None:
    offer = offered().replace("VP8/90000", "VP9/90000")
    offer = offer.replace("42001f", "64001f").replace("42e01f", "64001f")

    async def main() -> None:
        publisher = Publisher(PeerOptions())
        with pytest.raises(UnsupportedOffer, match="no codec that can be used"):
            await publisher.answer(offer)
        with pytest.raises(SdpError, match="has its offer already"):
            await publisher.answer(offer)

    run(main)
