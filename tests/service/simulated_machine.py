"""A machine of so many cores with sessions on it, in simulated time: what they ask for beyond that
makes their frames late."""

from __future__ import annotations

from collections.abc import Callable

from stream_retouch.metrics import Metrics
from stream_retouch.service.ladder import FRESH, Rung
from stream_retouch.service.load import Effort, EngineUse
from stream_retouch.service.overload import LOOK_S, Overload

FPS = 30.0


class SimulatedSession:
    """A stream that takes `cores` on rung 0."""

    def __init__(self, machine: SimulatedMachine, cores: float) -> None:
        self._machine, self.cores = machine, cores
        self.rung = FRESH
        self.rungs: list[tuple[float, int]] = []
        """When it went where."""
        self.frames = self.busy_s = self.late = 0.0

    def effort(self) -> Effort:
        return Effort(int(self.frames), self.busy_s, int(self.frames), int(self.late))

    def go_to(self, rung: Rung) -> None:
        self.rung = rung
        self.rungs.append((self._machine.now, rung.number))


class SimulatedMachine:
    """Time goes on in `run` only."""

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self.now = self.cpu_s = 0.0
        self.others = 0.0
        """Cores that other programs take."""
        self.sessions: dict[str, SimulatedSession] = {}
        self.lag_ms = 0.0
        self.metrics = Metrics()
        self.overload = Overload(
            self.metrics,
            lambda: self.sessions,
            EngineUse,
            cores,
            clock=lambda: self.now,
            cpu=lambda: self.cpu_s,
        )
        self._count = 0

    def come(self, cores: float) -> SimulatedSession | str:
        """One more session, or why it is refused."""
        refusal = self.overload.refusal()
        if refusal is not None:
            return refusal
        self._count += 1
        session = self.sessions[str(self._count)] = SimulatedSession(self, cores)
        return session

    def leave(self, session: SimulatedSession) -> None:
        """It has ended."""
        self.sessions = {k: s for k, s in self.sessions.items() if s is not session}

    def demand(self) -> float:
        """What is asked of the machine, of what there is."""
        asked = sum(s.cores * s.rung.cost for s in self.sessions.values())
        return (asked + self.others) / self.cores

    def run(self, seconds: float, at_every_look: Callable[[], None] = lambda: None) -> None:
        """Lets time pass, and the service look as often as it does."""
        for _ in range(round(seconds / LOOK_S)):
            demand = self.demand()
            late_share = min(1.0, max(0.0, (demand - 0.95) * 4))
            slower = max(1.0, demand)
            self.now += LOOK_S
            for session in self.sessions.values():
                frames = FPS * LOOK_S
                session.frames += frames
                session.late += frames * late_share
                cores = session.cores * session.rung.cost
                session.busy_s += 0.3 * cores * slower * LOOK_S
                self.cpu_s += cores / slower * LOOK_S
            self.overload.look(self.lag_ms)
            at_every_look()
