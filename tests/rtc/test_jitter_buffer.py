"""When a frame leaves the jitter buffer."""

from __future__ import annotations

from aiortc.rtp import RtpPacket

from stream_retouch.rtc.jitter_buffer import MarkerJitterBuffer


def packet(sequence: int, timestamp: int, data: bytes = b"", marker: bool = False) -> RtpPacket:
    made = RtpPacket(
        payload_type=97, marker=int(marker), sequence_number=sequence % 65536, timestamp=timestamp
    )
    made.ssrc = 1234
    made._data = data  # type: ignore[attr-defined]
    return made


def fed(buffer: MarkerJitterBuffer, *packets: RtpPacket) -> list[tuple[bytes, int]]:
    """Adds the packets; (data, time stamp) of every frame that is complete then."""
    for each in packets:
        pli, frame = buffer.add(each)
        assert frame is None and not pli
    return [(frame.data, frame.timestamp) for frame in buffer.take()]


def test_the_marker_completes_a_frame_without_a_packet_of_the_next() -> None:
    buffer = MarkerJitterBuffer()
    assert fed(buffer, packet(1, 90, b"a")) == []
    assert fed(buffer, packet(2, 90, b"b", marker=True)) == [(b"ab", 90)]
    assert fed(buffer, packet(3, 180, b"c", marker=True)) == [(b"c", 180)]


def test_a_frame_is_taken_once_and_knows_where_it_came_from() -> None:
    buffer = MarkerJitterBuffer()
    buffer.add(packet(1, 90, b"a", marker=True))
    (frame,) = buffer.take()
    assert (frame.payload_type, frame.ssrc) == (97, 1234)
    assert buffer.take() == []


def test_a_missing_packet_is_waited_for() -> None:
    buffer = MarkerJitterBuffer()
    assert fed(buffer, packet(1, 90, b"a"), packet(3, 90, b"c", marker=True)) == []
    assert fed(buffer, packet(2, 90, b"b")) == [(b"abc", 90)]


def test_packets_may_come_in_any_order_and_their_numbers_may_wrap() -> None:
    buffer = MarkerJitterBuffer()
    first = [packet(65534, 90, b"a"), packet(65536, 90, b"c", marker=True), packet(65535, 90, b"b")]
    assert fed(buffer, *first) == [(b"abc", 90)]
    later = [packet(65538, 180, b"y", marker=True), packet(65537, 180, b"x")]
    assert fed(buffer, *later) == [(b"xy", 180)]


def test_one_packet_that_fills_a_gap_completes_every_frame_behind_it() -> None:
    buffer = MarkerJitterBuffer()
    waiting = [
        packet(1, 90, b"a"),
        packet(3, 180, b"c", marker=True),
        packet(4, 270, b"d"),
        packet(5, 270, b"e", marker=True),
        packet(6, 360, b"f"),
    ]
    assert fed(buffer, *waiting) == []
    complete = [(b"ab", 90), (b"c", 180), (b"de", 270)]
    assert fed(buffer, packet(2, 90, b"b", marker=True)) == complete


def test_without_a_marker_the_next_time_stamp_ends_the_frame() -> None:
    buffer = MarkerJitterBuffer()
    assert fed(buffer, packet(1, 90, b"a"), packet(2, 90, b"b")) == []
    assert fed(buffer, packet(3, 180, b"c")) == [(b"ab", 90)]


def test_a_run_of_padding_makes_no_frame_and_blocks_none() -> None:
    buffer = MarkerJitterBuffer()
    assert fed(buffer, packet(1, 90, b"a", marker=True)) == [(b"a", 90)]
    assert fed(buffer, packet(2, 90), packet(3, 90), packet(4, 90, marker=True)) == []
    assert fed(buffer, packet(5, 90), packet(6, 90)) == []
    assert fed(buffer, packet(7, 180, b"b", marker=True)) == [(b"b", 180)]


def test_a_packet_that_comes_twice_changes_nothing() -> None:
    buffer = MarkerJitterBuffer()
    assert fed(buffer, packet(1, 90, b"a", marker=True)) == [(b"a", 90)]
    assert fed(buffer, packet(1, 90, b"a", marker=True)) == []
    assert fed(buffer, packet(2, 180, b"b", marker=True)) == [(b"b", 180)]


def test_when_the_buffer_is_full_the_broken_frame_is_given_up_and_a_key_frame_wanted() -> None:
    buffer = MarkerJitterBuffer(capacity=8)
    assert fed(buffer, packet(1, 90, b"a")) == []
    # 2 never comes; 3..9 fill the buffer behind it, 9 does not fit any more.
    for sequence in range(3, 9):
        assert fed(buffer, packet(sequence, 90 * sequence, b"x", marker=True)) == []
    pli, _ = buffer.add(packet(9, 810, b"x", marker=True))
    assert pli
    assert [frame.timestamp for frame in buffer.take()] == [90 * n for n in range(3, 10)]
