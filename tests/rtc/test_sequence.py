"""Numbers that wrap, and streams that start over."""

from __future__ import annotations

import pytest

from stream_retouch.rtc.sequence import STALE_BEHIND, STALE_RUN, Continuity, unwrap


@pytest.mark.parametrize(
    ("sequence", "near", "number"),
    [
        (5, 5, 5),
        (0, 65_535, 65_536),
        (65_535, 65_536, 65_535),
        (65_535, 3, -1),
        (10, 7 * 65_536 + 20, 7 * 65_536 + 10),
        (32_767, 0, 32_767),
        (32_769, 0, -32_767),
    ],
)
def test_a_number_is_the_nearest_with_these_bits(sequence: int, near: int, number: int) -> None:
    assert unwrap(sequence, near) == number


def test_a_stream_goes_on_over_the_wrap_and_over_late_packets() -> None:
    continuity = Continuity()
    numbers = [*range(65_000, 65_536), *range(3000), 1500, 1001, 1002, 1003, 1004, 3000, 30_000]
    assert not any(continuity.starts_over(7, number) for number in numbers)


def test_another_source_starts_over() -> None:
    continuity = Continuity()
    assert [continuity.starts_over(ssrc, 9) for ssrc in (7, 7, 8, 8)] == [False, False, True, False]


def test_a_sender_that_counts_anew_is_followed_after_a_few_packets() -> None:
    continuity = Continuity()
    continuity.starts_over(7, 20_000)
    far = 20_000 - STALE_BEHIND - 100
    answers = [continuity.starts_over(7, far + n) for n in range(STALE_RUN + 2)]
    assert answers == [False] * (STALE_RUN - 1) + [True, False, False]
    assert not continuity.starts_over(7, far + 100)


def test_single_packets_from_long_ago_start_nothing() -> None:
    continuity = Continuity()
    continuity.starts_over(7, 20_000)
    assert not any(continuity.starts_over(7, 9000 + 3 * n) for n in range(50))
