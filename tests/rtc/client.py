"""A client for the loopback tests: aiortc as it comes, with a camera that never ends."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from stream_retouch.latest import Closed
from stream_retouch.rtc.candidates import connections_of, gather_on
from stream_retouch.rtc.peer import Peer

TIMEOUT_S = 30.0
MARK = 235
"""Luma that `retouch` paints into the first block of a frame."""


def picture(width: int, height: int, pts: int, luma: int = 60) -> av.VideoFrame:
    """A grey yuv420p frame with a texture, stamped on the 90 kHz clock."""
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        rows = np.full((plane.height, plane.line_size), value, np.uint8)
        if value == luma:
            rows[:, ::8] += 20
        plane.update(rows.tobytes())
    frame.pts, frame.time_base = pts, Fraction(1, 90_000)
    return frame


def luma_of(frame: av.VideoFrame) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(height, width) luma, a copy."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width].copy()


def marked(frame: av.VideoFrame) -> av.VideoFrame:
    """A new frame with the first 32x32 luma pixels bright; same pts."""
    planes = frame.to_ndarray(format="yuv420p").copy()
    planes[:32, :32] = MARK
    new = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    new.pts, new.time_base = frame.pts, frame.time_base
    return new


class Camera(MediaStreamTrack):
    """Sends `size` pictures, 30 a second; every one goes on `stamps`."""

    kind = "video"

    def __init__(self, size: tuple[int, int] = (320, 240)) -> None:
        super().__init__()
        self.size = size
        self.stamps: list[int] = []

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(1 / 30)  # the camera's own clock
        pts = 3000 * len(self.stamps)
        self.stamps.append(pts)
        return picture(*self.size, pts)


class Client:
    """A browser's part: offers video and a data channel, collects what comes back."""

    def __init__(
        self,
        *,
        codec: str | None = None,
        direction: str = "sendrecv",
        audio: bool = False,
        microphone: MediaStreamTrack | None = None,
        label: str = "control",
    ) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.camera = Camera()
        self.returned: asyncio.Queue[av.VideoFrame] = asyncio.Queue()
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.opened, self.ended = asyncio.Event(), asyncio.Event()
        if audio:
            self.pc.addTransceiver("audio", direction="sendrecv")
        if microphone is not None:
            self.pc.addTransceiver(microphone, direction="sendonly")
        video = self.pc.addTransceiver(self.camera, direction=direction)
        if codec is not None:
            offered = RTCRtpSender.getCapabilities("video").codecs
            video.setCodecPreferences([c for c in offered if c.name.upper() in (codec, "RTX")])
        self.channel: RTCDataChannel = self.pc.createDataChannel(label)
        self.channel.on("open", self.opened.set)
        self.channel.on("message", self.messages.put_nowait)
        self.pc.on("track", self._on_track)
        self._reader: asyncio.Task[None] | None = None
        gather_on(connections_of(self.pc), ["127.0.0.1"])

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._reader = asyncio.create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.VideoFrame)
                self.returned.put_nowait(frame)
        except MediaStreamError:
            self.ended.set()

    async def offer(self) -> str:
        await self.pc.setLocalDescription()
        return self.pc.localDescription.sdp

    async def connect(self, peer: Peer) -> str:
        """Offers to `peer` and takes its answer, which it gives."""
        answer = await peer.answer(await self.offer())
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    def kill(self) -> None:
        """Takes the sockets away, as the end of the client's process does: no goodbye."""
        for connection in connections_of(self.pc):
            for protocol in connection._protocols:
                protocol.transport.abort()

    async def close(self) -> None:
        await self.pc.close()
        if self._reader is not None:
            # aiortc never ends the track of a receiver that was not started.
            self._reader.cancel()
            await asyncio.wait([self._reader])


class Worker:
    """The session's frame thread: everything that comes in goes through `change` and out."""

    def __init__(
        self, peer: Peer, change: Callable[[av.VideoFrame], av.VideoFrame] = marked
    ) -> None:
        self._peer, self._change = peer, change
        self.thread = threading.Thread(target=self._run, name="test-worker", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            while True:
                frame = self._peer.frames.get()
                assert frame is not None
                self._peer.send(self._change(frame))
        except Closed:
            pass


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a test's coroutine; it must end in time and leave no task, thread or socket."""

    async def bounded() -> None:
        before = _left()
        async with asyncio.timeout(TIMEOUT_S):
            await main()
            await until(lambda: _left() == before, lambda: f"left: {_left()}, before: {before}")

    asyncio.run(bounded())


async def until(
    condition: Callable[[], bool], explain: Callable[[], str] = lambda: "it never came true"
) -> None:
    """Lets the loop run until `condition` holds; fails with `explain` when it never does."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TIMEOUT_S / 2
    while not condition():
        assert loop.time() < deadline, explain()
        await asyncio.sleep(0.01)


async def first(queue: asyncio.Queue[Any], test: Callable[[Any], bool]) -> Any:
    """The first item of `queue` that passes `test`."""
    while not test(item := await queue.get()):
        pass
    return item


async def closing(*parts: Any) -> None:
    """Closes every part."""
    closings: list[Awaitable[None]] = [part.close() for part in parts]
    await asyncio.gather(*closings)


def _left() -> tuple[int, list[str], int]:
    """Tasks, names of threads and sockets there are now."""
    # The stock client encodes on the loop's executor, whose threads live as long as the loop.
    threads = [t.name for t in threading.enumerate() if not t.name.startswith("asyncio_")]
    return len(asyncio.all_tasks()), sorted(threads), _sockets()


def _sockets() -> int:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        return 0
    count = 0
    for descriptor in list(descriptors.iterdir()):
        try:
            count += os.readlink(descriptor).startswith("socket:")
        except OSError:
            pass  # the descriptor of this very listing
    return count
