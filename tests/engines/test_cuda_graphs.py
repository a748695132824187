"""Batch sizes, fixed buffers and captured graphs, without a GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")

from engines.batch_sizes import batch_sizes, pieces
from engines.batching import Batcher, Overlapping
from engines.cuda_graphs import GraphBatches
from engines.cuda_slots import ALIGNMENT, Tensors
from engines.feed import inputs
from stream_retouch.engine import Conditioning, EditLayer
from stream_retouch.errors import DeviceFailure, EngineError
from tests.engines.fake_gpu import CpuDevice

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]


class Counting:
    """A network that tells a crop's first red, and its request's first amount, and remembers its batches."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.problem: Exception | None = None
        """Raised once, by the next run."""
        self.addresses: set[int] = set()

    def __call__(self, given: Tensors, answers: Tensors) -> None:
        self.runs.append(len(given["crops"]))
        if self.problem is not None:
            problem, self.problem = self.problem, None
            raise problem
        self.addresses |= {tensor.data_ptr() for tensor in (*given.values(), *answers.values())}
        answers["codes"][:] = given["crops"][:, 0, 0, 0][:, None, None, None]
        answers["mask"][:] = 9
        answers["skin_luma"][:] = given["requests"][:, 0, 0, 0] + given["gamma"][:, 0, 0]


def made(most: int) -> tuple[GraphBatches, Counting, CpuDevice]:
    network, device = Counting(), CpuDevice()
    batches = GraphBatches(device, 256, {size: network for size in batch_sizes(most)})
    network.runs.clear()
    return batches, network, device


def crowd(count: int, first: int = 0) -> Batch:
    """So many crops with the numbers from `first` on."""
    crops = np.zeros((count, 256, 256, 3), np.uint8)
    crops[:, 0, 0, 0] = np.arange(first, first + count)
    requests = np.zeros((count, 17, 32, 32), np.float32)
    requests[:, 0, 0, 0] = np.arange(count) / 100
    block = np.zeros((4, 128), np.float32)
    conditionings = [
        Conditioning(np.zeros(64, np.float32), block, block, block + i) for i in range(count)
    ]
    return crops, requests, conditionings


def numbers(layers: Sequence[EditLayer]) -> list[int]:
    return [int(layer.codes[0, 0, 0]) for layer in layers]


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
    assert network.runs == runs and "wait" not in device.log
    assert device.log.count("graph") == device.log.count("fetched") == len(runs)
    assert numbers(layers) == list(range(count))
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


BEGIN, NEXT = ["up", "graph", "down"], ["up", "graph", "down", "fetched"]


def test_a_batch_is_begun_while_another_computes_and_only_its_own_copy_is_waited_for() -> None:
    batches, network, device = made(4)
    assert isinstance(batches, Overlapping)
    first, second = batches.begin(*crowd(4, 10)), batches.begin(*crowd(2, 20))
    assert network.runs == [] and device.log == BEGIN * 2
    assert numbers(first()) == [10, 11, 12, 13]
    assert network.runs == [4] and device.left  # of the second, nothing has run
    assert numbers(second()) == [20, 21]
    assert not device.left and "wait" not in device.log


def test_batches_on_end_have_their_own_answers_whoever_is_finished_first() -> None:
    batches, _, _ = made(2)
    before = batches.begin(*crowd(2, 0))
    for first in range(10, 90, 10):
        following = batches.begin(*crowd(2, first))
        assert numbers(before()) == [max(first - 10, 0), max(first - 9, 1)]
        before = following
    another = batches.begin(*crowd(2, 90))
    assert numbers(another()) == [90, 91] and numbers(before()) == [80, 81]


def test_a_third_batch_is_refused_until_one_is_finished() -> None:
    batches, _, device = made(2)
    begun = [batches.begin(*crowd(2, 10)), batches.begin(*crowd(1, 20))]
    with pytest.raises(EngineError, match="2 batches are begun already; finish one of them first"):
        batches.retouch(*crowd(1, 30))
    assert device.log == BEGIN * 2
    assert numbers(begun[0]()) == [10, 11]
    assert numbers(batches.retouch(*crowd(2, 40))) == [40, 41]
    assert numbers(begun[1]()) == [20]


