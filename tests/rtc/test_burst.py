"""Frames are left out only while more was sent than the rate allows, and never many in a row."""

from __future__ import annotations

from stream_retouch.rtc.burst import ALLOWED_S, MOST_IN_A_ROW, Burst

RATE = 1_000_000
FRAME = RATE // 8 // 30
"""Bytes of a frame at 30 frames a second."""


def frames_sent(sizes: list[int], rates_bps: list[int]) -> list[bool]:
    """Which frames of a camera at 30 frames a second go out."""
    burst, out = Burst(), []
    for i, (size, rate_bps) in enumerate(zip(sizes, rates_bps, strict=True)):
        out.append(not burst.leaves_out(i / 30, rate_bps))
        if out[-1]:
            burst.sent(size)
    return out


def test_frames_of_the_rate_all_go_out() -> None:
    assert all(frames_sent([FRAME] * 300, [RATE] * 300))


def test_a_key_frame_within_the_buffer_leaves_nothing_out() -> None:
    sizes = [FRAME] * 60
    sizes[20] = int(0.9 * ALLOWED_S * RATE / 8)
    assert all(frames_sent(sizes, [RATE] * 60))


def test_frames_three_times_too_large_are_sent_one_in_three() -> None:
    out = frames_sent([3 * FRAME] * 300, [RATE] * 300)
    assert 0.32 < sum(out[60:]) / len(out[60:]) < 0.36


def test_a_rate_that_falls_to_a_third_is_made_up_for_within_two_seconds() -> None:
    rates = [3 * RATE] * 30 + [RATE] * 120
    out = frames_sent([3 * FRAME] * 30 + [FRAME] * 120, rates)
    assert all(out[:30]) and sum(out[30:60]) < 15 and all(out[90:])


def test_a_rate_that_falls_for_loss_alone_leaves_nothing_out() -> None:
    burst, out = Burst(), []
    for i in range(120):
        rate = 3 * RATE if i < 30 else RATE
        out.append(burst.leaves_out(i / 30, rate, line_bps=3 * RATE))
        burst.sent(rate // 8 // 30)
    assert not any(out)


def test_a_line_that_gets_narrower_is_not_counted_twice() -> None:
    burst = Burst()
    burst.leaves_out(0.0, 3 * RATE, line_bps=3 * RATE)
    assert burst.leaves_out(0.1, RATE, line_bps=RATE)
    owed_s = 0.5 * 2 - ALLOWED_S  # of the new rate
    assert not burst.leaves_out(0.1 + owed_s + 0.01, RATE, line_bps=RATE)


def test_a_line_narrower_than_the_least_rate_does_not_count_again_and_again() -> None:
    burst, out = Burst(), []
    for i in range(90):
        out.append(burst.leaves_out(i / 30, RATE, line_bps=RATE / 4))
        burst.sent(FRAME)
    assert not any(out)


def test_a_rate_that_sways_a_little_leaves_nothing_out() -> None:
    rates = [RATE if i % 30 < 15 else int(0.85 * RATE) for i in range(300)]
    assert all(frames_sent([rate // 8 // 30 for rate in rates], rates))


def test_never_more_than_two_frames_in_a_row_are_left_out() -> None:
    out = frames_sent([40 * FRAME] * 300, [RATE] * 300)
    longest = max(len(run) for run in "".join("1" if sent else "0" for sent in out).split("1"))
    assert longest == MOST_IN_A_ROW


def test_a_clock_that_stands_forgives_nothing() -> None:
    burst = Burst()
    assert not burst.leaves_out(5.0, RATE)
    burst.sent(RATE)
    assert burst.leaves_out(5.0, RATE) and burst.leaves_out(4.0, RATE)
    assert not burst.leaves_out(20.0, RATE)
