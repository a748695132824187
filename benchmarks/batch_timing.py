"""How long a batch takes, run in one of three ways: whole calls, calls that overlap, and graphs without copies.

Milliseconds. Of whole calls the median; of the others, where one batch ends after the next has begun, the time of all
of them over their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.batching import Overlapping
from engines.parity import Samples
from stream_retouch.engine import Conditioning, RetouchEngine

WARM_UP = 10
"""Batches that are not counted."""

Clock = Callable[[], float]
Asked = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]
"""The arguments of `RetouchEngine.retouch`."""


class Graphs(Protocol):
    """An engine whose graphs can be run alone."""

    def compute(self, count: int, runs: int = 1) -> None:
        """See `engines.cuda_graphs.GraphBatches.compute`."""
        ...


def batch(given: Samples, size: int) -> Asked:
    """A call of so many crops, taken in turn."""
    some = np.arange(size) % len(given.crops)
    return given.crops[some], given.requests[some], [given.conditionings[i] for i in some]


def whole_ms(
    engine: RetouchEngine, asked: Asked, count: int, clock: Clock = time.perf_counter
) -> float:
    """Of a call of `retouch`: from numpy arrays to edit layers."""
    taken = []
    for _ in range(WARM_UP + count):
        start = clock()
        engine.retouch(*asked)
        taken.append(clock() - start)
    return float(np.median(taken[WARM_UP:])) * 1e3


def overlapped_ms(
    engine: Overlapping, asked: Asked, count: int, clock: Clock = time.perf_counter
) -> float:
    """Of a batch where each is begun before the one before is finished, as `Batcher` does with many users."""
    for _ in range(WARM_UP):
        engine.begin(*asked)()
    finish = engine.begin(*asked)
    start = clock()
    for _ in range(count):
        following = engine.begin(*asked)
        finish()
        finish = following
    taken = clock() - start
    finish()
    return taken / count * 1e3


def graphs_ms(engine: Graphs, size: int, count: int, clock: Clock = time.perf_counter) -> float:
    """Of the network alone, one run behind the other, its crops on the GPU already."""
    engine.compute(size, WARM_UP)
    start = clock()
    engine.compute(size, count)
    return (clock() - start) / count * 1e3


def figures(size: int, ms: float) -> dict[str, float]:
    """What the tables tell of a batch of so many crops."""
    return {"ms": round(ms, 3), "crops_per_s": round(size / ms * 1e3, 1)}
