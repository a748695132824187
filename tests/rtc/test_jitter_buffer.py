"""When a frame leaves the jitter buffer, and when it is given up."""

from __future__ import annotations

import random

import pytest
from aiortc.rtp import RtpPacket

from stream_retouch.rtc.jitter_buffer import CAPACITY, MarkerJitterBuffer
from stream_retouch.rtc.key_frames import Entry
from stream_retouch.rtc.sequence import LARGEST_GAP


def packet(sequence: int, timestamp: int, data: bytes = b"", marker: bool = False) -> RtpPacket:
    made = RtpPacket(
        payload_type=97, marker=int(marker), sequence_number=sequence % 65536, timestamp=timestamp
    )
    made.ssrc = 1234
    made._data = data  # type: ignore[attr-defined]
    return made


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def anywhere(packet: RtpPacket) -> Entry:
    """As if every packet began a key frame."""
    return Entry.YES


def at_k(packet: RtpPacket) -> Entry:
    """A packet that begins with K begins a key frame; with k, if it is its frame's first."""
    data: bytes = packet._data  # type: ignore[attr-defined]
    return {b"K": Entry.YES, b"k": Entry.IF_FIRST}.get(data[:1], Entry.NO)


def waiting() -> tuple[MarkerJitterBuffer, Clock]:
    """A buffer that has handed on a key frame, packet 1, and waits 200 ms for what is missing."""
    clock = Clock()
    buffer = MarkerJitterBuffer(at_k, clock)
    buffer.wait_s = 0.2
    assert fed(buffer, packet(1, 90, b"K", marker=True)) == [(b"K", 90)]
    return buffer, clock


def fed(buffer: MarkerJitterBuffer, *packets: RtpPacket) -> list[tuple[bytes, int]]:
    """Adds the packets; (data, time stamp) of every frame that is complete then."""
    for each in packets:
        pli, frame = buffer.add(each)
        assert frame is None and not pli
    return [(frame.data, frame.timestamp) for frame in buffer.take()]


def test_the_marker_completes_a_frame_without_a_packet_of_the_next() -> None:
    buffer = MarkerJitterBuffer(anywhere)
    assert fed(buffer, packet(1, 90, b"a")) == []
    assert fed(buffer, packet(2, 90, b"b", marker=True)) == [(b"ab", 90)]
    assert fed(buffer, packet(3, 180, b"c", marker=True)) == [(b"c", 180)]


def test_a_frame_is_taken_once_and_knows_where_it_came_from() -> None:
    buffer = MarkerJitterBuffer(anywhere)
    buffer.add(packet(1, 90, b"a", marker=True))
    (frame,) = buffer.take()
    assert (frame.payload_type, frame.ssrc) == (97, 1234)
    assert buffer.take() == []


def test_a_missing_packet_is_waited_for() -> None:
    buffer = MarkerJitterBuffer(anywhere)
    assert fed(buffer, packet(1, 90, b"a"), packet(3, 90, b"c", marker=True)) == []
    assert fed(buffer, packet(2, 90, b"b")) == [(b"abc", 90)]


def test_packets_may_come_in_any_order_and_their_numbers_may_wrap() -> None:
    buffer = MarkerJitterBuffer(anywhere)
    first = [packet(65534, 90, b"a"), packet(65536, 90, b"c", marker=True), packet(65535, 90, b"b")]
    assert fed(buffer, *first) == [(b"abc", 90)]
    later = [packet(65538, 180, b"y", marker=True), packet(65537, 180, b"x")]
    assert fed(buffer, *later) == [(b"xy", 180)]


def test_one_packet_that_fills_a_gap_completes_every_frame_behind_it() -> None:
    buffer = MarkerJitterBuffer(anywhere)
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
    buffer = MarkerJitterBuffer(anywhere)
    assert fed(buffer, packet(1, 90, b"a"), packet(2, 90, b"b")) == []
    assert fed(buffer, packet(3, 180, b"c")) == [(b"ab", 90)]


def test_a_run_of_padding_makes_no_frame_and_blocks_none() -> None:
    buffer = MarkerJitterBuffer(anywhere)
    assert fed(buffer, packet(1, 90, b"a", marker=True)) == [(b"a", 90)]
    assert fed(buffer, packet(2, 90), packet(3, 90), packet(4, 90, marker=True)) == []
    assert fed(buffer, packet(5, 90), packet(6, 90)) == []
    assert fed(buffer, packet(7, 180, b"b", marker=True)) == [(b"b", 180)]


def test_a_packet_that_comes_twice_changes_nothing() -> None:
    buffer = MarkerJitterBuffer(anywhere)
    assert fed(buffer, packet(1, 90, b"a", marker=True)) == [(b"a", 90)]
    assert fed(buffer, packet(1, 90, b"a", marker=True)) == []
    assert fed(buffer, packet(2, 180, b"b", marker=True)) == [(b"b", 180)]


