"""Frames that waited together leave apart."""

from __future__ import annotations

import pytest

from stream_retouch.rtc.catch_up import APART_S, MOST_WAITING, CatchUp
from stream_retouch.rtc.jitter_buffer import EncodedFrame


def frames(*names: int) -> list[EncodedFrame]:
    return [EncodedFrame(b"x", name, 97, 1) for name in names]


def leaving(catch_up: CatchUp, complete: list[EncodedFrame], now: float) -> list[int]:
    return [frame.timestamp for frame in catch_up.leaving(complete, now)]


def test_a_frame_that_comes_alone_never_waits() -> None:
    catch_up = CatchUp()
    for n in range(100):  # however fast the camera is
        assert leaving(catch_up, frames(n), 0.002 * n) == [n]
    assert catch_up.next_at is None


def test_frames_that_come_together_leave_one_after_the_other() -> None:
    catch_up = CatchUp()
    assert leaving(catch_up, frames(1, 2, 3), 5.0) == [1]
    assert catch_up.next_at == pytest.approx(5.0 + APART_S)
    assert leaving(catch_up, [], 5.0 + APART_S / 2) == []
    assert leaving(catch_up, [], 5.0 + APART_S) == [2]
    assert leaving(catch_up, frames(4), 5.0 + 1.5 * APART_S) == []  # behind the one that waits
    assert leaving(catch_up, [], 5.0 + 2 * APART_S) == [3]
    assert leaving(catch_up, [], 5.0 + 3 * APART_S) == [4]
    assert catch_up.next_at is None


def test_after_an_outage_all_but_the_last_leave_at_once() -> None:
    catch_up = CatchUp()
    assert leaving(catch_up, frames(*range(10)), 5.0) == list(range(10 - MOST_WAITING))
    catch_up.clear()
    assert leaving(catch_up, [], 6.0) == [] and catch_up.next_at is None
