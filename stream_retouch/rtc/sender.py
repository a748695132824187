"""Encodes and sends one session's video with its own encoder, limits and thread.

Faults of aiortc 1.16's sender, cured on the one sender that is given:
* its encoder comes from a function of the module, with bounds that are constants of the module. The
  encoder is set on the sender before it starts instead, so sessions differ and nothing is patched;
* it encodes on the loop's default executor, behind whatever else runs there;
* an encoder that raises ends the outgoing video for good. Here the frame is left out (fail open);
* requests for key frames are neither merged nor, while the source stands still, answered at all
  (key_frame_answers.py);
* what happens to the packets: see delivery.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import av
from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from stream_retouch.rtc.burst import Burst
from stream_retouch.rtc.delivery import Delivery, Picture
from stream_retouch.rtc.downlink_rate import DownlinkRate
from stream_retouch.rtc.encodable import copy_at
from stream_retouch.rtc.h264_encoder import LiveH264Encoder
from stream_retouch.rtc.key_frame_answers import KeyFrameAnswers
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.nvenc import LiveNvencEncoder, uses_nvenc
from stream_retouch.rtc.pacing import at_once_bytes
from stream_retouch.rtc.private import replace_private
from stream_retouch.rtc.vp8_encoder import LiveVp8Encoder

logger = logging.getLogger(__name__)

REPEAT_TICKS = 90
"""A repeated picture is stamped so much after the one before (1 ms at 90 kHz): later than that, and
hardly ever as late as the next frame of the source."""


def encoder_for(
    codec: RTCRtpCodecParameters, limits: RateLimits, video_encoder: str = "auto"
) -> LiveH264Encoder | LiveVp8Encoder:
    """The encoder of a negotiated codec, with one session's limits.

    Args:
        codec: H264 or VP8.
        limits: of the session.
        video_encoder: who makes H.264: auto, x264 or nvenc (nvenc.py).

    Raises:
        SettingsError: nvenc is asked for and cannot be had.
    """
    if codec.name != "H264":
        return LiveVp8Encoder(limits)
    return LiveNvencEncoder(limits) if uses_nvenc(video_encoder) else LiveH264Encoder(limits)


class VideoSending:
    """Takes over one RTCRtpSender, before it is started. Event loop only."""

    def __init__(
        self,
        sender: RTCRtpSender,
        encoder: LiveH264Encoder | LiveVp8Encoder,
        executor: Executor,
        left: Callable[[int, float], None],
    ) -> None:
        """Replaces parts of `sender`.

        Args:
            sender: of a video track.
            encoder: used for every frame; its `target_bitrate` follows the receiver's reports.
            executor: of one thread, where frames are encoded.
            left: called with the pts (90 kHz) of every frame whose last packet was sent, and with
                the time (``perf_counter`` seconds).
        """
        self._sender, self._encoder, self._executor = sender, encoder, executor
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._coming: asyncio.Task[Any] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._repeat_timer: asyncio.TimerHandle | None = None
        self._last: av.VideoFrame | None = None
        self._last_ticks = -REPEAT_TICKS
        self._failing = False
        self.sent = 0
        """Frames encoded and sent."""
        self.failed = 0
        """Frames left out because the encoder raised."""
        self.left_out = 0
        """Frames left out because those before them were larger than the rate allows."""
        self.on_encoded: Callable[[float], None] = lambda seconds: None
        """Called on the encoder's thread with how long a frame took."""
        self.answers = KeyFrameAnswers()
        """The receiver's requests for key frames."""
        self._burst = Burst()
        self.rate = DownlinkRate(encoder.limits)
        """What the receiver lets us send."""
        self.delivery = Delivery(
            sender,
            self._next_picture,
            self.rate,
            most_bps=encoder.limits.max_bps,
            at_once_bytes=lambda: at_once_bytes(encoder.target_bitrate, encoder.limits.frame_rate),
            key_frame_wanted=self._key_frame_wanted,
            left=self._picture_left,
        )
        replace_private(sender, "encoder", encoder)

    # Pictures

    async def _next_picture(self, codec: RTCRtpCodecParameters) -> Picture | None:
        frame = await self._next_frame()
        repeated = frame is None
        if frame is None:
            frame, self._last = self._last, None  # no second try if this one fails
        if not self._sender._enabled or not isinstance(frame, av.VideoFrame):
            return None
        now = self._loop.time()
        rate = self._encoder.target_bitrate = self.rate.target(now)
        force_keyframe = self.answers.due(now) or self._failing
        line = self.rate.asked_bps(now)
        if not force_keyframe and self._burst.leaves_out(now, rate, line):
            self.left_out += 1
            self._encoder.left_out(frame)
            return None
        try:
            payloads, timestamp = await self._loop.run_in_executor(
                self._executor, self._encode, frame, repeated, force_keyframe
            )
        except (av.FFmpegError, ValueError) as error:
            self._leave_out(error)
            return None
        self._failing = False
        if not payloads:
            return None
        self._burst.sent(sum(map(len, payloads)))
        if self._encoder.key_frame:
            self.answers.made(now)
        # After pictures that were repeated, a source whose clock had stopped goes on earlier.
        timestamp = max(timestamp, self._last_ticks + REPEAT_TICKS)
        self._last, self._last_ticks = frame, timestamp
        return Picture(payloads, timestamp, repeated)

    def _encode(
        self, frame: av.VideoFrame, repeated: bool, force_keyframe: bool
    ) -> tuple[list[bytes], int]:
        """On the encoder's thread."""
        began = time.perf_counter()
        if repeated:
            frame = copy_at(frame, self._last_ticks + REPEAT_TICKS)
        encoded = self._encoder.encode(frame, force_keyframe)
        self.on_encoded(time.perf_counter() - began)
        return encoded

    async def _next_frame(self) -> Any:
        """The track's next frame; None when the last one is to be sent again."""
        if self._coming is None:
            self._coming = self._loop.create_task(self._sender.track.recv(), name="peer-outgoing")
            self._coming.add_done_callback(self._has_come)
        coming = self._coming
        if not coming.done():
            self._wake = self._loop.create_future()
            self._set_repeat_timer()
            try:
                await self._wake
            except asyncio.CancelledError:
                coming.cancel()
                raise
            finally:
                self._wake = None
                if self._repeat_timer is not None:
                    self._repeat_timer.cancel()
                    self._repeat_timer = None
        if not coming.done():
            return None
        self._coming = None
        return coming.result()

    def _has_come(self, coming: asyncio.Task[Any]) -> None:
        if not coming.cancelled():
            coming.exception()  # looked at: when the track ends nobody may wait for it any more
        self._wake_up()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _picture_left(self, picture: Picture) -> None:
        self.sent += 1
        self._left(picture.timestamp, time.perf_counter())

    def _leave_out(self, error: Exception) -> None:
        self.failed += 1
        self._encoder.codec = None
        if not self._failing:
            logger.warning("a frame could not be encoded and was left out: %s", error)
        self._failing = True

    # Requests for key frames

    def _key_frame_wanted(self) -> None:
        self.answers.ask(self._loop.time(), self.delivery.round_trip_s)
        self._set_repeat_timer()

    def _set_repeat_timer(self) -> None:
        """While a frame is waited for, and a key frame was asked for: not longer than that."""
        at = self.answers.repeat_at
        idle = self._wake is not None and self._repeat_timer is None and self._last is not None
        if idle and at is not None:
            self._repeat_timer = self._loop.call_at(at, self._wake_up)
