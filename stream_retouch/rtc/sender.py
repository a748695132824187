"""Encodes and sends one session's video with its own encoder, limits and thread.

Faults of aiortc 1.16's sender, cured on the one sender that is given:
* its encoder comes from a function of the module, with bounds that are constants of the module. The
  encoder is set on the sender before it starts instead, so sessions differ and nothing is patched;
* it encodes on the loop's default executor, behind whatever else runs there;
* an encoder that raises ends the outgoing video for good. Here the frame is left out (fail open).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

import av
from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import RTCEncodedFrame

from stream_retouch.rtc.h264_encoder import LiveH264Encoder
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.private import private, replace, replace_private
from stream_retouch.rtc.vp8_encoder import LiveVp8Encoder

logger = logging.getLogger(__name__)


def encoder_for(
    codec: RTCRtpCodecParameters, limits: RateLimits
) -> LiveH264Encoder | LiveVp8Encoder:
    """The encoder of a negotiated codec, with one session's limits."""
    return LiveH264Encoder(limits) if codec.name == "H264" else LiveVp8Encoder(limits)


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
            encoder: used for every frame; REMB sets its `target_bitrate`.
            executor: of one thread, where frames are encoded.
            left: called with the pts (90 kHz) of every frame whose last packet was sent, and with
                the time (``perf_counter`` seconds).
        """
        self._sender, self._encoder, self._executor = sender, encoder, executor
        self._left = left
        self._unsent: int | None = None
        self._failing = False
        self.sent = 0
        """Frames encoded and sent."""
        self.failed = 0
        """Frames left out because the encoder raised."""
        replace_private(sender, "encoder", encoder)
        replace(sender, "_next_encoded_frame", self._next_encoded_frame)

    async def _next_encoded_frame(self, codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        # aiortc asks for the next frame when the last packet of the one before has been sent.
        if self._unsent is not None:
            self.sent += 1
            self._left(self._unsent, time.perf_counter())
            self._unsent = None
        frame = await self._sender.track.recv()
        if not self._sender._enabled or not isinstance(frame, av.VideoFrame):
            return None
        force_keyframe = private(self._sender, "force_keyframe") or self._failing
        replace_private(self._sender, "force_keyframe", False)
        try:
            payloads, timestamp = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._encoder.encode, frame, force_keyframe
            )
        except (av.FFmpegError, ValueError) as error:
            self._leave_out(error)
            return None
        self._failing = False
        if not payloads:
            return None
        self._unsent = timestamp
        return RTCEncodedFrame(payloads, timestamp, None)  # type: ignore[arg-type]  # video

    def _leave_out(self, error: Exception) -> None:
        self.failed += 1
        self._encoder.codec = None
        if not self._failing:
            logger.warning("a frame could not be encoded and was left out: %s", error)
        self._failing = True