def test_while_no_key_frame_has_come_whole_a_hole_is_waited_for_longer() -> None:
    buffer, clock = waiting()
    buffer.patience_s = 0.3
    assert fed(buffer, packet(3, 180, b"b", marker=True)) == []  # 2 is missing
    clock.now += 0.25
    buffer.expire()
    assert buffer.given_up == 0
    # A key frame begins, one of its packets is missing too.
    assert fed(buffer, packet(4, 270, b"K"), packet(6, 270, b"z", marker=True)) == []
    buffer.expire()
    assert buffer.given_up == 0 and buffer.give_up_at == pytest.approx(100.5)
    assert fed(buffer, packet(2, 180, b"a")) == [(b"ab", 180)]  # what was waited for
    assert fed(buffer, packet(5, 270, b"y")) == [(b"Kyz", 270)]
    assert buffer.give_up_at is None


def test_a_key_frame_that_has_come_whole_ends_the_wait() -> None:
    buffer, clock = waiting()
    buffer.patience_s = 0.3
    assert fed(buffer, packet(3, 180, b"b", marker=True), packet(4, 270, b"K")) == []
    clock.now += 0.25
    assert fed(buffer, packet(5, 270, b"z", marker=True)) == []
    buffer.expire()
    assert (buffer.given_up, buffer.wants_key_frame) == (1, False)
    assert [(frame.data, frame.timestamp) for frame in buffer.take()] == [(b"Kz", 270)]


def test_patience_ends() -> None:
    buffer, clock = waiting()
    buffer.patience_s = 0.3
    assert fed(buffer, packet(3, 180, b"b", marker=True)) == []
    clock.now += 0.5
    buffer.expire()
    assert (buffer.given_up, buffer.wants_key_frame) == (1, True)


def test_a_hole_is_waited_for_and_then_everything_up_to_the_next_key_frame_is_left_out() -> None:
    buffer, clock = waiting()
    assert fed(buffer, packet(2, 180, b"a", marker=True), packet(3, 270, b"b")) != []
    clock.now += 0.010
    # 4 ends the frame at 270 and never comes; all frames after it are predicted from that one.
    assert fed(buffer, packet(5, 360, b"c", marker=True)) == []
    assert buffer.give_up_at == pytest.approx(clock.now + 0.2)
    clock.now += 0.199
    buffer.expire()
    assert not buffer.wants_key_frame and buffer.given_up == 0
    clock.now += 0.002
    buffer.expire()
    assert buffer.wants_key_frame and buffer.given_up == 1
    assert buffer.give_up_at is None
    late_and_predicted = [packet(4, 270, b"x", marker=True), packet(6, 450, b"d", marker=True)]
    assert fed(buffer, *late_and_predicted) == []
    assert fed(buffer, packet(7, 540, b"K"), packet(8, 540, b"e", marker=True)) == [(b"Ke", 540)]
    assert not buffer.wants_key_frame
    assert fed(buffer, packet(9, 630, b"f", marker=True)) == [(b"f", 630)]


def test_a_key_frame_behind_the_hole_is_gone_on_with_at_once() -> None:
    buffer, clock = waiting()
    behind = [packet(3, 270, b"a", marker=True), packet(4, 360, b"K", marker=True)]
    assert fed(buffer, *behind, packet(5, 450, b"b", marker=True)) == []
    clock.now += 0.2
    buffer.expire()
    assert [frame.data for frame in buffer.take()] == [b"K", b"b"]
    assert not buffer.wants_key_frame


def test_every_hole_is_waited_for_from_when_it_was_noticed() -> None:
    buffer, clock = waiting()
    first = clock.now
    assert fed(buffer, packet(3, 180, b"b", marker=True)) == []  # 2 is missing
    clock.now += 0.1
    second = clock.now
    assert fed(buffer, packet(5, 270, b"d", marker=True)) == []  # and 4
    clock.now += 0.05
    assert buffer.give_up_at == pytest.approx(first + 0.2)
    assert fed(buffer, packet(2, 180, b"a")) == [(b"ab", 180)]
    assert buffer.give_up_at == pytest.approx(second + 0.2)
    assert fed(buffer, packet(4, 270, b"c")) == [(b"cd", 270)]
    assert buffer.give_up_at is None


def test_the_key_frame_s_own_first_packet_may_come_last() -> None:
    buffer, clock = waiting()
    fed(buffer, packet(3, 270, b"a", marker=True))
    clock.now += 0.2
    buffer.expire()
    assert fed(buffer, packet(5, 360, b"b"), packet(6, 360, b"c", marker=True)) == []
    assert fed(buffer, packet(4, 360, b"K")) == [(b"Kbc", 360)]


def test_a_packet_that_may_begin_a_key_frame_does_so_only_as_the_first_of_its_frame() -> None:
    buffer, clock = waiting()
    fed(buffer, packet(3, 270, b"a", marker=True))
    clock.now += 0.2
    buffer.expire()
    # 5 is the second packet of a key frame whose first was lost, 8 the second of one that is whole;
    # 10 is the first of another one.
    assert fed(buffer, packet(5, 360, b"k"), packet(6, 360, b"b", marker=True)) == []
    assert fed(buffer, packet(7, 450, b"c"), packet(8, 450, b"k", marker=True)) == []
    assert fed(buffer, packet(10, 630, b"k", marker=True)) == []
    assert fed(buffer, packet(9, 540, b"c", marker=True)) == [(b"k", 630)]


