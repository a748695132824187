"""TorchDevice's order, on streams that do nothing before they have to: who forgets to wait reads zeros."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from engines.cuda_device import TorchDevice
from stream_retouch.errors import DeviceFailure
from tests.engines.lazy_streams import Stream


class Cuda:
    """What TorchDevice asks of `torch.cuda`, on lazy streams."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.streams: list[Stream] = []
        self.current: Stream | None = None
        patch.setattr(torch.cuda, "Stream", self.made)
        patch.setattr(torch.cuda, "stream", self.on)
        patch.setattr(torch.cuda, "device", lambda index: contextlib.nullcontext())

    def made(self, device: int) -> Stream:
        self.streams.append(Stream())
        return self.streams[-1]

    @contextlib.contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before

    def doubled(self, there: Cell, here: Cell) -> None:
        """What computes: enqueued on the stream that is the current one."""
        assert self.current is not None
        self.current.enqueue(lambda: there.set(2 * here.value))


class Cell:
    """A piece of memory that holds a number."""

    def __init__(self, cuda: Cuda, value: int = 0) -> None:
        self._cuda, self.value = cuda, value

    def set(self, value: int) -> None:
        self.value = value

    def copy_(self, other: Cell, non_blocking: bool) -> None:
        assert non_blocking and self._cuda.current is not None
        self._cuda.current.enqueue(lambda: self.set(other.value))


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    return Cuda(monkeypatch)


def begun(device: TorchDevice, cuda: Cuda, given: int) -> tuple[Any, Cell, Cell]:
    """What waits for the answer, what was computed, and where the answer will be."""
    pinned, up, computed, answer = (Cell(cuda, value) for value in (given, 0, 0, 0))
    memory: Any = pinned, up, computed, answer  # in the place of tensors
    with device.turn():
        device.up(memory[1], memory[0])
        cuda.doubled(computed, up)
        return device.down(memory[3], memory[2]), computed, answer


def test_what_computes_waits_for_its_copy_up_and_the_copy_down_for_what_computes(
    cuda: Cuda,
) -> None:
    device = TorchDevice()
    fetch, _, answer = begun(device, cuda, 21)
    assert answer.value == 0
    fetch()
    assert answer.value == 42


def test_an_answer_is_waited_for_without_the_batch_that_follows(cuda: Cuda) -> None:
    device = TorchDevice()
    first, second = begun(device, cuda, 1), begun(device, cuda, 2)
    first[0]()
    assert first[2].value == 2 and second[1].value == second[2].value == 0
    second[0]()
    assert second[2].value == 4 and not any(stream.left for stream in cuda.streams)


def test_all_that_computes_is_on_one_stream_and_each_way_of_copies_on_its_own(cuda: Cuda) -> None:
    device, pieces = TorchDevice(), list[list[int]]()
    memory: Any = Cell(cuda), Cell(cuda)
    with device.turn():
        for run in (
            lambda: device.up(*memory),
            lambda: cuda.doubled(*memory),
            lambda: device.down(*memory),
        ):
            before = [stream.left for stream in cuda.streams]
            run()
            pieces.append([a.left - b for a, b in zip(cuda.streams, before, strict=True)])
    # the copy up; the wait for it and what computes; the wait for that and the copy down
    assert sorted(zip(*pieces, strict=True)) == [(0, 0, 2), (1, 0, 0), (1, 1, 0)]


def test_waiting_for_everything_leaves_nothing(cuda: Cuda) -> None:
    device = TorchDevice()
    found = [begun(device, cuda, given) for given in (3, 4)]
    device.wait()
    assert [answer.value for _, _, answer in found] == [6, 8]
    assert not any(stream.left for stream in cuda.streams)


def test_what_torch_says_of_the_device_is_a_sentence_with_the_remedy(cuda: Cuda) -> None:
    device = TorchDevice()
    with pytest.raises(DeviceFailure, match="the GPU failed .lost.; start again, or use"):
        with device.turn():
            raise RuntimeError("lost")
    with pytest.raises(DeviceFailure, match="no memory left; .* smaller --max-batch"):
        with device.turn():
            raise torch.OutOfMemoryError("full")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_device_says_so() -> None:
    with pytest.raises(
        DeviceFailure, match="the GPU failed .*; start again, or use --engine openv"
    ):
        TorchDevice()
