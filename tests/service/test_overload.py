"""The watch over the load: everybody on time, nobody to and fro, and the door."""

from __future__ import annotations

import pytest

from tests.service.simulated_machine import SimulatedMachine, SimulatedSession


def crowd(cores: float, sessions: int, each: float) -> SimulatedMachine:
    """A machine that took in more than it can do, as when all turn out dear at once."""
    machine = SimulatedMachine(cores)
    for _ in range(sessions):
        one = machine.come(0.0)
        while isinstance(one, str):
            machine.run(0.5)
            one = machine.come(0.0)
        machine.run(10)
    for session in machine.sessions.values():
        session.cores = each
    return machine


def rungs(machine: SimulatedMachine) -> list[int]:
    return [session.rung.number for session in machine.sessions.values()]


@pytest.mark.parametrize("each", [0.5, 0.7, 0.85])
def test_sessions_that_come_a_few_seconds_apart_are_as_many_as_fit(each: float) -> None:
    machine = SimulatedMachine(2.0)
    refusals: list[str] = []
    for _ in range(8):
        one = machine.come(each)
        refusals += [one] if isinstance(one, str) else []
        machine.run(3)
    machine.run(60)
    assert len(machine.sessions) == int(1.8 / max(each, 0.6))
    assert len(refusals) == 8 - len(machine.sessions)
    assert rungs(machine) == [0] * len(machine.sessions)
    assert not any(session.rungs for session in machine.sessions.values())


def test_a_machine_that_is_full_is_open_again_when_one_has_left() -> None:
    machine = SimulatedMachine(2.0)
    first, second = machine.come(0.8), machine.come(0.8)
    machine.run(10)
    assert isinstance(first, SimulatedSession) and isinstance(second, SimulatedSession)
    assert isinstance(machine.come(0.8), str)
    machine.leave(first)
    machine.run(0.5)
    assert isinstance(machine.come(0.8), SimulatedSession)


@pytest.mark.parametrize(("sessions", "each"), [(3, 0.8), (4, 0.8), (3, 1.5), (6, 0.9)])
def test_overload_is_over_within_seconds_and_nobody_goes_to_and_fro(
    sessions: int, each: float
) -> None:
    machine = crowd(2.0, sessions, each)
    machine.run(10)
    assert machine.demand() <= 1.05
    settled = machine.now
    machine.run(1800)
    assert machine.demand() <= 1.05
    for session in machine.sessions.values():
        after = [number for at, number in session.rungs if at > settled]
        assert len(after) <= 3
    assert max(rungs(machine)) - min(rungs(machine)) <= 1


def test_while_anybody_goes_without_nobody_is_taken_in() -> None:
    machine = crowd(2.0, 3, 0.9)
    machine.run(5)
    assert min(rungs(machine)) >= 1
    assert "does less for each of them already" in str(machine.come(0.1))


def test_once_the_others_are_gone_everybody_gets_everything_back_one_at_a_time() -> None:
    machine = crowd(2.0, 2, 0.6)
    machine.others = 2.0
    machine.run(20)
    assert min(rungs(machine)) >= 2
    machine.others = 0.0
    freed = machine.now
    machine.run(120)
    assert rungs(machine) == [0, 0]
    down = sorted(at for s in machine.sessions.values() for at, _ in s.rungs if at > freed)
    assert min(b - a for a, b in zip(down, down[1:], strict=False)) >= 4.0
    assert down[0] - freed >= 4.0


def test_a_lagging_loop_presses_everybody_though_no_frame_was_late_yet() -> None:
    machine = crowd(4.0, 2, 0.5)
    machine.lag_ms = 40.0
    machine.run(5)
    assert min(rungs(machine)) >= 1
    machine.lag_ms = 0.0
    machine.run(120)
    assert rungs(machine) == [0, 0]


def test_a_lag_that_lasts_a_moment_changes_nothing() -> None:
    machine = crowd(4.0, 2, 0.5)
    machine.lag_ms = 100.0
    machine.run(0.5)
    machine.lag_ms = 0.0
    machine.run(10)
    assert not any(session.rungs for session in machine.sessions.values())


def test_the_metrics_tell_how_many_are_on_which_rung() -> None:
    machine = crowd(2.0, 3, 0.8)
    machine.run(10)
    name = "stream_retouch_overload_sessions"
    found = [
        machine.metrics.registry.get_sample_value(name, {"rung": str(number)})
        for number in range(5)
    ]
    assert found == [rungs(machine).count(number) for number in range(5)] and sum(found) == 3
