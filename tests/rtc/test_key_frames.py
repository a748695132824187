"""Where decoding can start, and how that is asked for."""

from __future__ import annotations

import pytest
from aiortc.codecs import CODECS, depayload
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtp import RtpPacket

from stream_retouch.rtc.key_frames import (
    ANSWER_S,
    EAGER,
    PATIENT_S,
    Entry,
    KeyFrameRequests,
    entry,
    is_key_frame,
)
from tests.rtc.client import picture

VP8, H264 = CODECS["video"][0], CODECS["video"][2]
SPS, IDR, SLICE = b"\x67\x42\x00", b"\x65\x88\x84", b"\x41\x9a\x01"


def start(name: str, payload: bytes) -> Entry:
    packet = RtpPacket(payload=payload)
    codec = VP8 if name == "VP8" else H264
    packet._data = depayload(codec, payload)  # type: ignore[attr-defined]
    return entry(name, packet)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x10\x50", Entry.YES),
        (b"\x90\x80\x81\x02\x50", Entry.YES),  # with a picture id
        (b"\x10\x51", Entry.NO),  # predicted
        (b"\x00\x50", Entry.NO),  # in the middle of a frame: its first byte means nothing
        (b"\x11\x50", Entry.NO),  # the start of a later partition
    ],
)
def test_vp8_starts_with_the_first_packet_of_a_key_frame(payload: bytes, expected: Entry) -> None:
    assert start("VP8", payload) is expected


def aggregate(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (SPS, Entry.YES),
        (aggregate(SPS, b"\x68\xce\x01"), Entry.YES),
        (IDR, Entry.IF_FIRST),
        (b"\x7c\x85" + IDR[1:], Entry.IF_FIRST),  # FU-A, first fragment
        (b"\x7c\x05" + IDR[1:], Entry.NO),  # a later one
        (SLICE, Entry.NO),
        (b"\x06\x05\x01", Entry.NO),  # SEI
    ],
)
def test_h264_starts_with_a_parameter_set(payload: bytes, expected: Entry) -> None:
    assert start("H264", payload) is expected


def test_padding_starts_nothing() -> None:
    for name in ("VP8", "H264"):
        packet = RtpPacket()
        packet._data = b""  # type: ignore[attr-defined]
        assert entry(name, packet) is Entry.NO


def test_what_aiortc_s_own_encoder_sends_starts_with_its_first_packet() -> None:
    encoder = H264Encoder()
    key, _ = encoder.encode(picture(320, 240, 0), force_keyframe=True)
    predicted, _ = encoder.encode(picture(320, 240, 3000))
    assert start("H264", key[0]) is Entry.YES
    assert all(start("H264", payload) is Entry.NO for payload in predicted)


@pytest.mark.parametrize(
    ("codec", "data", "key"),
    [
        ("VP8", b"\x50\x01", True),
        ("VP8", b"\x51\x01", False),
        ("VP8", b"", False),
        ("H264", b"\x00\x00\x00\x01\x67\x42\x00\x00\x00\x01\x65\x88", True),
        ("H264", b"\x00\x00\x00\x01\x06\x05\x00\x00\x00\x01\x65\x88", True),
        ("H264", b"\x00\x00\x00\x01\x41\x9a\x00\x00\x00\x01\x41", False),
        ("H264", b"\x00\x00\x01", False),
        ("H264", b"", False),
    ],
)
def test_a_key_frame_is_known_by_its_first_bytes(codec: str, data: bytes, key: bool) -> None:
    assert is_key_frame(codec, data) is key


def asked(requests: KeyFrameRequests, wanted: bool, now: float) -> bool:
    return requests.due(wanted, now, round_trip_s=0.05)


def test_a_key_frame_is_asked_for_at_once_and_again_until_it_comes() -> None:
    requests = KeyFrameRequests()
    assert not asked(requests, False, 0.0) and requests.next_at is None
    assert asked(requests, True, 1.0)
    assert not asked(requests, True, 1.01)
    assert requests.next_at == pytest.approx(1.05 + ANSWER_S)
    assert asked(requests, True, 1.16)
    assert not asked(requests, False, 1.2) and requests.next_at is None
    assert asked(requests, True, 1.21)  # another loss is asked for at once
    assert requests.sent == 3


def test_a_sender_that_does_not_answer_is_asked_more_and_more_seldom() -> None:
    requests = KeyFrameRequests()
    times, now = [], 0.0
    while now < 10:
        assert asked(requests, True, now)
        times.append(now)
        assert requests.next_at is not None
        now = requests.next_at
    assert EAGER < len(times) < EAGER + 12
    assert times[-1] - times[-2] == pytest.approx(PATIENT_S)
    asked(requests, False, now)
    asked(requests, True, now)
    assert requests.next_at == pytest.approx(now + 0.05 + ANSWER_S)  # it did answer: from the start
