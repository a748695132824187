"""One encoder for all viewers: who shares it, at what rate, and who gets a key frame when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import av
import pytest
from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from stream_retouch.latest import Closed, Latest
from stream_retouch.rtc.added_delay import AddedDelay
from stream_retouch.rtc.audio_relay import AudioRelay
from stream_retouch.rtc.fanout import FanOut, VideoEncoding, shared_rate
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.seat import Encoded, Seat
from stream_retouch.rtc.shared_encoder import KEY_FRAMES_S, SharedEncoder
from tests.rtc.client import picture

LIMITS = RateLimits(300_000, 2_500_000, 3_000_000, 30)
M = 1_000_000


def codec(name: str) -> RTCRtpCodecParameters:
    found = next(c for c in RTCRtpSender.getCapabilities("video").codecs if c.name == name)
    return RTCRtpCodecParameters(found.mimeType, found.clockRate, payloadType=97)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        before = set(threading.enumerate())
        async with asyncio.timeout(10):
            await main()
            left = {t.name for t in set(threading.enumerate()) - before}
            assert not {name for name in left if name.startswith("fan-out")}

    asyncio.run(bounded())


def fan_out(left: Callable[[int, float], None] = lambda *_: None) -> FanOut:
    return FanOut(LIMITS, left, AudioRelay(lambda: 0.03))


@pytest.fixture
def camera() -> Iterator[Callable[[], av.VideoFrame]]:
    count = iter(range(100_000))
    yield lambda: picture(64, 64, 3000 * next(count))


@pytest.mark.parametrize(
    ("estimates", "rate"),
    [
        ([], 2_500_000),
        ([None], 2_500_000),
        ([2 * M], 2 * M),
        ([None, 2 * M], 2 * M),
        ([3 * M, M, 2 * M], M),  # of up to four, the slowest
        ([M, 2 * M, 2 * M, 2 * M, 3 * M], 2 * M),  # of five, one may fall behind
        ([M] * 2 + [2 * M] * 7, 2 * M),
        ([M] * 3 + [2 * M] * 6, M),
        ([100_000, 2 * M], 2 * M),  # below the floor nobody counts
        ([100_000], 750_000),
        ([50 * M], 3 * M),
    ],
)
def test_the_rate_is_what_the_slowest_reasonable_viewer_carries(
    estimates: list[int | None], rate: int
) -> None:
    async def main() -> None:
        stream = fan_out()
        assert stream.limits.min_bps == 750_000
        assert shared_rate(estimates, stream.limits) == rate

    run(main)


def test_all_viewers_of_a_codec_get_the_same_payloads_of_one_encoder(
    camera: Callable[[], av.VideoFrame],
) -> None:
    async def main() -> None:
        stream = fan_out()
        seats = [stream.take_seat(codec("H264"), lambda _: None) for _ in range(3)]
        readers = [asyncio.create_task(seat.next()) for seat in seats]
        await asyncio.sleep(0)
        stream.put(camera())
        frames = await asyncio.gather(*readers)
        assert all(frame is frames[0] for frame in frames) and frames[0].key
        (encoder,) = stream.encoders.values()
        assert (encoder.encoded, encoder.key_frames, stream.viewers) == (1, 1, 3)
        stream.close("over")
        assert await stream.join(5)

    run(main)


def test_a_second_encoder_runs_only_while_somebody_has_no_h264(
    camera: Callable[[], av.VideoFrame],
) -> None:
    async def main() -> None:
        stream = fan_out()
        seat = stream.take_seat(codec("H264"), lambda _: None)
        old = stream.take_seat(codec("VP8"), lambda _: None)
        readers = [asyncio.create_task(each.next()) for each in (seat, old)]
        await asyncio.sleep(0)
        stream.put(camera())
        one, two = await asyncio.gather(*readers)
        assert one.payloads != two.payloads
        assert set(stream.encoders) == {"H264", "VP8"}
        old.close()
        assert set(stream.encoders) == {"H264"}
        seat.close()
        assert stream.encoders == {} and stream.viewers == 0
        stream.put(camera())  # nobody watches: nothing waits, nothing is encoded
        assert stream.dropped == 0
        stream.close("over")
        assert await stream.join(5)

    run(main)


def test_who_joins_while_the_source_stands_still_gets_its_last_picture(
    camera: Callable[[], av.VideoFrame],
) -> None:
    async def main() -> None:
        stream = fan_out()
        stream.put(camera())  # before anybody was there
        first = stream.take_seat(codec("H264"), lambda _: None)
        shown = await first.next()
        second = stream.take_seat(codec("H264"), lambda _: None)
        again = await second.next()
        assert again.key and again.repeated and again.timestamp > shown.timestamp
        stream.put(camera())  # and when it goes on, so do both
        while (await second.next()).repeated:
            pass
        stream.close("over")
        assert await stream.join(5)

    run(main)


def test_when_the_stream_ends_every_viewer_is_told_why_once() -> None:
    async def main() -> None:
        stream, told = fan_out(), []
        seats = [stream.take_seat(codec("H264"), told.append) for _ in range(2)]
        gone = stream.take_seat(codec("H264"), told.append)
        gone.close()
        stream.close("the publisher has left")
        stream.close("again")
        assert told == ["the publisher has left"] * 2
        assert stream.closed == "the publisher has left"
        for seat in seats:
            with pytest.raises(Closed):
                await seat.next()
        assert await stream.join(5)

    run(main)


def test_every_viewers_delay_counts() -> None:
    delay = AddedDelay()
    delay.arrived(3000, 1.0)
    delay.left_for_one(3000, 1.010)
    delay.left_for_one(3000, 1.020)
    delay.left_for_one(6000, 1.030)
    assert delay.samples_ms == pytest.approx((10, 20))


class Scripted:
    """An encoder whose frames are key frames when asked for; writes down which."""

    def __init__(self) -> None:
        self.forced: list[bool] = []
        self.error: Exception | None = None
        self.aimed: list[int] = []

    def encode(self, frame: av.VideoFrame, force_key: bool) -> Encoded | None:
        if self.error is not None:
            raise self.error
        self.forced.append(force_key)
        return Encoded([b"x"], frame.pts or 0, force_key)

    def again(self) -> Encoded | None:
        return None

    def aim(self, bitrate_bps: int) -> None:
        self.aimed.append(bitrate_bps)


class Bench:
    """A `SharedEncoder` with a clock of the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.encoding, self.inbox = Scripted(), Latest[av.VideoFrame]()
        self.encoder = SharedEncoder(
            self.encoding,
            self.inbox,
            lambda e: sum(filter(None, e)),
            "fan-out x",
            clock=lambda: self.now,
        )
        self._pts = 0
        self._readers: set[asyncio.Task[None]] = set()
        self.got = 0

    def seat(self) -> Seat:
        seat = self.encoder.take_seat(lambda: None)

        async def read() -> None:
            try:
                while True:
                    await seat.next()
                    self.got += 1
            except Closed:
                pass

        self._readers.add(asyncio.create_task(read()))
        return seat

    async def frame(self) -> bool:
        """Encodes one more frame, a thirtieth later; whether a key frame was asked for."""
        count = len(self.encoding.forced)
        self.now += 1 / 30
        self._pts += 3000
        self.inbox.put(picture(64, 64, self._pts))
        while len(self.encoding.forced) == count:
            await asyncio.sleep(0)
        return self.encoding.forced[-1]

    async def close(self) -> None:
        self.encoder.stop()
        await asyncio.gather(*self._readers)
        assert await asyncio.to_thread(self.encoder.join, 5)


