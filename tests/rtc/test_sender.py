"""From the frames of a session to its encoder: rate, key frames, a source that stands still."""

from __future__ import annotations

import asyncio

import av
import pytest

from stream_retouch.rtc.key_frames import is_key_frame
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.sender import VideoSending, encoder_for
from stream_retouch.rtc.tracks import OutgoingVideo
from tests.rtc.client import picture
from tests.rtc.sending import RTX, VP8, Inline, Sending
from tests.rtc.simulated import simulate

FRAME_S = 1 / 30


class Session(Sending):
    """A session's outgoing video; frames are put as the worker does."""

    def __init__(self) -> None:
        self.track = OutgoingVideo()
        super().__init__(self.track, [VP8, RTX])
        self.encoder = encoder_for(VP8, RateLimits())
        self.left: list[int] = []
        self.video = VideoSending(
            self.sender, self.encoder, Inline(), lambda pts, _: self.left.append(pts)
        )
        self.frames = 0

    async def play(self, frames: int) -> None:
        """The source goes on for so many frames."""
        for _ in range(frames):
            self.track.put(picture(64, 48, 3000 * self.frames))
            self.frames += 1
            await asyncio.sleep(FRAME_S)

    @property
    def pictures(self) -> list[tuple[int, bool]]:
        """(time stamp from the first one's, whether it is a key frame) of all that was sent; every
        picture of this size is one packet."""
        first = self.packets[0].timestamp
        return [
            ((p.timestamp - first) % (1 << 32), is_key_frame("VP8", p.payload[4:]))
            for p in self.packets
        ]

    async def end(self) -> None:
        await self.sender.stop()
        assert self.ended and self.track.readyState == "ended"


def test_a_request_is_answered_by_the_very_next_frame() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(15)
        await session.pli()
        await session.play(3)
        keys = [key for _, key in session.pictures]
        assert keys == [True] + [False] * 14 + [True, False, False]
        assert [stamp for stamp, _ in session.pictures] == session.left
        assert session.left == [3000 * n for n in range(18)]
        assert session.video.sent == 18
        await session.end()

    simulate(main)


def test_ten_requests_a_second_apart_by_milliseconds_make_one_key_frame() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(15)
        for _ in range(10):
            await session.pli()
            await asyncio.sleep(0.002)
        await session.play(20)
        assert [key for _, key in session.pictures].count(True) == 2
        assert session.video.answers.asked == 10
        await session.end()

    simulate(main)


def test_a_source_that_stands_still_answers_with_its_last_picture() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(15)
        await asyncio.sleep(5.0)
        assert len(session.pictures) == 15
        await session.pli()
        await asyncio.sleep(0.099)
        assert len(session.pictures) == 15
        await asyncio.sleep(0.002)
        stamp, key = session.pictures[-1]
        assert len(session.pictures) == 16 and key
        assert 3000 * 14 < stamp < 3000 * 15
        await asyncio.sleep(5.0)
        assert len(session.pictures) == 16
        await session.play(2)  # and the source goes on where it was
        assert session.pictures[16:] == [(3000 * 15, False), (3000 * 16, False)]
        await session.end()

    simulate(main)


def test_a_source_that_stands_still_for_long_never_makes_a_later_frame_too_old() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(5)
        for _ in range(100):
            await session.pli()
            await asyncio.sleep(0.5)
        assert len(session.pictures) == 105
        await session.play(5)
        stamps = [stamp for stamp, _ in session.pictures]
        assert len(stamps) == 110
        assert stamps == sorted(set(stamps))
        await session.end()

    simulate(main)


def test_a_frame_that_comes_within_100_ms_is_the_answer() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(15)
        await asyncio.sleep(1.0)
        await session.pli()
        await asyncio.sleep(0.08)
        await session.play(10)
        assert [key for _, key in session.pictures] == [True] + [False] * 14 + [True] + [False] * 9
        await session.end()

    simulate(main)


def test_before_the_first_frame_there_is_nothing_to_answer_with() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.pli()
        await asyncio.sleep(1.0)
        assert session.packets == []
        await session.play(2)
        assert [key for _, key in session.pictures] == [True, False]
        await session.end()

    simulate(main)


def test_the_rate_follows_the_receiver_with_every_frame() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(2)
        assert session.encoder.target_bitrate == pytest.approx(2_500_000, rel=0.02)
        await session.remb(700_000)
        await session.play(1)
        assert session.encoder.target_bitrate == pytest.approx(700_000, rel=0.01)
        await session.report(0.5, 1000)
        await session.play(1)
        assert session.encoder.target_bitrate == pytest.approx(350_000, rel=0.02)
        await session.end()

    simulate(main)


def test_a_last_picture_that_cannot_be_repeated_is_tried_once() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        await session.play(15)
        tries = []

        def fail(frame: av.VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
            tries.append(force_keyframe)
            raise ValueError("no")

        session.encoder.encode = fail  # type: ignore[method-assign, assignment]
        await asyncio.sleep(1.0)
        await session.pli()
        await asyncio.sleep(5.0)
        assert tries == [True]
        await session.end()

    simulate(main)


def test_the_given_frame_is_never_stamped_anew() -> None:
    async def main() -> None:
        session = Session()
        await session.start()
        frame = picture(64, 48, 9000)
        session.track.put(frame)
        await asyncio.sleep(1.0)
        await session.pli()
        await asyncio.sleep(1.0)
        assert len(session.packets) == 2
        assert frame.pts == 9000
        await session.end()

    simulate(main)
