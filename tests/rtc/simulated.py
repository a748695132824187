"""A network and its time, simulated: seconds pass as fast as the processor can count them.

`simulate` runs a coroutine on a loop whose clock jumps to the next timer, so that the timers of the
real receiver run exactly as they would, and every run is the same run.
"""

from __future__ import annotations

import asyncio
import queue
import random
import selectors
import threading
from collections.abc import Callable, Coroutine
from struct import pack
from typing import Any, cast

from aiortc import RTCRtpReceiver
from aiortc.codecs import CODECS
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)

from stream_retouch.rtc.private import private, replace_private
from stream_retouch.rtc.receiver import VideoReception

VP8, RTX = CODECS["video"][0], CODECS["video"][1]
VIDEO_SSRC, RTX_SSRC = 7, 8
KEY, DELTA = b"\x00", b"\x01"
FRAME_S = 1 / 30
PACKET_S = 0.0002
"""Between two packets of a frame."""
EPOCH_MS = 1_000_000


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: what it is asked to wait is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def stand_still(self, seconds: float) -> None:
        """As when something keeps the loop busy."""
        self._clock.now += seconds


def simulate(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a test's coroutine in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(main())


class Transport:
    """A DTLS transport that keeps what is sent, and tells `heard`."""

    state = "connected"

    def __init__(self, heard: Callable[[Any], None] = lambda packet: None) -> None:
        self.sent: list[Any] = []
        self._heard = heard

    async def _send_rtp(self, data: bytes) -> None:
        for packet in RtcpPacket.parse(data):
            self.sent.append(packet)
            self._heard(packet)

    @property
    def plis(self) -> int:
        """Requests for a key frame so far."""
        return sum(isinstance(p, RtcpPsfbPacket) and p.fmt == RTCP_PSFB_PLI for p in self.sent)

    @property
    def nacks(self) -> list[list[int]]:
        """What was asked for again, message by message."""
        return [p.lost for p in self.sent if isinstance(p, RtcpRtpfbPacket)]


class Receiving:
    """aiortc's own receiver with the cures, and a decoder that never takes anything."""

    def __init__(self, heard: Callable[[Any], None] = lambda packet: None) -> None:
        self.transport = Transport(heard)
        self.receiver = RTCRtpReceiver("video", cast(Any, self.transport))
        self.receiver._set_rtcp_ssrc(1)
        replace_private(self.receiver, "codecs", {c.payloadType: c for c in (VP8, RTX)})
        replace_private(self.receiver, "rtx_ssrc", {RTX_SSRC: VIDEO_SSRC})
        replace_private(self.receiver, "decoder_thread", threading.Thread())
        self.complete: list[int] = []
        self.reception = VideoReception(
            self.receiver, lambda pts, _: self.complete.append(pts), 2_500_000, 5_000_000
        )

    async def take(self, packet: RtpPacket) -> None:
        """One packet comes in now."""
        now_ms = EPOCH_MS + round(1000 * asyncio.get_running_loop().time())
        await self.receiver._handle_rtp_packet(packet, arrival_time_ms=now_ms)

    def decoded(self) -> list[tuple[int, bytes]]:
        """(pts, data) of every frame left to the decoder since the last call."""
        backlog: queue.Queue[Any] = private(self.receiver, "decoder_queue")
        frames = []
        while not backlog.empty():
            task = backlog.get_nowait()
            if task is not None:
                frames.append((task[1].timestamp, task[1].data))
        return frames

    def close(self) -> None:
        """Stops the reception, as aiortc does at the end."""
        replace_private(self.receiver, "decoder_thread", None)
        self.receiver._handle_disconnect()


class Camera:
    """Sends VP8 frames over a link with a delay, answers NACK by RTX and PLI by a key frame, and
    notes when which frame could be decoded."""

    def __init__(
        self,
        packets_per_frame: int = 8,
        one_way_s: float = 0.025,
        lost: Callable[[RtpPacket], bool] = lambda packet: False,
        late_s: Callable[[RtpPacket], float] = lambda packet: 0.0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._per_frame, self._one_way_s = packets_per_frame, one_way_s
        self._lost, self._late_s = lost, late_s
        self._sent: dict[int, RtpPacket] = {}
        self._sequence = 65_000  # wraps soon
        self._rtx_sequence = 0
        self._key_wanted = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._epoch_ms = EPOCH_MS
        self.bitrate_bps: int | None = None
        """As the receiver asked for."""
        self.shown: list[tuple[float, int]] = []
        """(when, number) of every frame left to the decoder."""
        self.keys: list[int] = []
        """Numbers of the key frames."""
        self.stream = Receiving(lambda packet: self._later(self._answer, packet))

    async def film(self, seconds: float) -> None:
        """Sends frames for a while, and waits a little for what is on its way."""
        for number in range(round(30 * seconds)):
            self._send_frame(number)
            await asyncio.sleep(FRAME_S)
        await asyncio.sleep(0.5)
        self.stream.close()

    @property
    def freeze_ms(self) -> float:
        """Longest time between two frames beyond the usual, milliseconds."""
        times = [at for at, _ in self.shown]
        return 1000 * (max(b - a for a, b in zip(times, times[1:], strict=False)) - FRAME_S)

    def _send_frame(self, number: int) -> None:
        key, self._key_wanted = self._key_wanted, False
        if key:
            self.keys.append(number)
        for n in range(self._per_frame):
            packet = RtpPacket(VP8.payloadType or 0, timestamp=3000 * number, ssrc=VIDEO_SSRC)
            packet.sequence_number = self._sequence
            packet.marker = int(n == self._per_frame - 1)
            head = b"\x10" if n == 0 else b"\x00"
            packet.payload = head + (KEY if key else DELTA) + pack("!L", number) + bytes(1100)
            self._sent[self._sequence] = packet
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._send(packet, after_s=n * PACKET_S)

    def _send(self, packet: RtpPacket, after_s: float = 0.0) -> None:
        sent_ms = EPOCH_MS + 1000 * (self._loop.time() + after_s)
        packet.extensions.abs_send_time = int(sent_ms * (1 << 18) / 1000) & 0xFFFFFF
        if not self._lost(packet):
            delay_s = after_s + self._one_way_s + self._late_s(packet)
            self._loop.call_later(delay_s, self._come, packet)

    def _come(self, packet: RtpPacket) -> None:
        task = self._loop.create_task(self._take(packet))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, packet: RtpPacket) -> None:
        await self.stream.take(packet)
        self.note()

    def note(self) -> None:
        """Notes the frames that were left to the decoder."""
        for _, data in self.stream.decoded():
            self.shown.append((self._loop.time(), int.from_bytes(data[1:5], "big")))

    def _later(self, call: Callable[[Any], None], packet: Any) -> None:
        self.note()
        self._loop.call_later(self._one_way_s, call, packet)

    def _answer(self, packet: Any) -> None:
        if isinstance(packet, RtcpRtpfbPacket):
            for n, sequence in enumerate(packet.lost):
                self._send(self._again(self._sent[sequence]), after_s=n * PACKET_S)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI:
            self._key_wanted = True
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self.bitrate_bps, _ = unpack_remb_fci(packet.fci)

    def _again(self, packet: RtpPacket) -> RtpPacket:
        rtx: RTCRtpCodecParameters = RTX
        self._rtx_sequence += 1
        return wrap_rtx(packet, rtx.payloadType or 0, self._rtx_sequence & 0xFFFF, RTX_SSRC)


class Chance:
    """Loses or delays packets by a seeded chance."""

    def __init__(self, share: float, seed: int = 6) -> None:
        self._share, self._rng = share, random.Random(seed)

    def lost(self, packet: RtpPacket) -> bool:
        """Whether this one is lost."""
        return self._rng.random() < self._share

    def late_s(self, packet: RtpPacket) -> float:
        """Seconds that this one is overtaken by."""
        return 0.004 * self._rng.random() if self._rng.random() < self._share else 0.0
