"""How any compiled network runs on a GPU: a captured graph for each batch size, and the copies beside the compute.

Every batch size has a network of its own with static shapes, so every address is fixed and the whole network is one
launch (`engines.cuda_slots`). Each size has two slots: while one batch computes, the next one is written, copied up and
enqueued behind it, and the answer of the one before is copied down and read. A slot is used again only after its answer
was fetched, so nothing is overwritten that is still read.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from engines.batch_sizes import pieces
from engines.batching import Finish
from engines.cuda_device import Device
from engines.cuda_slots import Arrays, Network, Slot
from engines.feed import feed
from engines.pool import CLOSED
from stream_retouch.engine import Conditioning, EditLayer
from stream_retouch.errors import DeviceFailure, EngineError

MOST_BEGUN = 2
"""Batches under way: one computes, one is copied. A third could only wait, and its crops would be older by then."""


class GraphBatches:
    """The network of an engine for all its batch sizes: what every engine of a GPU is but its name. One thread at a
    time; implements `engines.batching.Overlapping`."""

    calls_at_once = 1
    cores_per_call = 0

    def __init__(self, device: Device, crop_size: int, networks: Mapping[int, Network]) -> None:
        """Captures every network twice: that runs each of them a few times.

        Args:
            networks: by batch size.

        Raises:
            DeviceFailure: the GPU has too little memory, or fails.
        """
        self.sizes, self.crop_size = tuple(sorted(networks)), crop_size
        self.crops_at_once = self.sizes[-1]
        self._device = device
        self._slots: dict[int, list[Slot]] = {}
        with device.turn():
            for size in self.sizes:
                made = [Slot(device, crop_size, size, networks[size]) for _ in range(MOST_BEGUN)]
                self._slots[size] = made

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`; as `begin` and what it gives, at once."""
        return self.begin(crops, requests, conditionings)()

    def begin(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> Finish:
        """Enqueues a batch and does not wait for it; what comes back waits for it and gives its edit layers, once.

        More crops than the largest batch holds run in pieces, of which the first is enqueued here, each following one
        before the one before it is waited for, as long as no other batch is begun.

        Raises: both, this and what comes back:
            DeviceFailure: the GPU fails.
            EngineError: the arguments are not as the seam says, two batches are begun already, or the engine is closed.
        """
        if not self._slots:
            raise EngineError(CLOSED)
        if not self._room():
            raise EngineError(f"{MOST_BEGUN} batches are begun already; finish one of them first")
        arrays = feed(crops, requests, conditionings, self.crop_size).arrays()
        waiting: deque[tuple[int, Arrays]] = deque()
        first = 0
        for count, size in pieces(len(crops), self.sizes):
            waiting.append((size, [array[first : first + count] for array in arrays]))
            first += count
        begun: deque[Slot] = deque()
        with self._working(begun):
            begun.append(self._begun(*waiting.popleft()))
        return lambda: self._finished(begun, waiting)

    def compute(self, count: int, runs: int = 1) -> None:
        """Replays the graphs for `count` crops so often, without any copy, and waits: what there is to be measured
        beside whole calls. Nothing may be begun meanwhile.

        Raises:
            DeviceFailure: the GPU fails.
            EngineError: a batch is begun, or the engine is closed.
        """
        if not self._slots:
            raise EngineError(CLOSED)
        if any(slot.taken for slot in chain(*self._slots.values())):
            raise EngineError("a batch is begun; finish it before its graph is measured")
        with self._working(deque()):
            for _ in range(runs):
                for _, size in pieces(count, self.sizes):
                    self._slots[size][0].compute()
            self._device.wait()

    def close(self) -> None:
        """Frees the device; waits for what is begun, whose answers can still be had. Any thread; may be called
        twice."""
        slots, self._slots = self._slots, {}
        if any(slot.taken for slot in chain(*slots.values())):
            # memory that copies still go to would be handed out again
            with contextlib.suppress(DeviceFailure), self._device.turn():
                self._device.wait()

    def _finished(self, begun: deque[Slot], waiting: deque[tuple[int, Arrays]]) -> list[EditLayer]:
        """The layers of a call: of its slots, oldest first, and of its crops that have none yet."""
        layers: list[EditLayer] = []
        with self._working(begun):
            while begun or waiting:
                while waiting and self._room():
                    begun.append(self._begun(*waiting.popleft()))
                layers += begun.popleft().finish()
        return layers

    def _room(self) -> bool:
        return sum(slot.taken for slot in chain(*self._slots.values())) < MOST_BEGUN

    def _begun(self, size: int, arrays: Arrays) -> Slot:
        slots = self._slots.get(size)
        if slots is None:
            raise EngineError(CLOSED)
        slot = next(slot for slot in slots if not slot.taken)
        slot.begin(arrays)
        return slot

    @contextlib.contextmanager
    def _working(self, begun: deque[Slot]) -> Iterator[None]:
        """A turn of the device. A call that fails leaves nothing of it under way, so its slots are free again."""
        with self._device.turn():
            try:
                yield
            except BaseException:
                try:
                    self._device.wait()
                finally:
                    for slot in begun:
                        slot.give_up()
                raise
