"""The two video encoders: rate, key frames, sizes."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor

from stream_retouch.rtc import h264_encoder
from stream_retouch.rtc.h264_encoder import LiveH264Encoder, level_for, threads_for
from stream_retouch.rtc.key_frames import is_key_frame
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.vp8_encoder import LiveVp8Encoder

Encoder = LiveH264Encoder | LiveVp8Encoder
LIMITS = RateLimits(min_bps=100_000, start_bps=800_000, max_bps=800_000)
BOTH = pytest.mark.parametrize("kind", [LiveH264Encoder, LiveVp8Encoder])


class Film:
    """Noisy pictures, one after the other on the 90 kHz clock."""

    def __init__(self, fps: int = 30) -> None:
        self._random = np.random.default_rng(0)
        self._step, self._pts = 90_000 // fps, -90_000 // fps

    def next(self, width: int = 320, height: int = 240) -> av.VideoFrame:
        planes = np.full((height + height // 2, width), 128, np.uint8)
        planes[:height] = self._random.integers(60, 180, (height, width))
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        self._pts += self._step
        frame.pts, frame.time_base = self._pts, Fraction(1, 90_000)
        return frame


def depacketised(encoder: Encoder, payloads: list[bytes]) -> bytes:
    descriptor = (
        H264PayloadDescriptor if isinstance(encoder, LiveH264Encoder) else VpxPayloadDescriptor
    )
    return b"".join(descriptor.parse(payload)[1] for payload in payloads)


def is_key(encoder: Encoder, payloads: list[bytes]) -> bool:
    name = "H264" if isinstance(encoder, LiveH264Encoder) else "VP8"
    return is_key_frame(name, depacketised(encoder, payloads))


def rate_of(encoder: Encoder, film: Film, frames: int, fps: int = 30) -> tuple[float, int]:
    """(bits per second, key frames) of the next `frames` frames."""
    size, keys = 0, 0
    for _ in range(frames):
        payloads, _ = encoder.encode(film.next())
        size += sum(map(len, payloads))
        keys += is_key(encoder, payloads)
    return size * 8 * fps / frames, keys


def test_the_h264_rate_follows_its_target_without_a_key_frame() -> None:
    encoder, film = LiveH264Encoder(LIMITS), Film()
    assert rate_of(encoder, film, 30)[1] == 1
    for target in (300_000, 700_000, 200_000):
        encoder.target_bitrate = target
        rate_of(encoder, film, 15)  # the buffer of 0.2 s settles
        rate, keys = rate_of(encoder, film, 45)
        assert rate == pytest.approx(target, rel=0.25)
        assert keys == 0


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_the_h264_rate_is_right_whatever_the_camera_s_frame_rate(fps: int) -> None:
    encoder, film = LiveH264Encoder(LIMITS), Film(fps)
    encoder.target_bitrate = 400_000
    rate_of(encoder, film, 2 * fps, fps)
    assert rate_of(encoder, film, 2 * fps, fps)[0] == pytest.approx(400_000, rel=0.25)


def test_a_large_picture_is_encoded_in_two_slices_where_there_are_two_cores() -> None:
    assert threads_for(1280, 720, 2) == threads_for(640, 480, 16) == 2
    assert (
        threads_for(1280, 720, 1) == threads_for(1280, 720, None) == threads_for(640, 360, 8) == 1
    )


def test_the_rate_of_two_slices_follows_its_target_and_every_slice_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(h264_encoder, "threads_for", lambda width, height: 2)
    encoder, film, decoder = LiveH264Encoder(LIMITS), Film(), av.CodecContext.create("h264", "r")
    slices = []
    for target in (600_000, 250_000):
        encoder.target_bitrate = target
        rate_of(encoder, film, 15)
        assert rate_of(encoder, film, 45)[0] == pytest.approx(target, rel=0.25)
    payloads, _ = encoder.encode(film.next(), force_keyframe=True)
    stream = depacketised(encoder, payloads)
    slices = [part for part in stream.split(b"\x00\x00\x01")[1:] if part[0] & 31 == 5]
    assert len(slices) == 2
    (picture,) = decoder.decode(av.Packet(stream)) or decoder.decode(None)  # type: ignore[attr-defined]
    assert (picture.width, picture.height) == (320, 240)


@BOTH
def test_every_frame_leaves_before_the_next_one_comes(kind: type[Encoder]) -> None:
    encoder, film = kind(LIMITS), Film()
    assert all(encoder.encode(film.next())[0] for _ in range(10))


def test_vp8_gets_a_new_encoder_seldom_and_at_once_when_the_rate_must_halve() -> None:
    encoder, film = LiveVp8Encoder(LIMITS), Film()
    assert rate_of(encoder, film, 10)[1] == 1
    encoder.target_bitrate = 600_000
    assert rate_of(encoder, film, 10)[1] == 0  # too soon after the first
    assert rate_of(encoder, film, 60)[1] == 1  # two seconds have passed
    encoder.target_bitrate = 200_000
    assert rate_of(encoder, film, 1)[1] == 1
    assert encoder.codec is not None and encoder.codec.bit_rate == 200_000


@BOTH
def test_every_encoder_has_its_own_bounds(kind: type[Encoder]) -> None:
    one = kind(RateLimits(min_bps=1000, start_bps=5000, max_bps=9000))
    other = kind(RateLimits(min_bps=20_000, start_bps=5000, max_bps=90_000))
    assert (one.target_bitrate, other.target_bitrate) == (5000, 20_000)
    for encoder, low, high in ((one, 1000, 9000), (other, 20_000, 90_000)):
        encoder.target_bitrate = 1
        assert encoder.target_bitrate == low
        encoder.target_bitrate = 10**9
        assert encoder.target_bitrate == high


@BOTH
def test_a_key_frame_comes_when_it_is_asked_for_and_only_then(kind: type[Encoder]) -> None:
    encoder, film = kind(LIMITS), Film()
    wanted = [False, False, True, False, True, False]
    keys, told = [], []
    for force in wanted:
        keys.append(is_key(encoder, encoder.encode(film.next(), force)[0]))
        told.append(encoder.key_frame)
    assert keys == told == [True, False, True, False, True, False]


@BOTH
def test_the_codec_is_kept_until_the_size_changes(kind: type[Encoder]) -> None:
    encoder, film = kind(LIMITS), Film()
    encoder.encode(film.next())
    first = encoder.codec
    encoder.encode(film.next())
    assert encoder.codec is first
    payloads, _ = encoder.encode(film.next(160, 120))
    assert encoder.codec is not first
    assert is_key(encoder, payloads)


@BOTH
def test_odd_sizes_and_other_formats_are_encoded(kind: type[Encoder]) -> None:
    encoder = kind(LIMITS)
    odd = av.VideoFrame(427, 241, "yuv420p")
    rgb = av.VideoFrame(64, 48, "rgb24")
    for frame, size in ((odd, (426, 240)), (rgb, (64, 48))):
        frame.pts, frame.time_base = 9000, Fraction(1, 90_000)
        payloads, timestamp = encoder.encode(frame)
        assert payloads and timestamp == 9000
        assert encoder.codec is not None
        assert (encoder.codec.width, encoder.codec.height) == size


@BOTH
def test_the_time_stamp_is_the_frame_s_own_on_the_90_khz_clock(kind: type[Encoder]) -> None:
    encoder, film = kind(LIMITS), Film(fps=37)
    for _ in range(5):
        frame = film.next()
        pts = frame.pts
        assert encoder.encode(frame)[1] == pts
        assert frame.pts == pts
    other = film.next()
    other.pts, other.time_base = 12, Fraction(1, 30)
    assert encoder.encode(other)[1] == 36_000


@BOTH
def test_a_frame_without_a_time_stamp_is_refused(kind: type[Encoder]) -> None:
    with pytest.raises(ValueError, match="without a time stamp"):
        kind(LIMITS).encode(av.VideoFrame(64, 48, "yuv420p"))


@BOTH
def test_a_picture_with_no_pixel_left_is_refused(kind: type[Encoder]) -> None:
    frame = av.VideoFrame(1, 48, "yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    with pytest.raises(ValueError, match="a 1x48 picture cannot be encoded"):
        kind(LIMITS).encode(frame)


def test_the_given_frame_is_never_written() -> None:
    film = Film()
    for width, height in ((64, 48), (65, 48)):
        planes = np.full((72, 66), 90, np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p") if width == 64 else None
        frame = frame or av.VideoFrame(width, height, "yuv420p")
        before = [bytes(plane) for plane in frame.planes]
        frame.pts, frame.time_base = film.next().pts, Fraction(1, 90_000)
        LiveH264Encoder(LIMITS).encode(frame)
        assert [bytes(plane) for plane in frame.planes] == before


@pytest.mark.parametrize(
    ("width", "height", "fps", "level"),
    [
        (320, 240, 30, "31"),
        (1280, 720, 30, "31"),
        (1280, 720, 60, "32"),
        (1920, 1080, 30, "40"),
        (1920, 1080, 60, "42"),
        (3840, 2160, 30, "51"),
        (7680, 4320, 60, "52"),
    ],
)
def test_the_level_is_the_lowest_that_may_carry_the_picture(
    width: int, height: int, fps: int, level: str
) -> None:
    assert level_for(width, height, fps) == level


def test_the_stream_says_its_level() -> None:
    encoder = LiveH264Encoder(LIMITS)
    for (width, height), level in {(640, 480): 31, (1920, 1080): 40}.items():
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.pts, frame.time_base = width, Fraction(1, 90_000)
        stream = depacketised(encoder, encoder.encode(frame)[0])
        parameters = stream.index(b"\x00\x00\x01\x67") + 4  # profile, constraints, level
        assert stream[parameters] == 66
        assert stream[parameters + 2] == level
