"""The overload ladder: quick up, slow down, never to and fro."""

from __future__ import annotations

import pytest

from stream_retouch.service.ladder import (
    CALM_S,
    FRESH,
    GRACE_S,
    MOST_CALM_S,
    OLDEST_S,
    PRESSED_S,
    RELAPSE_S,
    RUNGS,
    SETTLE_S,
    Ladder,
    Tempo,
)

STEP_S = 0.5


class Climber:
    """A ladder and its time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ladder = Ladder(self.now)
        self.last(GRACE_S)

    def last(self, seconds: float, *, pressed: bool = False, calm: bool = False) -> None:
        """So long it is like this."""
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self.ladder.update(self.now, pressed=pressed, calm=calm)

    def rise(self) -> float:
        """Presses until it steps up; how long that took."""
        began, number = self.now, self.number
        while self.number == number:
            assert self.now - began < 60
            self.last(STEP_S, pressed=True)
        return self.now - began

    def sink(self) -> float:
        """Keeps calm until it may step down, and does; how long that took."""
        began = self.now
        while not self.ladder.may_descend:
            assert self.now - began < 2 * MOST_CALM_S
            self.last(STEP_S, calm=True)
        self.ladder.descend(self.now)
        return self.now - began

    @property
    def number(self) -> int:
        return self.ladder.rung.number


def test_each_rung_does_less_than_the_one_before() -> None:
    assert [rung.number for rung in RUNGS] == list(range(len(RUNGS)))
    costs = [rung.cost for rung in RUNGS]
    assert costs == sorted(costs, reverse=True) and len(set(costs)) == len(costs)
    assert [rung.retouches for rung in RUNGS] == [True] * 4 + [False]
    assert len({rung.note for rung in RUNGS}) == len(RUNGS)


def test_late_frames_lead_up_within_two_seconds_and_in_the_end_to_pass_through() -> None:
    climber = Climber()
    assert climber.rise() == PRESSED_S
    assert all(climber.rise() <= SETTLE_S + PRESSED_S for _ in RUNGS[2:])
    assert not climber.ladder.rung.retouches
    climber.last(60, pressed=True)
    assert climber.ladder.rung is RUNGS[-1]


def test_a_hiccup_and_the_first_frames_of_a_session_change_nothing() -> None:
    climber = Climber()
    for _ in range(20):
        climber.last(STEP_S, pressed=True)
        climber.last(STEP_S, calm=True)
    assert climber.number == 0
    young = Ladder(0.0)
    assert not any(young.update(i / 10, pressed=True, calm=False) for i in range(int(GRACE_S * 10)))


def test_between_late_and_calm_nothing_changes_either_way() -> None:
    climber = Climber()
    climber.rise()
    climber.last(600)
    assert climber.number == 1 and not climber.ladder.may_descend


def test_it_goes_down_one_step_after_seconds_of_calm_without_a_break() -> None:
    climber = Climber()
    climber.rise()
    climber.rise()
    climber.last(CALM_S - STEP_S, calm=True)
    climber.last(STEP_S, pressed=True)
    assert climber.sink() == CALM_S
    assert climber.number == 1 and not climber.ladder.may_descend
    assert climber.sink() == CALM_S
    assert climber.ladder.rung is FRESH
    climber.last(60, calm=True)
    assert not climber.ladder.may_descend


def test_every_step_down_that_was_too_early_doubles_the_patience() -> None:
    climber = Climber()
    climber.rise()
    waits = []
    for _ in range(9):
        waits.append(climber.sink())
        climber.last(2, pressed=False)
        climber.rise()
    assert waits == [min(CALM_S * 2**i, MOST_CALM_S) for i in range(9)]


def test_a_step_down_that_holds_gives_the_trust_back() -> None:
    climber = Climber()
    climber.rise()
    climber.sink()
    climber.rise()
    assert climber.sink() == 2 * CALM_S
    climber.last(RELAPSE_S + STEP_S, calm=True)
    climber.rise()
    assert climber.sink() == CALM_S


def test_a_clock_that_stood_still_is_no_long_calm() -> None:
    climber = Climber()
    climber.rise()
    climber.now += 3600
    climber.last(STEP_S, calm=True)
    assert not climber.ladder.may_descend


# Tempo


@pytest.mark.parametrize(("number", "every"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_one_frame_of_so_many_asks_the_engine(number: int, every: int) -> None:
    tempo = Tempo()
    asked = [i for i in range(30) if tempo.asks(RUNGS[number], 1, i / 30)]
    assert asked == list(range(0, 30, every))


def test_a_new_look_is_asked_for_at_once() -> None:
    tempo = Tempo()
    versions = [1, 1, 1, 2, 2, 2, 2]
    asked = [i for i, v in enumerate(versions) if tempo.asks(RUNGS[2], v, i / 30)]
    assert asked == [0, 3, 6]


@pytest.mark.parametrize(("fps", "every"), [(30, 3), (24, 3), (20, 2), (15, 2), (10, 1), (5, 1)])
def test_no_edit_gets_old_however_slow_the_camera(fps: int, every: int) -> None:
    tempo = Tempo()
    asked = [i for i in range(2, 40) if tempo.asks(RUNGS[2], 1, i / fps)]
    assert {b - a for a, b in zip(asked[1:], asked[2:], strict=False)} == {every}
    assert every / fps <= OLDEST_S or every == 1


def test_time_that_steps_back_asks_again() -> None:
    tempo = Tempo()
    assert tempo.asks(RUNGS[2], 1, 50.0) and not tempo.asks(RUNGS[2], 1, 50.03)
    assert tempo.asks(RUNGS[2], 1, 0.0)
