"""H.264 from an NVIDIA GPU's encoder, where there is one that works.

Faults this answers: that the name of an encoder is known says nothing (every wheel of PyAV knows
h264_nvenc; most machines, and GPUs made for computing, have no such hardware), and its defaults
look ahead and order frames anew, which costs frames of delay.

So it is opened and given a picture once per process, and used only if a picture comes out. When it
cannot be opened later on (a GPU takes a limited number of streams), that session goes on in x264.
"""

from __future__ import annotations

import functools
import logging
from fractions import Fraction

import av
from aiortc.mediastreams import VIDEO_TIME_BASE

from stream_retouch.errors import SettingsError
from stream_retouch.rtc.h264_encoder import GOP_FRAMES, VBV_SECONDS, LiveH264Encoder, level_for
from stream_retouch.rtc.limits import RateLimits

logger = logging.getLogger(__name__)

PROBE_SIZE = (640, 480)
"""Of the picture tried: these encoders refuse small ones."""


def uses_nvenc(video_encoder: str) -> bool:
    """Whether H.264 is to be made by NVENC.

    Args:
        video_encoder: ``auto`` (where it works), ``x264`` (never) or ``nvenc`` (always).

    Raises:
        SettingsError: it is asked for and cannot be had; the text says why.
    """
    if video_encoder == "x264":
        return False
    problem = nvenc_problem()
    if problem is not None and video_encoder == "nvenc":
        raise SettingsError(
            f"--video-encoder nvenc: h264_nvenc {problem}; it needs an NVIDIA GPU that has an encoder "
            "(A100, H100 and H200 have none) and its driver, or choose auto or x264"
        )
    return problem is None


@functools.cache
def nvenc_problem() -> str | None:
    """Why NVENC cannot be used here, None when it has encoded a picture. Blocks for up to a second
    the first time; later calls know."""
    problem = _tried()
    logger.info("video is encoded by %s", "NVENC" if problem is None else "libx264")
    logger.debug("NVENC: %s", problem or "has encoded a picture")
    return problem


def _tried() -> str | None:
    width, height = PROBE_SIZE
    try:
        codec = opened(width, height, RateLimits())
        picture = av.VideoFrame(width, height, "yuv420p")
        picture.pts, picture.time_base = 0, VIDEO_TIME_BASE
        packets = codec.encode(picture)
    except (av.FFmpegError, ValueError) as error:
        return f"cannot be used ({getattr(error, 'strerror', None) or error})"
    return None if packets else "gives no output at once"


def opened(width: int, height: int, limits: RateLimits) -> av.VideoCodecContext:
    """An NVENC encoder that gives every frame at once and may be told a new bit rate.

    Raises:
        av.FFmpegError, ValueError: there is none, or it takes no further stream.
    """
    codec = av.VideoCodecContext.create("h264_nvenc", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate = limits.max_bps
    codec.framerate = Fraction(limits.frame_rate)
    codec.time_base = VIDEO_TIME_BASE
    codec.gop_size = GOP_FRAMES
    codec.max_b_frames = 0
    codec.options = {
        "preset": "p4",
        "tune": "ull",
        "profile": "baseline",
        "level": f"{int(level_for(width, height, limits.frame_rate)) / 10:g}",
        "rc": "cbr",
        "maxrate": str(limits.max_bps),
        "bufsize": str(int(limits.max_bps * VBV_SECONDS)),
        "rc-lookahead": "0",
        "zerolatency": "1",
        "delay": "0",
        "forced-idr": "1",  # a frame that must be a key frame becomes one a decoder can start at
        "no-scenecut": "1",
    }
    codec.open()
    return codec


class LiveNvencEncoder(LiveH264Encoder):
    """`LiveH264Encoder`, with NVENC in x264's place as long as the GPU takes the stream."""

    def _opened(self, width: int, height: int) -> av.VideoCodecContext:
        try:
            return opened(width, height, self.limits)
        except (av.FFmpegError, ValueError) as error:
            logger.warning("the GPU takes no further video (%s): libx264 goes on", error)
            return super()._opened(width, height)