def test_requests_for_key_frames_of_many_viewers_are_merged() -> None:
    async def main() -> None:
        bench = Bench()
        forced = []
        for _ in range(45):  # in 1.5 s, with every frame somebody joins and asks
            bench.seat()
            await asyncio.sleep(0)
            forced.append(await bench.frame())
        keys = [n for n, key in enumerate(forced) if key]
        assert keys[0] == 0 and len(keys) == 3
        assert all(b - a >= KEY_FRAMES_S * 30 for a, b in zip(keys, keys[1:], strict=False))
        await bench.close()

    run(main)


def test_a_viewer_that_joins_gets_a_key_frame_and_the_others_just_a_frame() -> None:
    async def main() -> None:
        bench = Bench()
        bench.seat()
        await asyncio.sleep(0)
        first = [await bench.frame() for _ in range(20)]
        bench.seat()
        await asyncio.sleep(0)
        assert first == [True] + 19 * [False]
        assert [await bench.frame() for _ in range(3)] == [True, False, False]
        await bench.close()

    run(main)


def test_a_frame_that_cannot_be_encoded_is_left_out_and_a_key_frame_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        bench = Bench()
        bench.seat()
        await asyncio.sleep(0)
        await bench.frame()
        bench.encoding.error = ValueError("odd")
        for pts in (10**6, 2 * 10**6):
            failed = bench.encoder.failed
            bench.inbox.put(picture(64, 64, pts))
            while bench.encoder.failed == failed:
                await asyncio.sleep(0)
        bench.encoding.error = None
        assert await bench.frame()
        assert caplog.text.count("could not be encoded") == 1
        await bench.close()

    run(main)


def test_the_encoder_aims_at_the_estimates_of_those_who_are_there() -> None:
    async def main() -> None:
        bench = Bench()
        one, two = bench.seat(), bench.seat()
        one.estimate(3)
        two.estimate(4)
        one.close()
        assert bench.encoding.aimed == [3, 7, 4]
        await bench.close()

    run(main)


def test_after_the_rate_has_fallen_far_frames_are_left_out_but_no_key_frame() -> None:
    encoding = VideoEncoding(codec("H264"), RateLimits(300_000, 3_000_000, 3_000_000, 30), "x264")
    assert encoding.encode(picture(64, 64, 3000), False) is not None
    assert encoding.encode(picture(64, 64, 6000), False) is not None
    encoding.aim(300_000)
    assert encoding.encode(picture(64, 64, 9000), False) is None
    forced = encoding.encode(picture(64, 64, 12_000), True)
    assert forced is not None and forced.key
    sent = [encoding.encode(picture(64, 64, 15_000 + 3000 * i), False) for i in range(300)]
    assert sent[:3].count(None) == 2 and None not in sent[-30:]


def test_frames_out_of_order_are_left_out() -> None:
    encoding = VideoEncoding(codec("H264"), LIMITS, "x264")
    first = encoding.encode(picture(64, 64, 6000), False)
    assert first is not None and first.key and first.timestamp == 6000
    assert encoding.encode(picture(64, 64, 6000), False) is None
    assert encoding.encode(picture(64, 64, 3000), False) is None
    later = encoding.encode(picture(64, 64, 9000), False)
    assert later is not None and not later.key
