"""Keeps every picture on time: twice a second it looks at the load, and moves the sessions on their
ladders; and it says whether one more session fits.

    counters ─ LoadMeter ─┬ strain of a session ─ its Ladder, up
                          └ load of the machine ─┬ one Ladder at a time, down
                                                 └ Admission
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from stream_retouch.metrics import Metrics
from stream_retouch.rtc.loop_lag import loop_lag
from stream_retouch.service.admission import Admission
from stream_retouch.service.ladder import GRACE_S, RUNGS, Ladder, Rung
from stream_retouch.service.load import (
    IDLE,
    MACHINE_S,
    Effort,
    EngineUse,
    Load,
    LoadMeter,
    Strain,
)
from stream_retouch.service.occupancy import NOBODY, Occupancy

LOOK_S = 0.5
LEARN_AFTER_S = 6.0
"""A session teaches what a stream costs once it is so old: connecting and the first words are
behind it, and the load is that of all there are."""
FLOWING_FPS = 5.0
"""A session with fewer frames a second has no video that could teach anything."""
BETWEEN_S = MACHINE_S
"""Between two steps down of any sessions: what the first has cost must be seen in the load."""

LATE_SHARE, CALM_LATE_SHARE = 0.25, 0.05
"""Share of late frames of one second from which a session is pressed, on rung 0 (see `Rung.bears`),
and up to which it is calm."""
BUSY, CALM_BUSY = 0.9, 0.7
"""The same for the share of the time that its frame thread works."""
LAG_MS, CALM_LAG_MS = 20.0, 8.0
"""The same for the mean lag of the event loop."""


class Watched(Protocol):
    """What is needed of a session."""

    def effort(self) -> Effort:
        """Its counters."""
        ...

    def go_to(self, rung: Rung) -> None:
        """Does as much for each frame from now on."""
        ...


class Overload:
    """Runs from `start` to `close`. Event loop only.

    Args:
        sessions: those that are open, by their ids.
        engine: its use so far.
        cores: that the service may use; infinite: nothing is measured, and nobody refused.
        clock: monotonic seconds.
        cpu: processor time of this process, seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        sessions: Callable[[], Mapping[str, Watched]],
        engine: Callable[[], EngineUse],
        cores: float,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._metrics, self._sessions, self._engine = metrics, sessions, engine
        self._clock, self._cpu, self._cores = clock, cpu, cores
        self._meter = LoadMeter()
        self._admission = Admission(cores)
        self._ladders: dict[str, tuple[Ladder, float]] = {}  # and when the session came
        self._stepped_down_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.load: Load = IDLE
        """Of this process in the last seconds."""
        self.elsewhere: Occupancy = NOBODY
        """The other processes of this service."""
        self.on_look: Callable[[], None] | None = None
        """Called after every look."""

    def start(self) -> None:
        """Begins on the running loop. Call once."""
        if math.isfinite(self._cores):
            self._task = asyncio.create_task(self._run(), name="overload")

    async def close(self) -> None:
        """Ends it. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refusal(self) -> str | None:
        """Why one more session is not taken in, a sentence with the remedy; None when it is."""
        return self._admission.refusal(
            len(self._sessions()), self.load, saving=self.is_saving, elsewhere=self.elsewhere
        )

    @property
    def is_saving(self) -> bool:
        """Whether anything is left out for a session of this process."""
        return any(ladder.rung.number for ladder, _ in self._ladders.values())

    def look(self, lag_ms: float) -> None:
        """One look around.

        Args:
            lag_ms: recent mean lag of the event loop.
        """
        now, sessions = self._clock(), self._sessions()
        self._ladders = {key: self._ladders.get(key) or (Ladder(now), now) for key in sessions}
        efforts = {key: session.effort() for key, session in sessions.items()}
        young = {key for key, (_, came) in self._ladders.items() if now - came < GRACE_S}
        self.load, strains = self._meter.note(
            now, self._cpu(), self._engine(), lag_ms, efforts, young
        )
        for key, session in sessions.items():
            ladder, _ = self._ladders[key]
            pressed = _pressed(strains[key], lag_ms, ladder.rung.bears)
            if ladder.update(now, pressed=pressed, calm=_calm(strains[key], lag_ms)):
                session.go_to(ladder.rung)
        if self.load is not IDLE:
            self._step_down(now, sessions)
            self._learn(now, strains)
        self._metrics.rungs(ladder.rung.number for ladder, _ in self._ladders.values())
        if self.on_look is not None:
            self.on_look()

    async def _run(self) -> None:
        lag = loop_lag()
        lag.start()
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self.look(lag.mean_ms)
        finally:
            lag.stop()

    def _step_down(self, now: float, sessions: Mapping[str, Watched]) -> None:
        """The session that has gone without the most comes down, if there is room for that."""
        if self._stepped_down_at is not None and now - self._stepped_down_at < BETWEEN_S:
            return
        ready = [(k, ladder) for k, (ladder, _) in self._ladders.items() if ladder.may_descend]
        if not ready:
            return
        key, ladder = max(ready, key=lambda pair: pair[1].rung.number)
        # What a stream takes when nothing is left out: by what they take now, if that is more.
        whole = self.load.cores / sum(other.rung.cost for other, _ in self._ladders.values())
        dearer = RUNGS[ladder.rung.number - 1].cost - ladder.rung.cost
        needed = dearer * max(whole, self._admission.cost)
        if self._admission.has_room(needed, self.load, self.elsewhere):
            ladder.descend(now)
            self._stepped_down_at = now
            sessions[key].go_to(ladder.rung)

    def _learn(self, now: float, strains: Mapping[str, Strain]) -> None:
        old = all(now - came >= LEARN_AFTER_S for _, came in self._ladders.values())
        fresh = all(ladder.rung.number == 0 for ladder, _ in self._ladders.values())
        flowing = all(strain.fps >= FLOWING_FPS for strain in strains.values())
        if strains and old and fresh and flowing:
            self._admission.learn(len(strains), self.load)


def _pressed(strain: Strain, lag_ms: float, bears: float) -> bool:
    return (
        strain.late_share >= bears * LATE_SHARE or strain.busy >= BUSY or lag_ms >= bears * LAG_MS
    )


def _calm(strain: Strain, lag_ms: float) -> bool:
    return (
        strain.late_share <= CALM_LATE_SHARE and strain.busy <= CALM_BUSY and lag_ms <= CALM_LAG_MS
    )
