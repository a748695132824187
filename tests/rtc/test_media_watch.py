"""When a video counts as stalled, and how long its picture stood."""

from __future__ import annotations

import asyncio

import pytest

from stream_retouch.rtc.media_watch import STALLED_S, MediaWatch
from tests.rtc.simulated import simulate


async def film(watch: MediaWatch, frames: int, interval_s: float = 1 / 30) -> None:
    for _ in range(frames):
        await asyncio.sleep(interval_s)
        watch.frame()


def test_a_video_without_frames_is_stalled_until_one_comes() -> None:
    async def main() -> None:
        turns: list[bool] = []
        watch = MediaWatch(turns.append)
        watch.start()
        watch.start()
        await film(watch, 30)
        assert (watch.stalled, turns, watch.frozen_s) == (False, [], 0)
        await asyncio.sleep(STALLED_S - 0.1)
        assert not watch.stalled
        await asyncio.sleep(0.2)
        assert watch.stalled and turns == [True]
        await asyncio.sleep(20)
        assert turns == [True] and watch.stalls == 1  # told once
        assert watch.frozen_s == pytest.approx(STALLED_S + 20.1, abs=0.1)
        watch.frame()
        assert not watch.stalled and turns == [True, False]
        assert (watch.freezes, watch.frozen_s) == (1, pytest.approx(STALLED_S + 20.1, abs=0.1))
        await film(watch, 10)
        await asyncio.sleep(STALLED_S + 0.1)
        assert turns == [True, False, True] and watch.stalls == 2
        watch.stop()

    simulate(main)


def test_a_video_that_never_begins_is_stalled_too() -> None:
    async def main() -> None:
        watch = MediaWatch()
        watch.start()
        await asyncio.sleep(STALLED_S + 0.1)
        assert watch.stalled and watch.frozen_s == 0
        watch.stop()

    simulate(main)


def test_a_watch_that_was_stopped_says_nothing() -> None:
    async def main() -> None:
        watch = MediaWatch(lambda stalled: pytest.fail("it was stopped"))
        watch.start()
        watch.stop()
        watch.stop()
        await asyncio.sleep(60)
        assert not watch.stalled

    simulate(main)


@pytest.mark.parametrize(
    ("interval_s", "gap_s", "freezes"),
    [(1 / 30, 0.18, 0), (1 / 30, 0.20, 1), (0.1, 0.24, 0), (0.1, 0.35, 1), (1.0, 2.9, 0)],
)
def test_what_is_late_is_told_by_what_is_usual(
    interval_s: float, gap_s: float, freezes: int
) -> None:
    async def main() -> None:
        watch = MediaWatch()
        watch.start()
        await film(watch, 60, interval_s)
        await film(watch, 1, gap_s)
        await film(watch, 60, interval_s)
        assert watch.freezes == freezes
        assert watch.frozen_s == pytest.approx(gap_s * freezes)
        watch.stop()

    simulate(main)


def test_a_camera_that_has_become_slow_is_not_frozen_for_ever() -> None:
    async def main() -> None:
        watch = MediaWatch()
        watch.start()
        await film(watch, 60)
        await film(watch, 60, 1.0)
        assert watch.freezes < 20
        watch.stop()

    simulate(main)
