"""The measuring client: a peer that sends and receives as a browser does, and notes what it shows.

Where aiortc's own parts fall short of a browser, those of stream_retouch.rtc stand in: the encoder
(live rate, quick key frame on PLI) and the receiving cures (NACK again and again, PLI, frames
complete on their marker); and what was sent is kept for longer (history.py). The package's
docstring says why that is fair to stock aiortc's row.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import av
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rate import RemoteBitrateEstimator

from benchmarks.light_client import APPLY_S, CONNECT_S, REMB_BPS, FixedRate
from benchmarks.loss.camera import Camera, Picture, Viewer, luma_of
from benchmarks.loss.history import History
from stream_retouch.rtc.candidates import LOOPBACK, connections_of, gather_on
from stream_retouch.rtc.h264_encoder import LiveH264Encoder
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.private import private, replace_private
from stream_retouch.rtc.receiver import VideoReception
from stream_retouch.rtc.vp8_encoder import LiveVp8Encoder

LEAST_BPS = 100_000
"""Lowest rate the client sends, whatever it is told."""
NAMES = {"h264": "H264", "vp8": "VP8"}
ENCODERS = {"h264": LiveH264Encoder, "vp8": LiveVp8Encoder}


class Shown(NamedTuple):
    """One frame that the client's decoder gave."""

    number: int | None
    """Of the camera's frame; None when it was unreadable or damaged."""
    at: float
    """`time.perf_counter` seconds."""


class Caller:
    """One call to a server that answers offers. Event loop only."""

    def __init__(
        self, pictures: Sequence[Picture], fps: int, codec: str, estimates: bool = False
    ) -> None:
        """Opens nothing yet.

        Args:
            pictures: what the camera shows, in a loop.
            codec: ``h264`` or ``vp8``.
            estimates: whether the server is told the rate that the network seems to carry, rather
                than REMB_BPS.
        """
        self.camera = Camera(pictures, fps)
        self._viewer = Viewer(pictures)
        self.shown: list[Shown] = []
        self._messages: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._video = self._pc.addTransceiver(self.camera, direction="sendrecv")
        offered = RTCRtpSender.getCapabilities("video").codecs
        wanted = [c for c in offered if c.name == NAMES[codec]]
        repeats = [c for c in offered if c.name == "rtx"]
        self._video.setCodecPreferences(wanted + repeats)
        self._channel = self._pc.createDataChannel("control")
        self._channel.on("message", self._heard)
        gather_on(connections_of(self._pc), [LOOPBACK])
        limits = RateLimits(LEAST_BPS, 2_500_000, REMB_BPS, fps)
        replace_private(self._video.sender, "encoder", ENCODERS[codec](limits))
        History(self._video.sender)
        self._reception = VideoReception(
            self._video.receiver,
            lambda pts, at: None,
            LEAST_BPS,
            REMB_BPS,
            lambda: private(self._video.sender, "rtt"),
        )
        rate = _estimator() if estimates else FixedRate()
        replace_private(self._video.receiver, "remote_bitrate_estimator", rate)
        self._reader: asyncio.Task[None] | None = None

    async def connect(self, answer_to: Callable[[str], Awaitable[str]]) -> None:
        """Offers, takes the answer, and returns when media can flow."""
        await self._pc.setLocalDescription()
        answer = await answer_to(self._pc.localDescription.sdp)
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        self._reader = asyncio.create_task(self._read(), name="caller-frames")
        async with asyncio.timeout(CONNECT_S):
            while self._pc.connectionState != "connected":
                await asyncio.sleep(0.01)

    async def enable(self, value: bool) -> None:
        """Switches the filter on or off.

        Raises:
            RuntimeError: the server refused.
        """
        async with asyncio.timeout(APPLY_S):
            while self._channel.readyState != "open":
                await asyncio.sleep(0.01)
            self._channel.send(json.dumps({"type": "enable", "id": "benchmark", "value": value}))
            while not any(m["type"] == "ack" for m in self._messages):
                if refused := [m for m in self._messages if m["type"] in ("error", "rejected")]:
                    raise RuntimeError(f"the server refused to switch the filter: {refused[0]}")
                self._news.clear()
                await self._news.wait()

    def send_key_frame(self) -> None:
        """The next frame of the uplink is a key frame."""
        self._video.sender._send_keyframe()

    async def ask_for_key_frame(self, ssrc: int) -> None:
        """The next frame of the downlink, whose source that is, should be a key frame (PLI)."""
        await self._video.receiver._send_rtcp_pli(ssrc)

    async def close(self) -> None:
        """Ends the call. May be called twice."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._pc.close()
        await asyncio.to_thread(self._reception.join_decoder)

    async def _read(self) -> None:
        track = self._video.receiver.track
        try:
            while True:
                frame = await track.recv()
                at = time.perf_counter()
                if isinstance(frame, av.VideoFrame):
                    self.shown.append(Shown(self._viewer.number(luma_of(frame)), at))
        except MediaStreamError:
            pass

    def _heard(self, text: str) -> None:
        self._messages.append(json.loads(text))
        self._news.set()


def _estimator() -> RemoteBitrateEstimator:
    """A browser's, which has found that the network carries REMB_BPS."""
    estimator = RemoteBitrateEstimator()
    estimator.rate_control.set_estimate(REMB_BPS, 0)
    return estimator
