"""How many users share one device.

On a CPU a batch takes as long as its crops one by one, so there is one engine for each core (`engines/pool.py`), and
two users are served side by side. On a GPU a batch of eight takes little longer than one crop, so one thread runs it
and takes all crops that are waiting (`Batcher`). It begins them while the batch before computes, where the engine can
do that (`Overlapping`): then copies, and Python between two batches, cost the GPU no time.

    lane of user 1 ─ retouch ─┐                                     ┌ the engine of core 1
    lane of user 2 ─ retouch ─┼ EnginePool: who comes first, is     ┼ the engine of core 2
    lane of user 3 ─ (turns) ─┘ served by the one that ran last     └

    lane of user 1 ─ retouch ─┐
    lane of user 2 ─ retouch ─┼ Batcher: one thread, all that wait in one call ─ the engine of the GPU
    lane of user 3 ─ retouch ─┘

Nobody waits for company: a lone call runs at once, and who comes meanwhile is in the next batch. Each user has one call
at a time, so the order of a user's frames is kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.pool import CLOSED, LONE_THREADS, Copyable, EnginePool
from stream_retouch.engine import Conditioning, EditLayer, RetouchEngine
from stream_retouch.errors import EngineBusy, EngineError

logger = logging.getLogger(__name__)

PATIENCE_S = 0.1
"""A call that a `Batcher` could not begin for so long is given up: its frame has left with the last edit."""

Finish = Callable[[], list[EditLayer]]
"""Waits for a batch that was begun, and gives its edit layers."""


@runtime_checkable
class Overlapping(Protocol):
    """An engine that can begin a batch while the one before computes. One thread at a time."""

    def begin(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> Finish:
        """Begins a batch, arguments as of `RetouchEngine.retouch`, and does not wait for it.

        At most two may be begun and not finished; each is finished once, the oldest first.

        Raises: both, this and what comes back:
            EngineError: as `RetouchEngine.retouch` does.
        """
        ...


def shared(engine: RetouchEngine, cores: float, processes: int = 1) -> RetouchEngine:
    """The engine as many users want it: copies of it for the cores, or batches, or itself where neither helps.

    Args:
        engine: as it was loaded; what is returned closes it.
        cores: that the service may use.
        processes: that the service has; each shares its own engine.
    """
    if engine.crops_at_once > 1:
        return Batcher(engine)
    if isinstance(engine, Copyable):
        at_once = int(cores / max(engine.cores_per_call, 1))
        further = max(at_once // processes - 1, 0)
        hurries = at_once > 1 and engine.cores_per_call < LONE_THREADS
        threads = [engine.cores_per_call] * further + [LONE_THREADS] * hurries
        if threads:
            # each takes a quarter of a second of its core
            with ThreadPoolExecutor(at_once) as workers:
                copies = list(workers.map(engine.another, threads))
            return EnginePool([engine, *copies[:further]], copies[-1] if hurries else None)
    return engine


class _Call:
    """One that waits for its answer."""

    def __init__(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> None:
        self.crops, self.requests, self.conditionings = crops, requests, conditionings
        self.answered = threading.Event()
        self.layers: list[EditLayer] = []
        self.error: Exception | None = None


class _Batch:
    """Calls whose crops run together: begun, finished, answered."""

    def __init__(self, calls: Sequence[_Call]) -> None:
        self._calls = calls
        self._finish: Finish | None = None

    @property
    def crops(self) -> int:
        """How many."""
        return sum(len(call.crops) for call in self._calls)

    def begin(self, begin: Callable[..., Finish]) -> None:
        """Hands it to the engine by `begin`; what that raises is kept for each call until it is answered."""
        try:
            if len(self._calls) == 1:
                (call,) = self._calls
                self._finish = begin(call.crops, call.requests, call.conditionings)
            else:
                self._finish = begin(
                    np.concatenate([call.crops for call in self._calls]),
                    np.concatenate([call.requests for call in self._calls]),
                    [one for call in self._calls for one in call.conditionings],
                )
        except Exception as error:
            self._fail(error)

    def finish(self) -> None:
        """Waits for the engine, and gives each call its layers, or the error."""
        if self._finish is None:
            return  # it could not begin
        try:
            layers = self._finish()
        except Exception as error:
            self._fail(error)
            return
        for call in self._calls:
            call.layers, layers = layers[: len(call.crops)], layers[len(call.crops) :]

    def answer(self) -> None:
        """Ends the wait of all calls."""
        for call in self._calls:
            call.answered.set()

    def _fail(self, error: Exception) -> None:
        for call in self._calls:
            call.error = error


class Batcher:
    """Implements `stream_retouch.engine.RetouchEngine` with one engine thread that takes what is waiting in batches.

    Any thread may call it; one call's crops stay together while they fit into a batch.
    """

    cores_per_call = 0

    def __init__(
        self,
        engine: RetouchEngine,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`engine` is for this batcher alone."""
        self.name, self.crop_size = engine.name, engine.crop_size
        self.crops_at_once = engine.crops_at_once
        # One batch runs and one is begun or ready; others wait for their turn, where newer frames replace older ones.
        self.calls_at_once = 2 * engine.crops_at_once
        self.on_batch: Callable[[int], None] = lambda crops: None
        """Called with the number of crops of every batch; engine thread."""
        self._engine, self._patience_s, self._clock = engine, patience_s, clock
        self._overlaps = isinstance(engine, Overlapping)
        self._changed = threading.Condition()
        # All below is guarded by _changed.
        self._waiting: deque[_Call] = deque()  # oldest first
        self._busy_s = 0.0
        self._since_s: float | None = None  # when the oldest batch under way found the engine idle
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """How long the engine has worked so far, seconds; two batches at once count once."""
        with self._changed:
            since_s = self._since_s
            return self._busy_s + (0.0 if since_s is None else self._clock() - since_s)

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`; waits for the batches before and its own.

        Raises:
            EngineBusy: it could not begin in time.
            EngineError: as the engine does; then every call of that batch has it.
        """
        call = _Call(crops, requests, conditionings)
        with self._changed:
            if self._closed:
                raise EngineError(CLOSED)
            self._waiting.append(call)
            self._changed.notify()
        if not call.answered.wait(self._patience_s):
            with self._changed:
                if call in self._waiting:
                    self._waiting.remove(call)
                    raise EngineBusy
            call.answered.wait()  # it is being computed
        if call.error is not None:
            # one of its own for each who waits: raising writes into it
            raise EngineError(str(call.error)) from call.error
        return call.layers

    def close(self) -> None:
        """Ends the thread and frees the engine; who waits gets an error. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._engine.close()

    def _run(self) -> None:
        begun: _Batch | None = None
        while True:
            following = self._next(begun)
            if following is not None:
                following.begin(self._begin)
            if begun is not None:
                begun.finish()
                self._done(begun, following)
            elif following is None:
                return
            begun = following

    def _next(self, begun: _Batch | None) -> _Batch | None:
        """The batch to begin; waits for one where none is begun. None where there is none, and when closed."""
        with self._changed:
            if begun is None:
                self._changed.wait_for(lambda: self._waiting or self._closed)
            elif not self._overlaps:
                return None
            if self._closed:
                for call in self._waiting:
                    call.error = EngineError(CLOSED)
                    call.answered.set()
                self._waiting.clear()
            if not self._waiting:
                return None
            if self._since_s is None:
                self._since_s = self._clock()
            return _Batch(self._taken())

    def _taken(self) -> list[_Call]:
        """The oldest ones that fit into a batch; one that fits into none goes alone."""
        taken: list[_Call] = []
        room = self.crops_at_once
        while self._waiting and (not taken or len(self._waiting[0].crops) <= room):
            call = self._waiting.popleft()
            taken.append(call)
            room -= len(call.crops)
        return taken

    def _begin(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> Finish:
        if isinstance(self._engine, Overlapping):
            return self._engine.begin(crops, requests, conditionings)
        return partial(self._engine.retouch, crops, requests, conditionings)

    def _done(self, batch: _Batch, following: _Batch | None) -> None:
        """Answers a batch that is finished; the engine is idle unless one is following."""
        if following is None:
            with self._changed:
                self._busy_s += self._clock() - (self._since_s or 0.0)
                self._since_s = None
        batch.answer()
        try:
            self.on_batch(batch.crops)
        except Exception:  # who counts must not stop who computes
            logger.exception("a batch could not be counted")
