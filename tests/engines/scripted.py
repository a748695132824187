"""Engines that answer what they are told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import Conditioning, EditLayer

CODES, MASK = np.zeros((4, 128, 128), np.uint8), np.zeros((128, 128), np.uint8)
GOOD = EditLayer(CODES, MASK, 100.0)
BLOCK = np.zeros((4, 128), np.float32)
ONE = (
    np.zeros((1, 256, 256, 3), np.uint8),
    np.zeros((1, 17, 32, 32), np.float32),
    [Conditioning(np.zeros(64, np.float32), BLOCK, BLOCK, BLOCK)],
)


class Scripted:
    """An engine that answers what it is told to: layers, or an error."""

    calls_at_once = 1
    crops_at_once = 4
    cores_per_call = 1

    def __init__(self, name: str, *script: EditLayer | Exception, crop_size: int = 256) -> None:
        self.name, self.crop_size = name, crop_size
        self.script, self.closed = list(script), 0

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(said, Exception):
            raise said
        return [said] * len(conditionings)

    def close(self) -> None:
        self.closed += 1


class Early(Scripted):
    """An engine whose batches overlap. Its answer is found out when a batch is finished, or `at_once`."""

    at_once = False
    begun = 0

    def begin(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> Callable[[], list[EditLayer]]:
        self.begun += 1
        if self.at_once:
            layers = self.retouch(crops, requests, conditionings)
            return lambda: layers
        return partial(self.retouch, crops, requests, conditionings)


class Several(Scripted):
    """An engine of which there can be several."""

    def another(self, threads: int | None = None) -> Several:
        copy = Several(self.name, *self.script)
        copy.cores_per_call = threads or self.cores_per_call
        return copy
