"""The two ends of the frame path: decoded frames in, finished frames out, newest wins at both.

Faults of aiortc 1.16: the queue of a remote track has no bound, so with a filter slower than the
camera the delay grows without end (measured: 3.8 s after 10 s); a decoded frame goes to whoever
waits for it over the event loop, behind all packets that have come meanwhile; and an outgoing track
whose `recv` raises anything but MediaStreamError ends its video for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import av
from aiortc.mediastreams import VIDEO_TIME_BASE, MediaStreamError, MediaStreamTrack
from av.frame import Frame
from av.packet import Packet

from stream_retouch.latest import Closed, Latest
from stream_retouch.rtc.encodable import ticks_of
from stream_retouch.rtc.private import replace

UNSTAMPED_TICKS = 3000
"""Distance given to a frame without a time stamp from the one before (1/30 s at 90 kHz)."""


class FrameSource(Protocol):
    """The part of a remote track that is read."""

    async def recv(self) -> Frame | Packet[Any]:
        """The next frame; MediaStreamError once there are no more."""
        ...


class _Shortcut:
    """In place of a remote track's queue: decoded frames do not go through it, its end does."""

    def __init__(self, take: Callable[[av.VideoFrame], None], queue: asyncio.Queue[Any]) -> None:
        self._take, self._queue = take, queue

    def put(self, item: object) -> Coroutine[Any, Any, None]:
        """Called in the decoder's thread, which has the result run on the event loop."""
        if isinstance(item, av.VideoFrame):
            self._take(item)
            return _nothing()
        return self._queue.put(item)

    async def get(self) -> Any:
        return await self._queue.get()


async def _nothing() -> None:
    pass


class IncomingVideo:
    """The newest decoded frame of a remote track.

    Frames are passed on as decoded and must never be written into: later H.264 frames are predicted
    from the same memory.
    """

    def __init__(self) -> None:
        self.frames: Latest[av.VideoFrame] = Latest()
        """Decoded frames; closed when the track has ended."""
        self.received = 0
        """Frames decoded."""
        self.on_frame: Callable[[int | None], None] = lambda pts: None
        """Called with the pts of every frame, in the thread that gives it."""

    def take_from(self, track: MediaStreamTrack) -> None:
        """Takes the frames of a remote track in its decoder's thread; before its receiver starts.
        `read` then waits for its end."""
        queue: asyncio.Queue[Any] = replace(track, "_queue", None)
        replace(track, "_queue", _Shortcut(self._take, queue))

    def _take(self, frame: av.VideoFrame) -> None:
        self.received += 1
        self.on_frame(frame.pts)
        self.frames.put(frame)

    async def read(self, track: FrameSource) -> None:
        """Moves frames from `track` to `frames` until it ends. May be cancelled."""
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self._take(frame)
        except MediaStreamError:
            pass
        finally:
            self.frames.close()


class OutgoingVideo(MediaStreamTrack):
    """The track that is sent: `recv` gives the newest frame that was put, in order of time."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._owner = asyncio.get_running_loop()
        self._frames: Latest[av.VideoFrame] = Latest()
        self._wake = asyncio.Event()
        self._last_pts: int | None = None
        self._late = 0

    @property
    def dropped(self) -> int:
        """Frames replaced by a newer one before they were sent, or too late to be sent."""
        return self._frames.dropped + self._late

    def put(self, frame: av.VideoFrame) -> None:
        """Leaves a frame to be sent; from any thread, at any time. Its pts is kept."""
        self._frames.put(frame)
        try:
            self._owner.call_soon_threadsafe(self._wake.set)
        except RuntimeError:
            pass  # the loop has ended before its worker

    async def recv(self) -> av.VideoFrame:
        """The newest frame, once there is one that is later than the last.

        Raises:
            MediaStreamError: the track has ended. Nothing else is ever raised.
        """
        while self.readyState == "live":
            self._wake.clear()
            try:
                frame = self._frames.try_get()
            except Closed:
                break
            if frame is None:
                await self._wake.wait()
            elif self._in_order(frame):
                return frame
        raise MediaStreamError

    def stop(self) -> None:
        """Ends the track; a waiting `recv` raises. Event loop only; may be called twice."""
        super().stop()
        self._frames.close()
        self._wake.set()

    def _in_order(self, frame: av.VideoFrame) -> bool:
        """Whether `frame` is later than the one before; stamps it if it has no time at all."""
        last = self._last_pts
        if frame.pts is None or not frame.time_base:
            frame.pts = 0 if last is None else last + UNSTAMPED_TICKS
            frame.time_base = VIDEO_TIME_BASE
        pts = ticks_of(frame)
        if last is not None and pts <= last:
            self._late += 1
            return False
        self._last_pts = pts
        return True
