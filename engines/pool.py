"""One engine for each core, and one that has them all for whoever is alone.

On a CPU a batch takes as long as its crops one by one, so two users are best served side by side, each on a core. A
lone user would then wait for one core while the other idles. So whoever has been alone for a while gets an engine of
`LONE_THREADS` threads: the picture leaves about 2 ms earlier on two cores, for about a third more processor time a call
(6.5 to 4.8 ms for one crop, measured on a Xeon with AMX). What that costs beyond one core is given back as soon as
another one calls, so it is told apart (`haste_s`), and does not keep the other one out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import Conditioning, EditLayer, RetouchEngine
from stream_retouch.errors import EngineError

CLOSED = "the engine is closed; load it again"
LONE_S = 1.0
"""Who has been the only caller for so long is alone."""
LONE_THREADS = 2
"""Threads of a lone user's call; more were not measured."""
_GAIN = 0.1
"""Share of a new measurement in what a crop takes."""


@runtime_checkable
class Copyable(Protocol):
    """An engine of which there can be several that run side by side."""

    cores_per_call: int

    def another(self, threads: int | None = None) -> Self:
        """One more of the same, whose calls use so many threads; None for as many as this one's."""
        ...


class EnginePool:
    """Implements `stream_retouch.engine.RetouchEngine` with several engines, and `stream_retouch.engine.Hasty`. Any
    thread."""

    def __init__(
        self,
        engines: Sequence[RetouchEngine],
        wide: RetouchEngine | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """All are free for this pool alone.

        Args:
            engines: alike.
            wide: the same on more cores, for whoever is alone; None: there is none.
        """
        self.name, self.crop_size = engines[0].name, engines[0].crop_size
        self.calls_at_once = len(engines)
        self.crops_at_once = engines[0].crops_at_once
        self.cores_per_call = engines[0].cores_per_call
        self._engines, self._wide, self._clock = tuple(engines), wide, clock
        self._changed = threading.Condition()
        # All below is guarded by _changed. The one that ran last is taken first: its weights are in the cache.
        self._free = list(engines)
        self._wide_is_free = True
        self._caller, self._alone_since_s = 0, clock()
        self._crop_s: float | None = None  # what one takes on one of `engines`
        self._haste_s = 0.0
        self._closed = False

    @property
    def haste_s(self) -> float:
        """See `Hasty.haste_s`."""
        with self._changed:
            return self._haste_s

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`; waits while all engines are taken.

        Raises:
            EngineError: as the engines do.
        """
        engine = self._taken(threading.get_ident())
        began_s = self._clock()
        try:
            return engine.retouch(crops, requests, conditionings)
        finally:
            self._give_back(engine, self._clock() - began_s, len(crops))

    def close(self) -> None:
        """Frees all engines. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for engine in self._engines:
            engine.close()
        if self._wide is not None:
            self._wide.close()

    def _taken(self, caller: int) -> RetouchEngine:
        """An engine for this one call."""
        with self._changed:
            if caller != self._caller:
                self._caller, self._alone_since_s = caller, self._clock()
            alone = self._clock() - self._alone_since_s >= LONE_S
            if alone and self._wide is not None and self._wide_is_free and not self._closed:
                self._wide_is_free = False
                return self._wide
            self._changed.wait_for(lambda: self._free or self._closed)
            if self._closed:
                raise EngineError(CLOSED)
            return self._free.pop()

    def _give_back(self, engine: RetouchEngine, took_s: float, crops: int) -> None:
        with self._changed:
            if engine is self._wide:
                self._wide_is_free = True
                usual_s = crops * (self._crop_s or 0.0)
                # no call costs more than all its threads, nor hurries by more than one core's work on each of them
                beyond_s = min(LONE_THREADS * took_s - usual_s, (LONE_THREADS - 1) * usual_s)
                self._haste_s += max(beyond_s, 0.0)
                return
            a_crop_s = took_s / max(crops, 1)
            known_s = a_crop_s if self._crop_s is None else self._crop_s
            self._crop_s = known_s + (a_crop_s - known_s) * _GAIN
            self._free.append(engine)
            self._changed.notify()
