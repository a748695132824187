"""Who may come in: as many as the machine carries by what it measures, and nobody who would spoil
the video of those who are here.

A fixed number of sessions is wrong on every machine but one. Here the cost of one more is the mean
of those that run, and it has to fit. The first is never refused: a slow machine serves one as well
as it can. Nothing here reads a clock.
"""

from __future__ import annotations

from stream_retouch.service.load import Load
from stream_retouch.service.occupancy import NOBODY, Occupancy

USUAL_CORES = 0.6
"""What a stream of 720p at 30 frames a second took when it was measured; until this machine has
measured its own."""
LEAST_CORES = 0.05
"""No stream is believed to cost less: even one that stands still may begin to move."""
FULL = 0.9
"""Share of the cores, and of the engine's time, that may be in use."""
ROOM = 0.8
"""The same after somebody was refused: what is full stays full until there is room for sure."""
LATE_SHARE = 0.10
"""Share of late frames from which nobody is taken in; half of it after somebody was refused."""
LAG_MS = 10.0
"""Mean lag of the event loop from which nobody is taken in, milliseconds; half of it likewise."""
_DEARER, _CHEAPER = 0.3, 0.02
"""Share of a new measurement in the cost, if it is higher, and if it is lower: a stream whose filter
is off now may switch it on."""


class Admission:
    """Learns what a stream costs, and says whether one more fits.

    Args:
        cores: that the service may use.
    """

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._cost: float | None = None
        self._engine_cost = 0.0
        self._full_with: int | None = None

    @property
    def cost(self) -> float:
        """What one stream takes, cores."""
        return USUAL_CORES if self._cost is None else self._cost

    def learn(self, streams: int, load: Load) -> None:
        """Takes the load of `streams` (at least 1) that have run for a while and leave nothing
        out."""
        cores = max(load.cores / streams, LEAST_CORES)
        self._cost = cores if self._cost is None else _learnt(self._cost, cores)
        self._engine_cost = _learnt(self._engine_cost, load.engine / streams)

    def has_room(self, cores: float, load: Load, elsewhere: Occupancy = NOBODY) -> bool:
        """Whether so much more would fit."""
        return load.cores + elsewhere.load.cores + cores <= FULL * self._cores

    def refusal(
        self, own: int, load: Load, *, saving: bool, elsewhere: Occupancy = NOBODY
    ) -> str | None:
        """Why one more is not taken in, a sentence with the remedy; None when it is.

        Args:
            own: sessions of this process that are open, however young.
            load: of this process in the last seconds.
            saving: whether anything is left out for one of them already.
            elsewhere: the other processes of this service.
        """
        running, beside = own + elsewhere.sessions, elsewhere.load
        if self._full_with is not None and running < self._full_with:
            self._full_with = None  # one has left: there is room for as many as there were
        if running == 0:
            return None
        was_full = self._full_with is not None
        share, strictness = (ROOM, 0.5) if was_full else (FULL, 1.0)
        # Young sessions do not show in the load yet, so they count with what a stream costs.
        cores = max(load.cores + beside.cores, running * self.cost) + self.cost
        engine = max(load.engine, own * self._engine_cost) + self._engine_cost
        late = (
            max(load.late_share, beside.late_share) > strictness * LATE_SHARE
            or max(load.lag_ms, beside.lag_ms) > strictness * LAG_MS
        )
        if saving or elsewhere.saving:
            why = "does less for each of them already"
        elif late:
            why = "their pictures are late already"
        elif cores > share * self._cores or engine > share:
            why = "they need all of it"
        else:
            self._full_with = None
            return None
        self._full_with = running
        streams = "1 stream" if running == 1 else f"{running} streams"
        return (
            f"this machine carries {streams} and {why}; try again when one has ended, or run the "
            "service on more cores"
        )


def _learnt(known: float, seen: float) -> float:
    return known + (seen - known) * (_DEARER if seen > known else _CHEAPER)
