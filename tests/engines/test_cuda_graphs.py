"""Batch sizes, fixed buffers and captured graphs, without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")

import torch

from engines.batch_sizes import batch_sizes, pieces
from engines.cuda_device import TorchDevice
from engines.cuda_graphs import ALIGNMENT, GraphBatches, Tensors
from engines.feed import inputs
from stream_retouch.engine import Conditioning
from stream_retouch.errors import DeviceFailure, EngineError
from tests.engines.fake_gpu import CpuDevice

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]


class Counting:
    """A network that tells a crop's first red, and its request's first amount, and remembers its batches."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.addresses: set[int] = set()

    def __call__(self, given: Tensors, answers: Tensors) -> None:
        self.runs.append(len(given["crops"]))
        self.addresses |= {tensor.data_ptr() for tensor in (*given.values(), *answers.values())}
        answers["codes"][:] = given["crops"][:, 0, 0, 0][:, None, None, None]
        answers["mask"][:] = 9
        answers["skin_luma"][:] = given["requests"][:, 0, 0, 0] + given["gamma"][:, 0, 0]


def made(most: int) -> tuple[GraphBatches, Counting, CpuDevice]:
    network, device = Counting(), CpuDevice()
    batches = GraphBatches(device, 256, {size: network for size in batch_sizes(most)})
    network.runs.clear()
    return batches, network, device


def crowd(count: int) -> Batch:
    crops = np.zeros((count, 256, 256, 3), np.uint8)
    crops[:, 0, 0, 0] = np.arange(count)
    requests = np.zeros((count, 17, 32, 32), np.float32)
    requests[:, 0, 0, 0] = np.arange(count) / 100
    block = np.zeros((4, 128), np.float32)
    conditionings = [
        Conditioning(np.zeros(64, np.float32), block, block, block + i) for i in range(count)
    ]
    return crops, requests, conditionings


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8)), (32, (1, 2, 4, 8, 16, 32))],
)
def test_batch_sizes_double_up_to_the_largest(most: int, sizes: tuple[int, ...]) -> None:
    assert batch_sizes(most) == sizes


def test_a_batch_without_a_crop_is_refused_with_the_remedy() -> None:
    with pytest.raises(EngineError, match="at least 1 crop, not 0; use --max-batch 8"):
        batch_sizes(0)


@pytest.mark.parametrize("count", range(1, 40))
def test_pieces_hold_every_crop_once_and_as_few_runs_as_can_be(count: int) -> None:
    found = list(pieces(count, (1, 2, 4, 8)))
    assert sum(crops for crops, _ in found) == count
    assert len(found) == -(-count // 8)
    assert all(0 < crops <= size for crops, size in found)
    crops, size = found[-1]
    assert size == 1 or crops > size // 2  # the next smaller one would not do


@pytest.mark.parametrize(
    ("count", "runs"), [(1, [1]), (2, [2]), (3, [4]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])]
)
def test_each_crop_has_its_own_answer_padded_or_in_pieces(count: int, runs: list[int]) -> None:
    batches, network, device = made(4)
    layers = batches.retouch(*crowd(count))
    assert network.runs == runs and device.replays == device.waits == len(runs)
    assert [int(layer.codes[0, 0, 0]) for layer in layers] == list(range(count))
    assert [layer.skin_luma for layer in layers] == pytest.approx([i * 1.01 for i in range(count)])


def test_addresses_never_change_and_are_aligned() -> None:
    batches, network, device = made(2)
    first = set(network.addresses)
    for count in (1, 2, 1, 5):
        batches.retouch(*crowd(count))
    assert network.addresses == first
    block = min(first)
    assert all((address - block) % 64 == 0 for address in first)
    assert all(size % ALIGNMENT == 0 for size in device.sizes)
    whole = sum(int(np.prod(s)) * (1 if n == "crops" else 4) for n, s in inputs(256).items())
    assert whole <= device.sizes[0] < whole + 6 * ALIGNMENT


def test_a_layer_stays_as_it_is_during_the_next_call() -> None:
    batches, _, _ = made(1)
    (layer,) = batches.retouch(*crowd(1))
    crops, requests, conditionings = crowd(1)
    batches.retouch(crops + 5, requests, conditionings)
    assert layer.codes.max() == 0


def test_arguments_that_do_not_fit_are_refused_before_anything_runs() -> None:
    batches, network, _ = made(1)
    crops, requests, conditionings = crowd(1)
    with pytest.raises(EngineError, match="; pass "):
        batches.retouch(crops[:, :128], requests, conditionings)
    assert network.runs == []


def test_closed_batches_say_so_and_close_twice() -> None:
    batches, _, _ = made(1)
    batches.close()
    batches.close()
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        batches.retouch(*crowd(1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_device_says_so() -> None:
    with pytest.raises(
        DeviceFailure, match="the GPU failed .*; start again, or use --engine openv"
    ):
        TorchDevice()