def test_a_key_frame_whose_first_packet_comes_after_the_wait_is_used() -> None:
    buffer, clock = waiting()
    assert fed(buffer, packet(3, 180, b"a", marker=True)) == []
    clock.now += 0.3
    buffer.expire()
    assert buffer.wants_key_frame
    assert fed(buffer, packet(2, 180, b"K")) == [(b"Ka", 180)]


def test_a_packet_far_too_late_is_dropped_and_changes_nothing() -> None:
    buffer, _ = waiting()
    for number in range(2, 2002):
        fed(buffer, packet(number, 90 * number, b"x", marker=True))
    for late in (1, 500, 1800, 1999):  # aiortc empties its buffer at 100 behind
        assert fed(buffer, packet(late, 90 * late, b"K", marker=True)) == []
    assert not buffer.wants_key_frame
    assert fed(buffer, packet(2002, 270_000, b"y", marker=True)) == [(b"y", 270_000)]


@pytest.mark.parametrize("jump", [LARGEST_GAP + 2, 900, CAPACITY, 3000, 32_000])
def test_after_an_outage_a_key_frame_is_wanted_at_once(jump: int) -> None:
    buffer, _ = waiting()
    assert fed(buffer, packet(1 + jump, 99_000, b"a", marker=True)) == []
    assert buffer.wants_key_frame
    after = packet(2 + jump, 99_090, b"K", marker=True)
    assert fed(buffer, after) == [(b"K", 99_090)]


def test_an_outage_that_can_be_sent_again_is_waited_for() -> None:
    buffer, _ = waiting()
    end = 2 + LARGEST_GAP
    assert fed(buffer, packet(end, 90 * end, b"x", marker=True)) == []
    assert not buffer.wants_key_frame
    again = [packet(number, 90 * number, b"x", marker=True) for number in range(2, end)]
    assert len(fed(buffer, *again)) == LARGEST_GAP + 1


def test_a_stream_that_is_joined_in_the_middle_waits_for_a_key_frame() -> None:
    buffer = MarkerJitterBuffer(at_k, Clock())
    assert not buffer.wants_key_frame and buffer.oldest_wanted is None
    assert fed(buffer, packet(7, 90, b"a", marker=True)) == []
    assert buffer.wants_key_frame
    assert fed(buffer, packet(8, 180, b"K", marker=True)) == [(b"K", 180)]


def test_the_first_packets_may_come_in_any_order() -> None:
    buffer = MarkerJitterBuffer(at_k, Clock())
    assert fed(buffer, packet(1, 90, b"b"), packet(2, 90, b"c", marker=True)) == []
    assert fed(buffer, packet(0, 90, b"K")) == [(b"Kbc", 90)]


def test_skipping_leaves_out_what_is_held_and_goes_on_at_a_later_key_frame() -> None:
    buffer, _ = waiting()
    buffer.add(packet(2, 180, b"a", marker=True))
    buffer.add(packet(4, 360, b"K", marker=True))
    buffer.skip_to_key_frame()
    assert buffer.take() == [] and buffer.wants_key_frame
    assert fed(buffer, packet(5, 450, b"b", marker=True)) == []
    assert fed(buffer, packet(6, 540, b"K", marker=True)) == [(b"K", 540)]


def test_a_sender_that_never_sends_a_key_frame_does_not_fill_the_memory() -> None:
    buffer = MarkerJitterBuffer(at_k, Clock())
    for number in range(3 * CAPACITY):
        fed(buffer, packet(number, 90 * number, b"x", marker=True))
    assert len(buffer._held) <= CAPACITY
    assert buffer.oldest_wanted is not None and buffer.oldest_wanted > CAPACITY


def test_reordering_costs_nothing() -> None:
    """One packet in twenty comes a few packets late, over the end of the numbers."""
    rng = random.Random(6)
    clock = Clock()
    buffer = MarkerJitterBuffer(at_k, clock)
    sent = [packet(60_000, 0, b"K", marker=True)]
    sent += [
        packet(60_000 + n, 3000 * (n // 4), bytes([97 + n % 4]), marker=n % 4 == 3)
        for n in range(4, 10_000)
    ]
    for n in range(1, 4):
        sent.insert(n, packet(60_000 + n, 1, b"p", marker=n == 3))
    order = sorted(
        range(len(sent)), key=lambda n: n + (rng.randint(1, 6) + 0.5) * (rng.random() < 0.05)
    )
    frames = []
    for n in order:
        clock.now += 0.003
        frames += fed(buffer, sent[n])
        buffer.expire()
    assert [data for data, _ in frames] == [b"K", b"ppp"] + [b"abcd"] * 2499
    assert buffer.given_up == 0
