"""A WebRTC peer that takes next to no processor time while it measures.

It is a real peer (ICE, DTLS, SRTP, NACK, PLI, REMB), but what it sends was encoded before, and what
it receives is only written down and decoded after the run. So on two cores the server is measured
and not its client (measured: 8 ms a round trip against 27 with a client that encodes and decodes).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import av
import cv2
import httpx
import numpy as np
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket

from benchmarks.barcode import read
from benchmarks.clip import Clip
from benchmarks.packet_log import PacketLog, frames_of, main_source
from stream_retouch.rtc.candidates import LOOPBACK, connections_of, gather_on
from stream_retouch.rtc.private import replace, replace_private
from stream_retouch.service.garbage import set_aside

REMB_BPS = 3_000_000
"""Bit rate the server is allowed, told once a second: that of a receiver on a clean network."""
CONNECT_S = 20.0
APPLY_S = 30.0
SILENCE_S = 0.7
"""After the last frame was sent: so long without a packet, and nothing more will come."""
DRAIN_S = 12.0
"""Longest time waited for frames that are still on their way."""
RTP_CLOCK = 90_000
JITTER_TICKS = 64
"""Time stamps stray by less than this (0.7 ms), as a camera's do. So the constant that a server
adds to them is found without doubt, though the clip's numbers repeat."""

Probe = Callable[[], Awaitable[None]]


class SentFrame(NamedTuple):
    """One frame as the client sent it."""

    timestamp: int
    number: int
    """Its barcode."""
    at: float
    """When its last packet left, `time.perf_counter` seconds."""


class ReturnedFrame(NamedTuple):
    """One whole frame as it came back."""

    timestamp: int
    number: int | None
    """Its barcode, None when it could not be decoded or read."""
    at: float
    """When its last packet came, `time.perf_counter` seconds."""


@dataclass(slots=True)
class Recording:
    """Everything the client saw."""

    begin: float
    """Start of the measured time, `time.perf_counter` seconds."""
    end: float
    sent: list[SentFrame]
    returned: list[ReturnedFrame]
    late_ms: list[float]
    """How late each frame was handed over for sending: the client's own trouble."""
    key_requests: int
    """PLI and FIR received after the first second."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Control messages of the server, in order; `at` is when they came."""


class Playback(MediaStreamTrack):
    """The clip in a loop at its exact rate, from `begin` until `finish`."""

    kind = "video"

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self._clip = clip
        self._started = asyncio.Event()
        self._finished = False
        self._began = 0.0
        self._position = 0
        self._jitter = random.Random(1)
        self.numbers: list[int] = []
        """Barcode of every frame handed over."""
        self.late_ms: list[float] = []
        self.key_requests: list[float] = []

    def begin(self) -> None:
        """Starts the clock."""
        self._began = time.perf_counter()
        self._started.set()

    def finish(self) -> None:
        """Sends nothing more; the connection stays."""
        self._finished = True

    def jump_to_key_frame(self) -> None:
        """The receiver asks for a key frame: the loop starts over, there is one at its start."""
        self.key_requests.append(time.perf_counter())
        self._position = 0

    async def recv(self) -> Any:
        """The next packet, when its time has come."""
        await self._started.wait()
        count = len(self.numbers)
        due = self._began + count / self._clip.fps
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        if self._finished:
            await asyncio.Event().wait()  # until the connection is closed
        if self.readyState != "live":
            raise MediaStreamError
        self.late_ms.append((time.perf_counter() - due) * 1000)
        number = self._position
        self._position = (number + 1) % len(self._clip.packets)
        self.numbers.append(number)
        packet = av.Packet(self._clip.packets[number])
        stray = self._jitter.randrange(JITTER_TICKS)
        packet.pts = round(count * RTP_CLOCK / self._clip.fps) + stray
        packet.time_base = Fraction(1, RTP_CLOCK)
        return packet


class _Shelf:
    """In place of the receiver's jitter buffer: keeps payloads, completes nothing."""

    def __init__(self) -> None:
        self.payloads: dict[int, dict[int, bytes]] = {}

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        data: bytes = packet._data  # type: ignore[attr-defined]
        self.payloads.setdefault(packet.timestamp, {})[packet.sequence_number] = data
        return False, None


