"""What counts as a queue in the network, and what does not."""

from __future__ import annotations

import pytest

from stream_retouch.rtc.queue_delay import BASE_MS, MOMENTS, SILENCE_MS, QueueDelay

FRAME_MS = 33


class Path:
    """Frames of three packets each, over a path whose delay is told frame by frame."""

    def __init__(self, clock_offset_ms: int = 123_456_789) -> None:
        self.delay = QueueDelay()
        self._offset_ms = clock_offset_ms
        self._now_ms = 0

    def carry(self, frames: int, delay_ms: float, step_ms: float = 0.0, lag_ms: float = 0) -> None:
        for _ in range(frames):
            for packet in range(3):
                sent_ms = self._now_ms + self._offset_ms
                self.delay.add(
                    arrival_ms=round(self._now_ms + delay_ms + packet),
                    abs_send_time=int(sent_ms * (1 << 18) / 1000) & 0xFFFFFF,
                    lag_ms=lag_ms,
                )
            delay_ms += step_ms
            self._now_ms += FRAME_MS

    def pause(self, ms: int) -> None:
        self._now_ms += ms


def test_nothing_is_known_until_enough_has_come() -> None:
    path = Path()
    assert path.delay.queue_ms is None
    path.carry(MOMENTS - 1, 25)
    assert path.delay.queue_ms is None
    path.carry(1, 25)
    assert path.delay.queue_ms == pytest.approx(0, abs=2)


@pytest.mark.parametrize("offset_ms", [0, 123_456_789, -5_000_000])
def test_the_clocks_may_differ_and_the_send_time_wraps(offset_ms: int) -> None:
    path = Path(offset_ms)
    path.carry(2000, 25)  # 66 s; the extension wraps after 64
    assert path.delay.queue_ms == pytest.approx(0, abs=2)
    path.carry(10, 125)
    assert path.delay.queue_ms == pytest.approx(100, abs=3)


def test_a_queue_that_grows_is_seen_and_one_that_drains_too() -> None:
    path = Path()
    path.carry(60, 25)
    path.carry(30, 25, step_ms=5)
    grown = path.delay.queue_ms
    assert grown is not None and 100 < grown < 150
    path.carry(10, 25)
    assert path.delay.queue_ms == pytest.approx(0, abs=2)


def test_packets_read_late_are_no_queue() -> None:
    """The loop stood still for 150 ms: its packets are read in one go, the last of them in time."""
    path = Path()
    path.carry(60, 25)
    for late_ms in (150, 117, 84, 51):
        path.carry(1, 25 + late_ms)
        assert (path.delay.queue_ms or 0) < 2  # nothing, or nothing known


def test_after_a_pause_late_packets_prove_nothing_at_first() -> None:
    path = Path()
    path.carry(60, 25)
    path.pause(SILENCE_MS)
    path.carry(2, 300)
    assert path.delay.queue_ms is None


def test_a_loop_that_is_always_late_is_no_queue_when_its_lag_is_known() -> None:
    path = Path()
    path.carry(60, 25)
    path.carry(60, 25 + 80, lag_ms=80)
    assert path.delay.queue_ms == pytest.approx(0, abs=2)
    path.carry(60, 25 + 80)
    assert path.delay.queue_ms == pytest.approx(80, abs=2)


def test_another_route_is_taken_on_after_a_while_or_when_told() -> None:
    path = Path()
    path.carry(60, 25)
    path.carry(60, 125)
    assert path.delay.queue_ms == pytest.approx(100, abs=2)
    path.delay.accept()
    assert path.delay.queue_ms == pytest.approx(0, abs=2)
    path.carry(30, 225)
    path.carry(BASE_MS // FRAME_MS + 60, 225)
    assert path.delay.queue_ms == pytest.approx(0, abs=2)
