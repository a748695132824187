"""The two ends of the frame path."""

from __future__ import annotations

import asyncio
import threading

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from stream_retouch.latest import Closed
from stream_retouch.rtc.tracks import IncomingVideo, OutgoingVideo
from tests.rtc.client import picture, run


class Scripted:
    """A remote track that gives its frames and ends."""

    def __init__(self, frames: list[av.VideoFrame]) -> None:
        self._frames = frames

    async def recv(self) -> av.VideoFrame:
        if not self._frames:
            raise MediaStreamError
        return self._frames.pop(0)


def test_the_newest_incoming_frame_wins_and_the_rest_is_counted() -> None:
    incoming = IncomingVideo()
    frames = [picture(32, 32, pts) for pts in (0, 3000, 6000)]
    asyncio.run(incoming.read(Scripted(frames.copy())))
    assert incoming.frames.get() is frames[2]
    assert (incoming.received, incoming.frames.dropped) == (3, 2)
    with pytest.raises(Closed):
        incoming.frames.get()


def test_a_cancelled_reader_closes_its_frames() -> None:
    class Silent:
        async def recv(self) -> av.VideoFrame:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

    waiting = asyncio.Event()

    async def main() -> None:
        incoming = IncomingVideo()
        reader = asyncio.create_task(incoming.read(Silent()))
        await waiting.wait()
        reader.cancel()
        await asyncio.wait([reader])
        assert incoming.frames.closed

    run(main)


def test_a_decoded_frame_is_there_before_the_event_loop_hears_of_it() -> None:
    async def main() -> None:
        incoming, track = IncomingVideo(), RemoteStreamTrack("video")
        incoming.take_from(track)
        reader = asyncio.create_task(incoming.read(track))
        loop, frames = asyncio.get_running_loop(), [picture(32, 32, pts) for pts in (0, 3000)]

        def decoder() -> None:  # as aiortc's does it
            for item in (*frames, None):
                asyncio.run_coroutine_threadsafe(track._queue.put(item), loop)

        thread = threading.Thread(target=decoder)
        thread.start()
        thread.join()  # the loop stands still meanwhile
        assert incoming.frames.try_get() is frames[1]
        assert (incoming.received, incoming.frames.dropped) == (2, 1)
        await reader  # and the end comes the usual way
        assert incoming.frames.closed and incoming.received == 2

    run(main)


def test_recv_gives_the_newest_frame_and_counts_what_it_replaced() -> None:
    async def main() -> None:
        track = OutgoingVideo()
        frames = [picture(32, 32, pts) for pts in (0, 3000)]
        for frame in frames:
            track.put(frame)
        assert await track.recv() is frames[1]
        assert track.dropped == 1

    run(main)


def test_a_frame_from_another_thread_wakes_a_waiting_recv() -> None:
    async def main() -> None:
        track = OutgoingVideo()
        receiving = asyncio.create_task(track.recv())
        await asyncio.sleep(0)
        frame = picture(32, 32, 0)
        thread = threading.Thread(target=track.put, args=(frame,))
        thread.start()
        assert await receiving is frame
        thread.join()

    run(main)


def test_frames_that_go_back_in_time_are_left_out() -> None:
    async def main() -> None:
        track = OutgoingVideo()
        track.put(picture(32, 32, 6000))
        await track.recv()
        receiving = asyncio.create_task(track.recv())
        for pts in (6000, 3000):
            track.put(picture(32, 32, pts))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        newest = picture(32, 32, 6001)
        track.put(newest)
        assert await receiving is newest
        assert track.dropped == 2

    run(main)


def test_a_frame_without_time_is_stamped_after_the_one_before() -> None:
    async def main() -> None:
        track = OutgoingVideo()
        stamps = []
        for frame in (av.VideoFrame(32, 32), picture(32, 32, 500), av.VideoFrame(32, 32)):
            track.put(frame)
            stamps.append((await track.recv()).pts)
        assert stamps == [0, 500, 3500]

    run(main)


def test_recv_raises_only_media_stream_error_before_and_after_the_end() -> None:
    async def main() -> None:
        track = OutgoingVideo()
        receiving = asyncio.create_task(track.recv())
        await asyncio.sleep(0)
        track.stop()
        track.stop()
        for ended in (receiving, track.recv()):
            with pytest.raises(MediaStreamError):
                await ended
        track.put(picture(32, 32, 0))
        with pytest.raises(MediaStreamError):
            await track.recv()

    run(main)


def test_a_frame_put_after_the_loop_has_ended_is_ignored() -> None:
    async def make() -> OutgoingVideo:
        return OutgoingVideo()

    asyncio.run(make()).put(picture(32, 32, 0))
