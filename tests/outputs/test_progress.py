"""The progress bar: one line that is redrawn on a terminal, a few lines in a log."""

from __future__ import annotations

import io

import pytest

from stream_retouch.outputs.progress import Progress, clock_text


class Console(io.StringIO):
    """Text that believes to be a terminal, or not."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class Clock:
    """Moves when it is told to."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_terminal_shows_one_line_with_share_speed_and_time_left() -> None:
    console, clock = Console(True), Clock()
    bar = Progress(console, clock)
    for frame in range(1, 101):
        clock.now_s += 0.2
        bar.update(frame, frame / 200)
    lines = console.getvalue().split("\r")
    assert "\n" not in console.getvalue()
    assert lines[-1].rstrip() == "[============            ]  50 %  100 frames  5.0 fps  0:20 left"


def test_a_terminal_is_redrawn_ten_times_a_second_at_most() -> None:
    console, clock = Console(True), Clock()
    bar = Progress(console, clock)
    for frame in range(1000):
        clock.now_s += 0.001
        bar.update(frame, frame / 1000)
    assert 9 <= console.getvalue().count("\r") <= 11


def test_closing_clears_the_line_and_may_be_done_twice() -> None:
    console, clock = Console(True), Clock()
    bar = Progress(console, clock)
    bar.update(1, 0.5)
    drawn = console.getvalue()
    bar.close()
    bar.close()
    assert console.getvalue() == drawn + "\r" + " " * (len(drawn) - 1) + "\r"


def test_a_log_gets_a_line_every_tenth() -> None:
    console, clock = Console(False), Clock()
    bar = Progress(console, clock)
    for frame in range(1, 101):
        clock.now_s += 1
        bar.update(frame, frame / 100)
    lines = console.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[-1] == "[========================] 100 %  100 frames  1.0 fps  0:00 left"


def test_an_unknown_length_shows_frames_and_speed() -> None:
    console, clock = Console(False), Clock()
    bar = Progress(console, clock)
    for frame in range(1, 1001):
        clock.now_s += 0.1
        bar.update(frame, None)
    assert console.getvalue() == "500 frames  10.0 fps\n1000 frames  10.0 fps\n"


@pytest.mark.parametrize("seconds, text", [(0.4, "0:00"), (65, "1:05"), (3725, "1:02:05")])
def test_time_left_is_read_as_a_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
