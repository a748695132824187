"""GuardedEngine: takes an engine out of service that answers wrongly or has lost its GPU, and goes on with the next.

A wrong answer never reaches a picture: the call ends with an EngineError, and the frame passes through. Three in a row,
or one failure of the GPU, end the engine's service. The next-best one is loaded in a thread of its own, which may take
half a minute; until then frames pass through too.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engines.batching import Finish, Overlapping
from engines.gpu import first_line
from engines.pool import CLOSED, Copyable
from stream_retouch.engine import Conditioning, EditLayer, RetouchEngine
from stream_retouch.errors import DeviceFailure, EngineError, StreamRetouchError

log = logging.getLogger(__name__)

MOST_FAULTS = 3
"""Wrong answers in a row that end an engine's service."""
Load = Callable[[], RetouchEngine]
"""Loads an engine; raises StreamRetouchError where it cannot be used. Slow."""
Start = Callable[[Callable[[], None]], None]
"""Runs something beside the caller."""


class GuardedEngine:
    """Implements `stream_retouch.engine.RetouchEngine` with an engine and those that follow it.

    As many calls at once as the first engine takes. Of the next ones only what does not change is asked for: their crop
    size has to be the same, and calls come one at a time for those that take one.
    """

    def __init__(
        self, engine: RetouchEngine, following: Sequence[Load] = (), start: Start | None = None
    ) -> None:
        """
        Args:
            engine: loaded, and free for this one alone.
            following: the others, next best first.
            start: how to load beside the caller; a thread unless given.
        """
        self.name, self.crop_size = engine.name, engine.crop_size
        self.calls_at_once, self.crops_at_once = engine.calls_at_once, engine.crops_at_once
        self.cores_per_call = engine.cores_per_call
        self._engine: RetouchEngine | None = engine
        self._following, self._start = tuple(following), start or _in_thread
        self._faults = 0
        self._changing = threading.Lock()
        self._closed = False

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`.

        Raises:
            EngineError: as the engine does, the answer is wrong, or another engine is being loaded.
        """
        engine = self._serving()
        run = partial(engine.retouch, crops, requests, conditionings)
        return self._answer(engine, run, len(conditionings))

    def close(self) -> None:
        """Frees the engine, and the next one as soon as it is loaded. May be called twice."""
        with self._changing:
            engine, self._engine, self._closed = self._engine, None, True
        if engine is not None:
            engine.close()

    def _serving(self) -> RetouchEngine:
        engine = self._engine
        if engine is None:
            raise EngineError(
                CLOSED
                if self._closed
                else f"the engine {self.name} is out of service; the log says why, and what is taken instead"
            )
        return engine

    def _answer(self, engine: RetouchEngine, run: Finish, count: int) -> list[EditLayer]:
        """What `run` gives for so many crops, looked at."""
        with self._watched(engine):
            layers = run()
        wrong = fault(layers, count, self.crop_size)
        if wrong is not None:
            raise self._fault(engine, f"gave {wrong}")
        if self._engine is engine:
            self._faults = 0
        return layers

    @contextlib.contextmanager
    def _watched(self, engine: RetouchEngine) -> Iterator[None]:
        """What the engine raises inside counts."""
        try:
            yield
        except DeviceFailure as problem:
            self._retire(engine, str(problem))
            raise
        except (RuntimeError, MemoryError) as problem:
            raise self._fault(engine, f"failed ({first_line(problem)})") from problem

    def _fault(self, engine: RetouchEngine, what: str) -> EngineError:
        """The error of a wrong answer, after which the engine may be out of service."""
        # what was begun on an engine that is out of service says nothing of the one that follows
        if self._engine is engine:
            self._faults += 1
            if self._faults >= MOST_FAULTS:
                self._retire(engine, f"it {what}, {self._faults} times in a row")
        return EngineError(
            f"the engine {engine.name} {what}; build it again with python -m engines.build, or use another --engine"
        )

    def _retire(self, engine: RetouchEngine, why: str) -> None:
        with self._changing:
            if self._engine is not engine:
                return  # another call was quicker
            self._engine = None
        log.warning("the engine %s is taken out of service: %s", engine.name, why)
        self._start(lambda: self._go_on(engine))

    def _go_on(self, retired: RetouchEngine) -> None:
        retired.close()  # first, for what follows may need its memory
        while self._following:
            load, self._following = self._following[0], self._following[1:]
            try:
                engine = load()
            except (StreamRetouchError, ImportError, RuntimeError, MemoryError) as problem:
                log.warning("the next engine cannot be used either: %s", first_line(problem))
                continue
            if engine.crop_size != self.crop_size:
                log.warning("the engine %s is for crops of %d", engine.name, engine.crop_size)
                engine.close()
                continue
            with self._changing:
                closed = self._closed
                if not closed:
                    self._faults, self.name, self._engine = 0, engine.name, engine
            if closed:
                engine.close()
            else:
                log.warning("the engine %s goes on", engine.name)
            return
        log.error(
            "no engine is left, so frames pass through; see stream-retouch doctor, start again"
        )


class GuardedCopies(GuardedEngine):
    """The same for an engine of which there can be several side by side (`engines.pool.Copyable`)."""

    def __init__(
        self, engine: RetouchEngine, following: Sequence[Load] = (), start: Start | None = None
    ) -> None:
        super().__init__(engine, following, start)
        assert isinstance(engine, Copyable)
        self._first = engine

    def another(self, threads: int | None = None) -> GuardedCopies:
        """One more of the same, with its own guard. See `Copyable.another`."""
        return GuardedCopies(self._first.another(threads), self._following, self._start)


class GuardedBatches(GuardedEngine):
    """The same for an engine that begins a batch while the one before computes (`engines.batching.Overlapping`).

    Of the engines that follow not all can do that: such a one runs a batch when it is to be finished.
    """

    def begin(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> Finish:
        """See `Overlapping.begin`.

        Raises: both, this and what comes back:
            EngineError: as the engine does, the answer is wrong, or another engine is being loaded.
        """
        engine = self._serving()
        finish: Finish = partial(engine.retouch, crops, requests, conditionings)
        if isinstance(engine, Overlapping):
            with self._watched(engine):
                finish = engine.begin(crops, requests, conditionings)
        return lambda: self._answer(engine, finish, len(conditionings))


def fault(layers: Sequence[EditLayer], count: int, crop_size: int) -> str | None:
    """What is wrong with an engine's answer; None where nothing is.

    Args:
        count: crops that were handed to it.
    """
    if len(layers) != count:
        return f"{len(layers)} edit layers for {count} crops"
    side = crop_size // 2
    for layer in layers:
        if not math.isfinite(layer.skin_luma):
            return "numbers that are not finite"
        for name, array, shape in (
            ("codes", layer.codes, (4, side, side)),
            ("mask", layer.mask, (side, side)),
        ):
            if array.shape != shape or array.dtype != np.uint8:
                return f"{name} of {array.shape} {array.dtype}, not {shape} uint8"
    return None


def _in_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="next engine", daemon=True).start()
