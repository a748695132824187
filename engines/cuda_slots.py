"""One batch's way over a GPU: fixed buffers, a captured graph, and when they are free for the next batch.

    crops, requests, conditionings ─ pinned ─ one copy up ─ replay of the graph ─ one copy down ─ pinned ─ edit layers

All inputs of a batch lie in one block of memory, and all outputs: a batch is two copies and a launch, and is waited for
once. Conditionings and request maps go up with the crops: other words need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engines.cuda_device import Device
from engines.feed import Shapes, edit_layers, inputs, outputs
from stream_retouch.engine import EditLayer

Tensors = Mapping[str, torch.Tensor]
Network = Callable[[Tensors, Tensors], None]
"""Enqueues one run on the device's stream, from inputs to outputs by their names."""
Arrays = Sequence[NDArray[np.uint8] | NDArray[np.float32]]
"""What a batch is given, in the order of `engines.feed.inputs`, B first."""

ALIGNMENT = 256
"""Bytes: TensorRT and Inductor take it for granted that arrays begin at multiples of this."""
IN_8_BITS = frozenset({"crops", "codes", "mask"})
"""Arrays of uint8; the others are float32."""


class Slot:
    """Room for one batch of a size. Inside of the device's turn; one thread at a time."""

    def __init__(self, device: Device, crop_size: int, size: int, network: Network) -> None:
        """Captures the network: that runs it a few times."""
        self._device = device
        given, answers = inputs(crop_size), outputs(crop_size)
        self._given = device.memory(_bytes(given, size)), device.pinned(_bytes(given, size))
        self._answers = device.pinned(_bytes(answers, size)), device.memory(_bytes(answers, size))
        self._host_given = [t.numpy() for t in _views(self._given[1], given, size).values()]
        self._host_answers = [t.numpy() for t in _views(self._answers[0], answers, size).values()]
        there = _views(self._given[0], given, size), _views(self._answers[1], answers, size)
        # kept, for with it the network's own memory would go, of which the graph knows the addresses only
        self._run = lambda: network(*there)
        self._replay = device.captured(self._run)
        self._count = 0
        self._fetched: Callable[[], None] | None = None

    @property
    def taken(self) -> bool:
        """Whether a batch is begun and not finished."""
        return self._fetched is not None

    def begin(self, arrays: Arrays) -> None:
        """Enqueues a batch, waits for nothing. Only while it is not taken: until then the GPU reads and writes here.

        Args:
            arrays: of at most as many crops as there is room for.
        """
        assert not self.taken
        self._count = len(arrays[0])
        for pinned, array in zip(self._host_given, arrays, strict=True):
            # beyond lie the crops of an earlier batch: they cost nothing more and nobody reads their answer
            pinned[: self._count] = array
        self._device.up(*self._given)
        self._replay()
        self._fetched = self._device.down(*self._answers)

    def finish(self) -> list[EditLayer]:
        """The edit layers of the batch that was begun; waits for it. Then the slot is free, whatever was raised."""
        assert self._fetched is not None
        try:
            self._fetched()
            codes, mask, skin_luma = (answer[: self._count] for answer in self._host_answers)
            return edit_layers(codes, mask, skin_luma)
        finally:
            self._fetched = None

    def give_up(self) -> None:
        """Frees it without an answer, after the whole device was waited for."""
        self._fetched = None

    def compute(self) -> None:
        """Enqueues the graph alone, on whatever lies in the device's memory."""
        self._replay()


def _views(block: torch.Tensor, shapes: Shapes, size: int) -> dict[str, torch.Tensor]:
    """The arrays that lie in a block of memory, for `size` crops."""
    views, start = {}, 0
    for name, shape in shapes.items():
        kind = torch.uint8 if name in IN_8_BITS else torch.float32
        length = _length(name, shape, size)
        views[name] = block[start : start + length].view(kind).view(size, *shape[1:])
        start += -(-length // ALIGNMENT) * ALIGNMENT
    return views


def _bytes(shapes: Shapes, size: int) -> int:
    """How large the block for these arrays is."""
    lengths = (_length(name, shape, size) for name, shape in shapes.items())
    return sum(-(-length // ALIGNMENT) * ALIGNMENT for length in lengths)


def _length(name: str, shape: tuple[int, ...], size: int) -> int:
    return size * int(np.prod(shape[1:], dtype=np.int64)) * (1 if name in IN_8_BITS else 4)
