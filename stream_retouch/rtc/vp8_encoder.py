"""VP8 with the session's own limits, for receivers without H.264.

Faults of aiortc 1.16's encoder: at most 1.5 Mbps for the whole process; noise-sensitivity 4 blurs
skin texture and takes time; any change of the target above 10 % makes a new encoder and with it a
key frame. libvpx through FFmpeg ignores a new bit rate while it runs, so a new encoder is needed,
but seldom: at once when the rate must halve, otherwise at most every 2 s.
"""

from __future__ import annotations

import os
from fractions import Fraction

import av
from aiortc.codecs.vpx import Vp8Encoder, number_of_threads
from aiortc.mediastreams import VIDEO_TIME_BASE
from av.frame import Frame
from av.video.frame import PictureType

from stream_retouch.rtc.encodable import EncodableFrames, ticks_of
from stream_retouch.rtc.limits import RateLimits

RENEW_TICKS = 2 * 90_000
"""Least time between two encoders of one stream, unless the rate must halve (90 kHz ticks)."""
RENEW_CHANGE = 0.15
"""Change of the target, as a share, that is worth a key frame."""


class LiveVp8Encoder(Vp8Encoder):
    """libvpx VP8, constant bit rate, no denoiser, with its own session's limits.

    `encode` runs on one thread at a time; `target_bitrate` may be set from another.
    """

    codec: av.VideoCodecContext | None

    def __init__(self, limits: RateLimits) -> None:
        super().__init__()
        self.limits = limits
        """Of the session."""
        self.key_frame = False
        """Whether the latest encoded frame was a key frame."""
        self._target_bps = limits.clamp(limits.start_bps)
        self._opened_at = 0
        self._encodable = EncodableFrames()

    @property
    def target_bitrate(self) -> int:
        """Bits per second to aim at; assigned values are brought within the session's limits."""
        return self._target_bps

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._target_bps = self.limits.clamp(bitrate)

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """RTP payloads of `frame`, and its time stamp on the 90 kHz clock.

        Raises:
            av.FFmpegError, ValueError: the frame cannot be encoded; the next one may be.
        """
        assert isinstance(frame, av.VideoFrame)
        timestamp = ticks_of(frame)
        frame = self._encodable.of(frame)
        codec = self.codec
        if codec is None or self._outdated(codec, frame, timestamp):
            codec = self.codec = self._opened(frame.width, frame.height)
            self._opened_at = timestamp
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        packets = codec.encode(frame)
        self.key_frame = any(packet.is_keyframe for packet in packets)
        encoded = b"".join(bytes(packet) for packet in packets)
        payloads = self._packetize(encoded, self.picture_id)
        self.picture_id = (self.picture_id + 1) % (1 << 15)
        return payloads, timestamp

    def left_out(self, frame: av.VideoFrame) -> None:
        """Counts a frame that is not to be encoded; libvpx goes by time stamps, so there is nothing to count."""

    def _outdated(self, codec: av.VideoCodecContext, frame: av.VideoFrame, timestamp: int) -> bool:
        if (frame.width, frame.height) != (codec.width, codec.height):
            return True
        opened_bps = codec.bit_rate or self._target_bps
        if self._target_bps * 2 <= opened_bps:
            return True
        change = abs(self._target_bps - opened_bps) / opened_bps
        return change > RENEW_CHANGE and timestamp - self._opened_at >= RENEW_TICKS

    def _opened(self, width: int, height: int) -> av.VideoCodecContext:
        rate = self._target_bps
        codec = av.VideoCodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.bit_rate = rate
        codec.framerate = Fraction(self.limits.frame_rate)
        codec.time_base = VIDEO_TIME_BASE
        codec.gop_size = 3000
        codec.qmin, codec.qmax = 2, 56
        codec.thread_count = number_of_threads(width * height, os.cpu_count() or 1)
        codec.options = {
            # minrate = maxrate = bit_rate is libvpx's constant bit rate; bufsize is one second.
            "minrate": str(rate),
            "maxrate": str(rate),
            "bufsize": str(rate),
            "cpu-used": "-6",
            "deadline": "realtime",
            "lag-in-frames": "0",
            "noise-sensitivity": "0",
            "overshoot-pct": "15",
            "undershoot-pct": "100",
            "partitions": "0",
            "static-thresh": "1",
        }
        return codec
