"""aiortc's own sender with the cures, on a transport that keeps what is sent, in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Any, cast

from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.codecs import CODECS
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    is_rtcp,
    pack_remb_fci,
)

from stream_retouch.rtc.private import private

VP8, RTX = CODECS["video"][0], CODECS["video"][1]
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


class Inline(Executor):
    """Does what it is given at once, so that no time passes."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Wire:
    """A DTLS transport that keeps what is sent, and when."""

    state = "connected"
    _stats_id = "wire"
    _get_stats = staticmethod(dict)

    def __init__(self) -> None:
        self.sent: list[tuple[float, RtpPacket]] = []
        self.reports: list[Any] = []
        self.broken = False
        self._map = HeaderExtensionsMap()

    async def _send_rtp(self, data: bytes) -> None:
        if self.broken:
            raise ConnectionError
        if is_rtcp(data):
            self.reports += RtcpPacket.parse(data)
        else:
            now = asyncio.get_running_loop().time()
            self.sent.append((now, RtpPacket.parse(data, self._map)))

    def _register_rtp_sender(self, sender: object, parameters: RTCRtpSendParameters) -> None:
        self._map.configure(parameters)

    def _unregister_rtp_sender(self, sender: object) -> None:
        pass

    def packets(self, ssrc: int) -> list[RtpPacket]:
        """What was sent on one stream, in order."""
        return [packet for _, packet in self.sent if packet.ssrc == ssrc]


class Sending:
    """A sender of one video track, and its receiver's words."""

    def __init__(self, track: MediaStreamTrack, codecs: Iterable[RTCRtpCodecParameters]) -> None:
        self.wire = Wire()
        self.sender = RTCRtpSender(track, cast(Any, self.wire))
        self._codecs = list(codecs)

    async def start(self) -> None:
        extensions = [RTCRtpHeaderExtensionParameters(id=2, uri=ABS_SEND_TIME)]
        rtcp = RTCRtcpParameters(cname="test")
        await self.sender.send(RTCRtpSendParameters(self._codecs, extensions, "0", rtcp))

    async def nack(self, *numbers: int) -> None:
        await self._hear(RtcpRtpfbPacket(1, 1, self.sender._ssrc, list(numbers)))

    async def pli(self) -> None:
        await self._hear(RtcpPsfbPacket(1, 1, self.sender._ssrc))

    async def remb(self, bitrate_bps: int) -> None:
        await self.feedback(pack_remb_fci(bitrate_bps, [self.sender._ssrc]))

    async def feedback(self, fci: bytes) -> None:
        await self._hear(RtcpPsfbPacket(15, 1, 0, fci))

    async def report(self, loss: float, highest: int) -> None:
        info = RtcpReceiverInfo(self.sender._ssrc, round(256 * loss), 0, highest, 0, 0, 0)
        await self._hear(RtcpRrPacket(1, [info]))

    async def _hear(self, packet: Any) -> None:
        await self.sender._handle_rtcp_packet(packet)

    @property
    def packets(self) -> list[RtpPacket]:
        """What was sent for the first time."""
        return self.wire.packets(self.sender._ssrc)

    @property
    def again(self) -> list[RtpPacket]:
        """What was sent again by RTX."""
        return self.wire.packets(self.sender._rtx_ssrc)

    @property
    def ended(self) -> bool:
        return bool(private(self.sender, "rtp_exited").is_set())
