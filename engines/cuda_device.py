"""A GPU's memory, streams and graphs: all that engines ask of CUDA, behind an interface that tests do without one.

    up      ─ copy 1 ┐ copy 2 ┐
    compute          └ graph 1 ┐└ graph 2 ┐
    down                       └ copy 1    └ copy 2

Everything that computes is on one stream, so that no two runs meet in the memory that they share. Copies have a stream
for each way, and a GPU has engines for each: the next batch goes up, and the one before comes down, beside a graph.
"""

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
        """The handle of the stream that computes, for libraries that enqueue by themselves."""
        ...

    def pinned(self, size: int) -> torch.Tensor:
        """(size,) uint8 zeros of this computer's memory that the device reads and writes by itself."""
        ...

    def memory(self, size: int) -> torch.Tensor:
        """(size,) uint8 zeros of the device's own memory; it stays where it is."""
        ...

    def turn(self) -> contextlib.AbstractContextManager[None]:
        """Everything that is enqueued inside goes to the stream that computes.

        Raises:
            DeviceFailure: on leaving, for whatever torch says of the device.
        """
        ...

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """What enqueues all that `run` enqueues, in one go. `run` works on the same memory in every call.

        What comes back knows addresses only: the caller keeps `run`, and so all that it works with.
        """
        ...

    def up(self, there: torch.Tensor, here: torch.Tensor) -> None:
        """Enqueues a copy of pinned memory to the device's; what computes and is enqueued later comes after it.

        The caller leaves both as they are until what comes after them is done.
        """
        ...

    def down(self, here: torch.Tensor, there: torch.Tensor) -> Callable[[], None]:
        """Enqueues a copy of the device's memory to pinned, after what computes and was enqueued before; what comes
        back waits for that copy, and for nothing that was enqueued later."""
        ...

    def wait(self) -> None:
        """Returns when everything that was enqueued is done, copies too."""
        ...


class TorchDevice:
    """Implements `Device` with the first GPU that torch sees, and streams of its own."""

    kind = "cuda"

    def __init__(self) -> None:
        """Raises:
        DeviceFailure: the GPU cannot be used.
        """
        with _told():
            self._stream, self._up, self._down = (
                torch.cuda.Stream(0)  # type: ignore[no-untyped-call]
                for _ in range(3)
            )

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

    # torch's allocator knows one stream for each piece of memory, the one it was made on. It would have to be told of
    # the others (record_stream) if memory were let go while they use it. It never is: buffers stay as long as their
    # graph, and nobody lets go of a graph before its copies are done.

    def up(self, there: torch.Tensor, here: torch.Tensor) -> None:
        with torch.cuda.stream(self._up):
            there.copy_(here, non_blocking=True)
        self._stream.wait_stream(self._up)

    def down(self, here: torch.Tensor, there: torch.Tensor) -> Callable[[], None]:
        self._down.wait_stream(self._stream)
        with torch.cuda.stream(self._down):
            here.copy_(there, non_blocking=True)
        done: Callable[[], None] = self._down.record_event().synchronize
        return done

    def wait(self) -> None:
        for stream in (self._up, self._stream, self._down):
            stream.synchronize()


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
