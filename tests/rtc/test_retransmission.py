"""Which packets are asked for, and when."""

from __future__ import annotations

import pytest
from aiortc.rtp import RTCP_RTPFB_NACK, RtcpRtpfbPacket, RtpPacket

from stream_retouch.rtc.retransmission import (
    FIRST_ROUND_TRIP_S,
    LONGEST_OVERTAKEN_S,
    MOST_TRIES,
    OVERTAKEN_S,
    SHORTEST_ROUND_TRIP_S,
    SLACK_S,
    Retransmission,
    RoundTrip,
)
from stream_retouch.rtc.sequence import LARGEST_GAP


class Stream:
    """Packets with a clock that stands still between them."""

    def __init__(self, reported: float | None = 0.05) -> None:
        self.now = 10.0
        self.round_trip = RoundTrip(lambda: reported)
        self.retransmission = Retransmission(self.round_trip, lambda: self.now)

    def come(self, *sequences: int) -> None:
        for sequence in sequences:
            packet = RtpPacket(sequence_number=sequence & 0xFFFF)
            assert not self.retransmission.add(packet)  # aiortc itself is to send nothing

    def run(self, until: float) -> list[tuple[float, list[int]]]:
        """(seconds from now, what is asked for) as the timer of the receiver has it."""
        asked, start = [], self.now
        while (at := self.retransmission.next_at) is not None and at <= start + until:
            self.now = max(self.now, at)
            if lost := self.retransmission.due():
                asked.append((round(self.now - start, 3), lost))
        self.now = start + until
        return asked


def test_nothing_is_asked_for_while_nothing_is_missing() -> None:
    stream = Stream()
    stream.come(65_534, 65_535, 0, 1)
    assert stream.retransmission.next_at is None and stream.retransmission.due() == []


def test_a_packet_that_was_overtaken_costs_nothing() -> None:
    stream = Stream()
    stream.come(1, 3)
    assert stream.run(OVERTAKEN_S / 2) == []
    stream.come(2)
    assert stream.run(1) == []
    assert (stream.retransmission.gaps, stream.retransmission.lost) == (0, 0)


def test_a_missing_packet_is_asked_for_again_after_every_round_trip() -> None:
    stream = Stream(reported=0.05)
    stream.come(1, 4)
    again = 0.05 + SLACK_S
    times = [OVERTAKEN_S + again * n for n in range(3)]
    assert stream.run(0.14) == [(round(at, 3), [2, 3]) for at in times]
    stream.come(2)
    assert stream.run(0.06) == [(pytest.approx(OVERTAKEN_S + 3 * again - 0.14), [3])]
    stream.come(3)
    assert stream.run(5) == []
    assert (stream.retransmission.gaps, stream.retransmission.lost) == (1, 2)


def test_it_is_given_up_after_ten_times() -> None:
    stream = Stream()
    stream.come(1, 3)
    assert len(stream.run(60)) == MOST_TRIES == 10
    assert stream.retransmission.next_at is None


def test_packets_that_nobody_waits_for_are_not_asked_for() -> None:
    stream = Stream()
    stream.come(65_534, 3)
    stream.retransmission.forget_before(0)
    assert stream.run(OVERTAKEN_S) == [(OVERTAKEN_S, [0, 1, 2])]


def test_a_request_over_the_wrap_can_be_packed() -> None:
    stream = Stream()
    stream.come(65_533, 3)
    ((_, lost),) = stream.run(OVERTAKEN_S)
    packet = RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc=1, media_ssrc=2, lost=lost)
    parsed = RtcpRtpfbPacket.parse(bytes(packet)[4:], RTCP_RTPFB_NACK)
    assert parsed.lost == [0, 1, 2, 65_534, 65_535]


@pytest.mark.parametrize(("missing", "asked"), [(LARGEST_GAP, LARGEST_GAP), (LARGEST_GAP + 1, 0)])
def test_a_gap_too_large_to_be_sent_again_is_not_asked_for(missing: int, asked: int) -> None:
    stream = Stream()
    stream.come(1, 2 + missing)
    assert sum(len(lost) for _, lost in stream.run(OVERTAKEN_S)) == asked
    assert stream.retransmission.lost == missing


def test_many_small_gaps_do_not_pile_up() -> None:
    stream = Stream()
    stream.come(*range(0, 20_000, 2))
    ((_, lost),) = stream.run(OVERTAKEN_S)
    assert len(lost) <= 500


def test_the_round_trip_is_the_time_from_the_first_request_to_the_packet() -> None:
    stream = Stream(reported=None)
    assert stream.round_trip.seconds == FIRST_ROUND_TRIP_S
    stream.come(1, 3)
    stream.run(OVERTAKEN_S + 0.04)
    stream.come(2)
    assert stream.round_trip.seconds == pytest.approx(0.04)
    for n in range(80):  # it grows to 200 ms: each is asked for several times before it comes
        stream.come(10 + 2 * n)
        stream.run(OVERTAKEN_S + 0.2)
        stream.come(9 + 2 * n)
    assert stream.round_trip.seconds == pytest.approx(0.2, abs=0.01)


def test_answers_that_are_lost_do_not_make_the_round_trip_longer() -> None:
    stream = Stream(reported=0.05)
    for n in range(10):
        stream.come(10 + 2 * n)
        stream.run(OVERTAKEN_S + 0.05)
        stream.run(SLACK_S + 0.05)  # the first answer is lost, the second comes
        stream.come(9 + 2 * n)
    assert stream.round_trip.seconds < 0.07
    for n in range(20):
        stream.come(100 + 2 * n)
        stream.run(OVERTAKEN_S + 0.05)
        stream.come(99 + 2 * n)
    assert stream.round_trip.seconds == pytest.approx(0.05, abs=0.005)


def test_an_answer_just_after_the_second_request_is_one_to_the_first() -> None:
    stream = Stream(reported=0.05)
    for n in range(40):  # the round trip is 75 ms, the second request leaves after 60
        stream.come(10 + 2 * n)
        stream.run(OVERTAKEN_S + 0.075)
        stream.come(9 + 2 * n)
    assert stream.round_trip.seconds == pytest.approx(0.075, abs=0.002)


def test_with_rtx_a_late_original_says_nothing_about_the_round_trip() -> None:
    stream = Stream(reported=0.05)
    stream.come(1, 3)
    stream.run(OVERTAKEN_S + 0.001)
    stream.retransmission.measuring = False
    stream.come(2)
    assert stream.round_trip.seconds == 0.05


def test_where_packets_are_often_overtaken_the_first_request_waits_longer() -> None:
    stream = Stream()
    stream.retransmission.measuring = False
    asked = 0
    for n in range(100):
        stream.come(2 * n + 10)
        asked += len(stream.run(OVERTAKEN_S + 0.010))
        stream.come(2 * n + 9)
    assert asked == 1
    stream.come(300)
    ((late, lost),) = stream.run(LONGEST_OVERTAKEN_S)
    assert len(lost) > 80 and late > 0.015


def test_the_round_trip_is_never_so_short_that_requests_flood() -> None:
    stream = Stream(reported=0.0001)
    assert stream.round_trip.seconds == SHORTEST_ROUND_TRIP_S
    stream.come(1, 3)
    assert len(stream.run(0.1)) == 4


def test_a_stream_that_starts_over_misses_nothing_of_the_old() -> None:
    stream = Stream()
    stream.come(1, 3)
    stream.retransmission.clear()
    stream.come(40_000, 40_001)
    assert stream.run(1) == []
