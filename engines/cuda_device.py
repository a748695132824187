"""A GPU's memory, stream and graphs: all that engines ask of CUDA, behind an interface that tests do without one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

import torch

from engines.gpu import first_line
from stream_retouch.errors import DeviceFailure

WARM_UP = 3
"""Runs before one is captured: the first of them set up what must not be set up within a graph."""


class Device(Protocol):
    """What runs networks. One thread at a time."""

    kind: str
    """torch's name for it, for example ``cuda``."""

    @property
    def stream(self) -> int:
        """The handle of its stream, for libraries that enqueue by themselves."""
        ...

    def pinned(self, size: int) -> torch.Tensor:
        """(size,) uint8 zeros of this computer's memory that the device reads and writes by itself."""
        ...

    def memory(self, size: int) -> torch.Tensor:
        """(size,) uint8 zeros of the device's own memory; it stays where it is."""
        ...

    def turn(self) -> contextlib.AbstractContextManager[None]:
        """Everything that is enqueued inside goes to the stream.

        Raises:
            DeviceFailure: on leaving, for whatever torch says of the device.
        """
        ...

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """What enqueues all that `run` enqueues, in one go. `run` works on the same memory in every call."""
        ...

    def wait(self) -> None:
        """Returns when everything that was enqueued is done."""
        ...


class TorchDevice:
    """Implements `Device` with the first GPU that torch sees, and a stream of its own."""

    kind = "cuda"

    def __init__(self) -> None:
        """Raises:
        DeviceFailure: the GPU cannot be used.
        """
        with _told():
            self._stream = torch.cuda.Stream(0)  # type: ignore[no-untyped-call]

    @property
    def stream(self) -> int:
        return int(self._stream.cuda_stream)

    def pinned(self, size: int) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.uint8, pin_memory=True)

    def memory(self, size: int) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.uint8, device="cuda:0")

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        with _told(), torch.no_grad(), torch.cuda.device(0), torch.cuda.stream(self._stream):
            yield

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        for _ in range(WARM_UP):
            run()
        self.wait()
        graph = torch.cuda.CUDAGraph()
        # what other threads do with the GPU meanwhile is no concern of this graph
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            run()
        return graph.replay

    def wait(self) -> None:
        self._stream.synchronize()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Every error of torch as a sentence."""
    try:
        yield
    except torch.OutOfMemoryError as problem:
        raise DeviceFailure(
            "the GPU has no memory left; end what else runs on it, or build with a smaller --max-batch"
        ) from problem
    except RuntimeError as problem:
        raise DeviceFailure(
            f"the GPU failed ({first_line(problem)}); start again, or use --engine openvino"
        ) from problem