def test_of_a_call_that_is_too_large_a_piece_is_begun_before_the_one_before_is_waited_for() -> None:
    batches, network, device = made(2)
    assert numbers(batches.retouch(*crowd(7, 10))) == list(range(10, 17))
    assert device.log == [*BEGIN, *NEXT, *NEXT, *NEXT, "fetched"] and network.runs == [2, 2, 2, 1]


def test_a_call_that_is_too_large_leaves_another_batch_its_place() -> None:
    batches, _, device = made(2)
    large, other = batches.begin(*crowd(5, 10)), batches.begin(*crowd(2, 20))
    assert numbers(large()) == list(range(10, 15)) and numbers(other()) == [20, 21]
    assert device.log == [*BEGIN, *BEGIN, "fetched", *NEXT, *NEXT, "fetched"]


def test_a_run_that_fails_is_told_and_leaves_nothing_of_its_call_under_way() -> None:
    batches, network, device = made(2)
    other = batches.begin(*crowd(1, 10))
    large = batches.begin(*crowd(6, 20))
    assert numbers(other()) == [10]
    network.problem = ValueError("lost")
    with pytest.raises(ValueError, match="lost"):
        large()
    assert not device.left
    begun = [batches.begin(*crowd(2, first)) for first in (30, 40)]  # both slots are free
    assert [numbers(finish()) for finish in begun] == [[30, 31], [40, 41]]


class Unstartable(CpuDevice):
    """A device on which a graph cannot be launched, where it is told so."""

    launches = True

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        replay = super().captured(run)

        def tried() -> None:
            if not self.launches:
                raise DeviceFailure("no launch; start again")
            replay()

        return tried


def test_a_batch_that_cannot_begin_leaves_nothing_under_way_where_the_next_one_writes() -> None:
    device = Unstartable()
    batches = GraphBatches(device, 256, {1: Counting()})
    other = batches.begin(*crowd(1, 1))
    device.launches = False
    with pytest.raises(DeviceFailure, match="no launch"):
        batches.begin(*crowd(1, 2))
    assert not device.left  # its copy up would read what the next one writes
    device.launches = True
    again = batches.begin(*crowd(1, 3))
    assert numbers(other()) == [1] and numbers(again()) == [3]


def test_closing_waits_for_what_is_begun_and_its_answer_can_still_be_had() -> None:
    batches, _, device = made(2)
    begun, large = batches.begin(*crowd(2, 10)), batches.begin(*crowd(3, 20))
    batches.close()
    assert not device.left and device.log[-1] == "wait"
    assert numbers(begun()) == [10, 11]
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        large()  # a piece of it has not been begun
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        batches.begin(*crowd(1))


def test_a_device_that_fails_at_the_end_is_closed_all_the_same() -> None:
    batches, network, _ = made(1)
    finish = batches.begin(*crowd(1))
    network.problem = DeviceFailure("lost; start again")
    batches.close()
    assert network.problem is None and finish is not None


def test_graphs_alone_are_replayed_without_a_copy() -> None:
    batches, network, device = made(4)
    batches.compute(5, runs=3)
    assert network.runs == [4, 1] * 3 and device.log == ["graph"] * 6 + ["wait"]
    finish = batches.begin(*crowd(1))
    with pytest.raises(EngineError, match="a batch is begun; finish it before"):
        batches.compute(1)
    finish()
    batches.close()
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        batches.compute(1)


class Named(GraphBatches):
    name = "fake"


def test_many_users_of_a_batcher_on_one_device_each_get_their_own_answers() -> None:
    network, device = Counting(), CpuDevice()
    batcher = Batcher(Named(device, 256, {1: network, 2: network, 4: network}), patience_s=20.0)
    network.runs.clear()
    right: list[bool] = []

    def use(user: int) -> None:
        for i in range(6):
            first = 40 * user + i
            got = numbers(batcher.retouch(*crowd(1 + i % 3, first)))
            right.append(got == list(range(first, first + 1 + i % 3)))

    users = [threading.Thread(target=use, args=(user,)) for user in range(5)]
    for user in users:
        user.start()
    for user in users:
        user.join(20)
    batcher.close()
    assert right == [True] * 30 and sum(network.runs) >= 60 and not device.left
