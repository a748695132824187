"""Packets are kept for two seconds, whatever the rate, and not sent again too often."""

from __future__ import annotations

from aiortc.rtp import RtpPacket

from stream_retouch.rtc.history import KEEP_S, LEAST_BYTES, LEAST_PAUSE_S, SentPackets


def packet(number: int, size: int = 1200) -> RtpPacket:
    return RtpPacket(sequence_number=number % 65_536, payload=bytes(size))


def filled(rate_bps: int, seconds: float, most_bps: int) -> tuple[SentPackets, int, float]:
    """A history after a stream of that rate, its next sequence number, and the time."""
    history, number, step = SentPackets(most_bps), 65_000, 1200 * 8 / rate_bps
    for n in range(int(seconds / step)):
        history.add(packet(number), n * step)
        number += 1
    return history, number, seconds


def test_a_second_of_packets_is_there_at_any_rate() -> None:
    for rate in (300_000, 3_000_000, 30_000_000):
        history, number, now = filled(rate, 3.0, most_bps=rate)
        second = rate // 8 // 1200
        for back in (1, second // 2, second):
            again = history.again((number - back) % 65_536, now, 0.05)
            assert again is not None and again.packet.sequence_number == (number - back) % 65_536
        assert history.again((number - 3 * second) % 65_536, now, 0.05) is None


def test_what_is_kept_is_bounded_in_time_and_in_bytes() -> None:
    history, number, now = filled(3_000_000, 5.0, most_bps=3_000_000)
    packets, size = history.size
    assert packets <= KEEP_S * 3_000_000 / 8 / 1200 + 1
    for n in range(10_000):  # far above what the stream may send
        history.add(packet(number + n), now)
    packets, size = history.size
    assert size <= LEAST_BYTES and size == packets * 1200


def test_an_old_packet_is_not_given_out_although_none_came_after_it() -> None:
    history = SentPackets(3_000_000)
    history.add(packet(1), 0.0)
    assert history.again(1, KEEP_S + 0.1, 0.05) is None
    assert (history.resent, history.gone) == (0, 1)


def test_a_number_that_comes_again_is_the_new_packet() -> None:
    history = SentPackets(3_000_000)
    history.add(packet(7, size=10), 0.0)
    history.add(packet(7, size=20), 1.0)
    again = history.again(7, 1.0, None)
    assert again is not None and len(again.packet.payload) == 20
    assert history.size == (1, 20)


def test_a_packet_is_not_sent_again_before_the_receiver_can_have_it() -> None:
    history = SentPackets(3_000_000)
    history.add(packet(1), 0.0)
    times = [0.1, 0.12, 0.149, 0.151, 0.2, 0.202]
    given = [history.again(1, now, 0.1) is not None for now in times]
    assert given == [True, False, False, True, False, True]
    assert (history.resent, history.refused) == (3, 3)


def test_on_a_short_path_there_is_still_a_pause() -> None:
    history = SentPackets(3_000_000)
    history.add(packet(1), 0.0)
    assert history.again(1, 0.1, 0.0001) is not None
    assert history.again(1, 0.1 + LEAST_PAUSE_S / 2, 0.0001) is None
    assert history.again(1, 0.1 + LEAST_PAUSE_S * 1.01, 0.0001) is not None


def test_while_the_round_trip_is_not_known_20_ms_are_waited() -> None:
    history = SentPackets(3_000_000)
    history.add(packet(1), 0.0)
    given = [history.again(1, now, None) is not None for now in (0.1, 0.119, 0.121)]
    assert given == [True, False, True]


def test_a_receiver_that_asks_for_everything_all_the_time_gets_the_streams_rate_at_most() -> None:
    history, number, now = filled(3_000_000, 2.0, most_bps=3_000_000)
    bits = 0
    for millisecond in range(2000):
        for back in range(1, 300, 7):
            again = history.again(
                (number - back - millisecond) % 65_536, now + millisecond / 1e3, 0.0
            )
            bits += 8 * len(again.packet.payload) if again is not None else 0
    assert 3_000_000 < bits <= 3_000_000 * 3  # a second in advance, and two seconds
