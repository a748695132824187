"""NVENC is used only where it has encoded a picture, and its loss costs nobody the video."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import pytest
from aiortc.codecs import CODECS

from stream_retouch.errors import SettingsError
from stream_retouch.rtc import nvenc
from stream_retouch.rtc.h264_encoder import LiveH264Encoder
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.nvenc import LiveNvencEncoder, nvenc_problem, uses_nvenc
from stream_retouch.rtc.sender import encoder_for
from stream_retouch.rtc.vp8_encoder import LiveVp8Encoder

VP8 = CODECS["video"][0]
H264 = next(codec for codec in CODECS["video"] if codec.name == "H264")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Every test tries anew, and leaves nothing known to the next one."""
    nvenc_problem.cache_clear()
    yield
    nvenc_problem.cache_clear()


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """A machine without NVENC; the sizes it was asked for."""
    tried: list[tuple[int, int]] = []

    def refuse(width: int, height: int, limits: RateLimits) -> av.VideoCodecContext:
        tried.append((width, height))
        raise av.FFmpegError(1, "no such device")

    monkeypatch.setattr(nvenc, "opened", refuse)
    return tried


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose NVENC is libx264."""

    def open_other(width: int, height: int, limits: RateLimits) -> Any:
        codec = LiveH264Encoder(limits)._opened(width, height)
        return codec

    monkeypatch.setattr(nvenc, "opened", open_other)


def frame(pts: int) -> av.VideoFrame:
    picture = av.VideoFrame(320, 240, "yuv420p")
    picture.pts, picture.time_base = pts, Fraction(1, 90_000)
    return picture


def test_on_this_machine_the_probe_answers_and_raises_nothing() -> None:
    problem = nvenc_problem()
    assert problem is None or "cannot be used (" in problem or "gives no output" in problem
    assert uses_nvenc("auto") == (problem is None)


def test_without_it_x264_is_used_and_said_once(
    absent: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        assert type(encoder_for(H264, RateLimits())) is LiveH264Encoder
    assert absent == [nvenc.PROBE_SIZE]
    assert caplog.text.count("video is encoded by libx264") == 1


def test_where_it_works_it_is_used_unless_x264_is_wanted(
    present: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert type(encoder_for(H264, RateLimits())) is LiveNvencEncoder
    assert type(encoder_for(H264, RateLimits(), "nvenc")) is LiveNvencEncoder
    assert type(encoder_for(H264, RateLimits(), "x264")) is LiveH264Encoder
    assert type(encoder_for(VP8, RateLimits(), "nvenc")) is LiveVp8Encoder
    assert caplog.text.count("video is encoded by NVENC") == 1


def test_x264_is_used_without_trying(absent: list[tuple[int, int]]) -> None:
    assert not uses_nvenc("x264")
    assert absent == []


def test_nvenc_that_is_asked_for_and_cannot_be_had_says_why(absent: list[tuple[int, int]]) -> None:
    with pytest.raises(
        SettingsError, match=r"h264_nvenc cannot be used \(no such device\); it .*or"
    ):
        uses_nvenc("nvenc")


def test_an_encoder_that_gives_nothing_at_once_is_no_encoder_for_live_video(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent:
        def encode(self, picture: av.VideoFrame) -> list[av.Packet]:
            return []

    monkeypatch.setattr(nvenc, "opened", lambda width, height, limits: Silent())
    assert nvenc_problem() == "gives no output at once"


def test_a_gpu_that_takes_no_further_stream_leaves_the_session_to_x264(
    absent: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    encoder = LiveNvencEncoder(RateLimits())
    assert encoder.encode(frame(0))[0] and encoder.key_frame
    assert encoder.encode(frame(3000))[0] and not encoder.key_frame
    assert encoder.codec is not None and encoder.codec.name == "libx264"
    assert caplog.text.count("the GPU takes no further video") == 1
