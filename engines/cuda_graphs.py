"""Fixed buffers and a captured graph for each batch size: how any compiled network runs on a GPU.

    crops, requests, conditionings ─ pinned ─ one copy up ─ replay of the graph ─ one copy down ─ pinned ─ edit layers

Every batch size has a network of its own with static shapes, so every address is fixed and the whole network is one
launch. All inputs of a batch lie in one block of memory, and all outputs: a call is two copies and a launch, and waits
once. Conditionings and request maps go up with the crops: other words need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engines.batch_sizes import pieces
from engines.cuda_device import Device
from engines.feed import Shapes, edit_layers, feed, inputs, outputs
from stream_retouch.engine import Conditioning, EditLayer
from stream_retouch.errors import EngineError

Tensors = Mapping[str, torch.Tensor]
Network = Callable[[Tensors, Tensors], None]
"""Enqueues one run on the device's stream, from inputs to outputs by their names."""

ALIGNMENT = 256
"""Bytes: TensorRT and Inductor take it for granted that arrays begin at multiples of this."""
IN_8_BITS = frozenset({"crops", "codes", "mask"})
"""Arrays of uint8; the others are float32."""


class GraphBatches:
    """The network of an engine for all its batch sizes: what every engine of a GPU is but its name. One call at a
    time."""

    calls_at_once = 1
    cores_per_call = 0

    def __init__(self, device: Device, crop_size: int, networks: Mapping[int, Network]) -> None:
        """Captures every network: that runs each of them a few times.

        Args:
            networks: by batch size.

        Raises:
            DeviceFailure: the GPU has too little memory, or fails.
        """
        self.sizes, self.crop_size = tuple(sorted(networks)), crop_size
        self.crops_at_once = self.sizes[-1]
        self._device = device
        self._batches: dict[int, _Batch] = {}
        with device.turn():
            for size in self.sizes:
                self._batches[size] = _Batch(device, crop_size, size, networks[size])

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`. More crops than the largest batch holds run in pieces.

        Raises:
            DeviceFailure: the GPU fails.
            EngineError: the arguments are not as the seam says, or the engine is closed.
        """
        if not self._batches:
            raise EngineError("the engine is closed; load it again")
        arrays = feed(crops, requests, conditionings, self.crop_size).arrays()
        layers: list[EditLayer] = []
        with self._device.turn():
            for count, size in pieces(len(crops), self.sizes):
                first = len(layers)
                layers += self._batches[size].run([a[first : first + count] for a in arrays])
        return layers

    def close(self) -> None:
        """Frees the device. May be called twice."""
        self._batches = {}


class _Batch:
    """One batch size: its buffers and its graph."""

    def __init__(self, device: Device, crop_size: int, size: int, network: Network) -> None:
        self._device = device
        given, answers = inputs(crop_size), outputs(crop_size)
        self._given = device.pinned(_bytes(given, size)), device.memory(_bytes(given, size))
        self._answers = device.memory(_bytes(answers, size)), device.pinned(_bytes(answers, size))
        self._host_given = [t.numpy() for t in _views(self._given[0], given, size).values()]
        self._host_answers = [t.numpy() for t in _views(self._answers[1], answers, size).values()]
        there = _views(self._given[1], given, size), _views(self._answers[0], answers, size)
        self._replay = device.captured(lambda: network(*there))

    def run(self, arrays: Sequence[NDArray[np.uint8] | NDArray[np.float32]]) -> list[EditLayer]:
        count = len(arrays[0])
        for pinned, array in zip(self._host_given, arrays, strict=True):
            # beyond `count` lie the crops of an earlier call: they cost nothing more and nobody reads their answer
            pinned[:count] = array
        here, there = self._given
        there.copy_(here, non_blocking=True)
        self._replay()
        there, here = self._answers
        here.copy_(there, non_blocking=True)
        self._device.wait()
        codes, mask, skin_luma = (answer[:count] for answer in self._host_answers)
        return edit_layers(codes, mask, skin_luma)


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