class FixedRate:
    """In place of the receiver's estimator: the same rate for every server, once a second."""

    def __init__(self) -> None:
        self._told_ms: int | None = None

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        if self._told_ms is not None and arrival_time_ms - self._told_ms < 1000:
            return None
        self._told_ms = arrival_time_ms
        return REMB_BPS, [ssrc]


class LightClient:
    """One connection to a server that answers offers.

    `direction` is that of the video; one that is not sendrecv has no control channel, as with WHIP
    and WHEP. With `sound` there is a microphone in a silent room.
    """

    def __init__(self, clip: Clip, direction: str = "sendrecv", *, sound: bool = False) -> None:
        self._clip = clip
        self._playback = Playback(clip)
        self._shelf = _Shelf()
        self._log = PacketLog()
        self._messages: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        camera = "video" if direction == "recvonly" else self._playback
        video = self._pc.addTransceiver(camera, direction=direction)
        wanted = {"h264": "H264", "vp8": "VP8"}[clip.codec]
        offered = RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences([c for c in offered if c.name in (wanted, "rtx")])
        if sound:
            self._pc.addTransceiver(AudioStreamTrack(), direction="sendonly")
        if direction == "sendrecv":
            self._channel = self._pc.createDataChannel("control")
            self._channel.on("message", self._heard)
        gather_on(connections_of(self._pc), [LOOPBACK])
        replace_private(video.receiver, "jitter_buffer", self._shelf)
        replace_private(video.receiver, "remote_bitrate_estimator", FixedRate())
        replace(video.sender, "_send_keyframe", self._playback.jump_to_key_frame)
        self._log.attach(video.receiver.transport)

    async def connect(self, answer_to: Callable[[str], Awaitable[str]]) -> None:
        """Offers, takes the answer, and returns when media can flow."""
        await self._pc.setLocalDescription()
        answer = await answer_to(self._pc.localDescription.sdp)
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(CONNECT_S):
            while self._pc.connectionState != "connected":
                await asyncio.sleep(0.01)

    async def measure(
        self,
        seconds: float,
        warm_up_s: float,
        *,
        say: str | None = None,
        enable: bool | None = None,
        probe: Probe | None = None,
        again: Sequence[str] = (),
    ) -> Recording:
        """Plays the clip, and records `seconds` of it once the look asked for is shown.

        Args:
            say: an instruction that is given first.
            enable: switches the filter on or off first.
            probe: called at the beginning and at the end of the measured time.
            again: further instructions, one a second in turn while it is measured.
        """
        self.begin()
        await self.dress(say, enable)
        set_aside()
        await asyncio.sleep(warm_up_s)
        if probe is not None:
            await probe()
        begin = time.perf_counter()
        for i in range(int(seconds) if again else 0):
            text = again[i % len(again)]
            self._channel.send(json.dumps({"type": "instruct", "id": f"again {i}", "text": text}))
            await asyncio.sleep(begin + i + 1 - time.perf_counter())
        await asyncio.sleep(begin + seconds - time.perf_counter())
        end = time.perf_counter()
        if probe is not None:
            await probe()
        return await self.finish(begin, end)

    def begin(self) -> None:
        """Plays the clip from now on."""
        self._playback.begin()

    async def dress(self, say: str | None, enable: bool | None = None) -> None:
        """Gives an instruction, switches the filter, and waits until that shows."""
        if say is not None:
            # A face must be in view before the words are prepared, as for a person at the camera.
            await asyncio.sleep(1.0)
            await self._ask({"type": "instruct", "id": "benchmark", "text": say}, "applied")
        if enable is not None:
            await self._ask({"type": "enable", "id": "benchmark", "value": enable}, "ack")

    async def finish(self, begin: float, end: float) -> Recording:
        """Plays nothing more, waits for what is on its way, and gives what was seen."""
        self._playback.finish()
        await self._drain(end)
        return self._recording(begin, end)

    @property
    def sources(self) -> tuple[int | None, int | None]:
        """SSRC of the video that was sent, and of that which came."""
        return main_source(self._log.went), main_source(self._log.came)

    def forget(self) -> None:
        """Drops what was seen so far, so that one who stays for long does not fill the memory."""
        self._shelf.payloads.clear()
        for seen in (self._log.came, self._log.went, self._messages):
            seen.clear()
        for seen in (self._playback.late_ms, self._playback.key_requests):
            seen.clear()

    def vanish(self) -> None:
        """Takes the sockets away, as the end of the client's process does: no goodbye. `close` is still due."""
        for connection in connections_of(self._pc):
            for protocol in connection._protocols:
                protocol.transport.abort()

    async def close(self) -> None:
        """Ends the connection."""
        await self._pc.close()

    async def _ask(self, message: dict[str, Any], awaited: str) -> None:
        async with asyncio.timeout(APPLY_S):
            while self._channel.readyState != "open":
                await asyncio.sleep(0.01)
            known = len(self._messages)
            self._channel.send(json.dumps(message))
            while True:
                for heard in self._messages[known:]:
                    if heard["type"] in ("error", "rejected"):
                        raise RuntimeError(f"the server refused {message}: {heard}")
                    if heard["type"] == awaited:
                        return
                self._news.clear()
                await self._news.wait()

    def _heard(self, text: str) -> None:
        self._messages.append({"at": time.perf_counter(), **json.loads(text)})
        self._news.set()

    async def _drain(self, end: float) -> None:
        while (now := time.perf_counter()) < end + DRAIN_S:
            last = self._log.came[-1].at if self._log.came else end
            if now - max(last, end) > SILENCE_S:
                return
            await asyncio.sleep(0.05)

    def _recording(self, begin: float, end: float) -> Recording:
        # Every frame handed over has left, in order: packets and numbers correspond.
        stamps: dict[int, float] = {}
        for packet in self._log.went:
            stamps[packet.timestamp] = packet.at
        numbers = self._playback.numbers
        sent = [
            SentFrame(timestamp, number, at)
            for (timestamp, at), number in zip(stamps.items(), numbers, strict=False)
        ]
        read_numbers = dict(self._decoded())
        returned = [
            ReturnedFrame(frame.timestamp, read_numbers.get(frame.timestamp), frame.last_at)
            for frame in frames_of(self._log.came)
        ]
        asked = [at for at in self._playback.key_requests if at > sent[0].at + 1] if sent else []
        return Recording(
            begin, end, sent, returned, self._playback.late_ms, len(asked), self._messages
        )

    def _decoded(self) -> Iterator[tuple[int, int | None]]:
        """RTP time stamp and barcode of every frame that came and can be decoded."""
        decoder = av.VideoCodecContext.create("h264" if self._clip.codec == "h264" else "vp8", "r")
        order = sorted(self._shelf.payloads, key=lambda stamp: _unwrapped(stamp, self._shelf))
        for index, timestamp in enumerate(order):
            parts = self._shelf.payloads[timestamp]
            packet = av.Packet(b"".join(parts[s] for s in _in_order(parts)))
            packet.pts = index
            with contextlib.suppress(av.FFmpegError):
                for frame in decoder.decode(packet):
                    self._seen(order[frame.pts or 0], frame)
                    yield order[frame.pts or 0], read(self._as_sent(_luma(frame)))

    def _as_sent(self, luma: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, Any]:
        """`luma` in the clip's size: an overloaded server sends smaller pictures."""
        size = (self._clip.width, self._clip.height)
        return luma if luma.shape[::-1] == size else cv2.resize(luma, size)

    def _seen(self, timestamp: int, frame: av.VideoFrame) -> None:
        """Called with every decoded frame, after the run: for clients that look at pictures."""


def _unwrapped(timestamp: int, shelf: _Shelf) -> int:
    first = next(iter(shelf.payloads))
    return (timestamp - first + (1 << 31)) % (1 << 32)


def _in_order(parts: dict[int, bytes]) -> list[int]:
    """Sequence numbers of one frame's packets in the order they were sent, wrap included."""
    first = next(iter(parts))
    return sorted(parts, key=lambda sequence: (sequence - first + (1 << 15)) % (1 << 16))


def _luma(frame: av.VideoFrame) -> np.ndarray[Any, np.dtype[np.uint8]]:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


async def offer_over_http(url: str, offer: str, path: str = "/session") -> tuple[str, str]:
    """The answer to an offer, and the path of the session."""
    async with httpx.AsyncClient(timeout=CONNECT_S) as http:
        headers = {"Content-Type": "application/sdp"}
        answer = await http.post(url + path, content=offer, headers=headers)
        answer.raise_for_status()
        return answer.text, answer.headers["Location"]
