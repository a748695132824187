"""How full a process is, as the other processes of the same service have to know it.

What is scarce is the machine, and it is one for all of them: who may come in, and what may be done for whom, is
decided by what all take together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stream_retouch.service.load import IDLE, Load


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One process, or several together."""

    sessions: int = 0
    """Open now."""
    viewers: int = 0
    """Watching now, over all streams."""
    load: Load = IDLE
    saving: bool = False
    """Whether anything is left out for a session, see service/ladder.py."""


NOBODY = Occupancy()


def together(occupancies: Iterable[Occupancy]) -> Occupancy:
    """Several as one: what they take adds up; how late they are is how late the worst of them is."""
    several = list(occupancies)
    return Occupancy(
        sessions=sum(one.sessions for one in several),
        viewers=sum(one.viewers for one in several),
        load=Load(
            cores=sum(one.load.cores for one in several),
            engine=max((one.load.engine for one in several), default=0.0),
            lag_ms=max((one.load.lag_ms for one in several), default=0.0),
            late_share=max((one.load.late_share for one in several), default=0.0),
        ),
        saving=any(one.saving for one in several),
    )
