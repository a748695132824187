"""A device without a GPU, and a `tensorrt` made of the names that its bindings have: what the GPU engines run on here.

The fake library really computes: a plan says for how many crops it is, and running it reads the inputs and writes the
outputs at the addresses that were set, with a function that the test brings along. So the build's gate passes and fails
for the same reasons as on a GPU. An attribute that the bindings of that version do not have is an AttributeError.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engines.feed import inputs, outputs
from engines.gpu import Gpu
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import GpuModel
from tests.engines.lazy_streams import Stream

NAMES: dict[str, dict[str, list[str]]] = json.loads(
    (Path(__file__).parent / "tensorrt_api_names.json").read_text()
)
"""By version of TensorRT: what the sources use of each name of the bindings."""
H200 = Gpu("NVIDIA H200", "9.0", "580.95.05", "13.0")
STREAM = 77

Compute = Callable[[Sequence[torch.Tensor], str], Sequence[torch.Tensor]]
"""A network: outputs, in their order, of inputs and the precision that it was built for."""


class CpuDevice:
    """Implements `engines.cuda_device.Device` in this computer's memory, as lazily as it may: see `lazy_streams`.

    A graph is the function itself, which whoever captured it has to keep.
    """

    kind = "cpu"
    stream = STREAM

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.captures = 0
        self.log: list[str] = []
        """What was asked for, in its order: up, graph, down, fetched, wait."""
        self.streams = Stream(), Stream(), Stream()
        """Up, compute, down."""

    @property
    def left(self) -> int:
        """How much was enqueued and has not run."""
        return sum(stream.left for stream in self.streams)

    def pinned(self, size: int) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.uint8)

    def memory(self, size: int) -> torch.Tensor:
        self.sizes.append(size)
        return torch.zeros(size, dtype=torch.uint8)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        with torch.no_grad():
            yield

    def captured(self, run: Callable[[], None]) -> Callable[[], None]:
        run()
        self.captures += 1
        kept = weakref.ref(run)

        def compute() -> None:
            run = kept()
            assert run is not None, "what was captured is gone, and its memory with it"
            run()

        def replay() -> None:
            self.log.append("graph")
            self.streams[1].enqueue(compute)

        return replay

    def up(self, there: torch.Tensor, here: torch.Tensor) -> None:
        self.log.append("up")
        up, compute, _ = self.streams
        up.enqueue(lambda: there.copy_(here))
        compute.wait_stream(up)

    def down(self, here: torch.Tensor, there: torch.Tensor) -> Callable[[], None]:
        self.log.append("down")
        _, compute, down = self.streams
        down.wait_stream(compute)
        down.enqueue(lambda: here.copy_(there))
        done = down.record_event()

        def fetch() -> None:
            self.log.append("fetched")
            done.synchronize()

        return fetch

    def wait(self) -> None:
        self.log.append("wait")
        for stream in self.streams:
            stream.synchronize()


def network(model: RetouchGPT) -> Compute:
    """What plans of that network compute, in fp32 whatever they were built for."""
    serving = GpuModel(model).eval()

    def compute(given: Sequence[torch.Tensor], precision: str) -> Sequence[torch.Tensor]:
        with torch.no_grad():
            answers: Sequence[torch.Tensor] = serving(*given)
            return answers

    return compute


def plain(model: RetouchGPT, precision: str, batch: int) -> bytes:
    """What stands for the network as ONNX: all that the fake has to know."""
    text = {"batch": batch, "size": model.config.crop_size, "precision": precision}
    return json.dumps(text).encode()


class FakeTensorRT:
    """Stands for the module ``tensorrt`` of one version."""

    def __init__(self, compute: Compute, version: str = "11.0.0.114") -> None:
        """`compute` is the network of every plan."""
        self.__version__ = version
        self.compute, self.names = compute, NAMES[version]
        self.built: list[bytes] = []
        self.unreadable = False
        """Whether the parser refuses every graph."""
        self.unbuildable = False
        """Whether the builder gives nothing."""
        self.runs = True
        """Whether running a plan works."""

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__["names"]:
            raise AttributeError(f"tensorrt {self.__version__} has no {name}")
        kinds: dict[str, Any] = {
            "Builder": lambda logger: Builder(self, logger),
            "OnnxParser": lambda network, logger: Parser(self, network),
            "Runtime": lambda logger: Runtime(self, logger),
            "Logger": Logger,
            "IProgressMonitor": ProgressMonitor,
        }
        return kinds.get(name) or Enumeration(name, self.names[name])


class Enumeration:
    """Members by name; each counts as its place."""

    def __init__(self, name: str, members: Sequence[str]) -> None:
        self._name, self._members = name, tuple(members)

    def __getattr__(self, member: str) -> Any:
        if member not in self._members:
            raise AttributeError(f"{self._name} has no {member}")
        return Member(self._members.index(member), f"{self._name}.{member}")


class Member(int):
    """A member of an enumeration."""

    def __new__(cls, value: int, name: str) -> Member:
        made = super().__new__(cls, value)
        made.name = name
        return made

    name: str


class Logger:
    WARNING = "warning"

    def __init__(self, severity: str) -> None:
        assert severity == self.WARNING


class ProgressMonitor:
    """The base class that the sources derive theirs from."""


class Builder:
    def __init__(self, trt: FakeTensorRT, logger: Logger) -> None:
        self._trt = trt

    def create_network(self, flags: int) -> Network:
        typed = self._trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        assert flags == 1 << int(typed)
        return Network()

    def create_builder_config(self) -> Config:
        return Config(self._trt)

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        if self._trt.unbuildable:
            return None
        monitor = config.progress_monitor
        monitor.phase_start("Building", None, 2)
        monitor.phase_start("Timing", "Building", 9)
        assert monitor.step_complete("Timing", 0)
        monitor.phase_finish("Timing")
        assert monitor.step_complete("Building", 1)
        monitor.phase_finish("Building")
        assert config.cleared == [self._trt.BuilderFlag.TF32]
        config.timings += b"timed"
        plan = f"PLAN {self._trt.__version__} ".encode() + network.graph
        self._trt.built.append(plan)
        return plan


class Network:
    graph = b""


class ParserError:
    def desc(self) -> str:
        return "no importer for Riddle"


class Parser:
    num_errors = 1

    def __init__(self, trt: FakeTensorRT, network: Network) -> None:
        self._trt, self._network = trt, network

    def parse(self, graph: bytes) -> bool:
        self._network.graph = graph
        return not self._trt.unreadable

    def get_error(self, index: int) -> ParserError:
        assert index == 0
        return ParserError()


class TimingCache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data


class Config:
    progress_monitor: Any = None

    def __init__(self, trt: FakeTensorRT) -> None:
        self.cleared: list[Any] = []
        self.timings = b""

    def clear_flag(self, flag: Any) -> None:
        self.cleared.append(flag)

    def create_timing_cache(self, data: bytes) -> TimingCache:
        return TimingCache(data)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache.data.startswith(b"foreign"):
            return False
        self.timings = cache.data
        return True

    def get_timing_cache(self) -> TimingCache:
        return TimingCache(self.timings)


class Runtime:
    def __init__(self, trt: FakeTensorRT, logger: Logger) -> None:
        self._trt = trt

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        start = f"PLAN {self._trt.__version__} ".encode()
        if not plan.startswith(start):
            return None
        return Engine(self._trt, **json.loads(plan[len(start) :]))


class Engine:
    def __init__(
        self, trt: FakeTensorRT, batch: int, size: int, precision: str, counted: bool = False
    ) -> None:
        self._trt, self.batch, self.precision = trt, batch, precision
        shapes = {**inputs(size), **outputs(size)}
        self._shapes = {name: (batch, *shape[1:]) for name, shape in shapes.items()}
        self._order = list(self._shapes)
        self._inputs = len(inputs(size))
        if counted:  # as torch-tensorrt does
            for i, name in enumerate(outputs(size)):
                self._shapes[f"output{i}"] = self._shapes.pop(name)

    @property
    def num_io_tensors(self) -> int:
        return len(self._shapes)

    def get_tensor_name(self, index: int) -> str:
        return list(self._shapes)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def get_tensor_mode(self, name: str) -> Any:
        first = list(self._shapes).index(name) < self._inputs
        modes = self._trt.TensorIOMode
        return modes.INPUT if first else modes.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        kinds = self._trt.DataType
        ours = self._order[list(self._shapes).index(name)]
        return kinds.UINT8 if ours in ("crops", "codes", "mask") else kinds.FLOAT

    def create_execution_context(self) -> Context:
        return Context(self._trt, self)


class Context:
    def __init__(self, trt: FakeTensorRT, engine: Engine) -> None:
        self._trt, self._engine = trt, engine
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address % 64 == 0
        self._addresses[name] = address
        return name in self._engine._shapes

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == STREAM
        names = list(self._engine._shapes)
        given = [torch.from_numpy(self._array(name)) for name in names[: self._engine._inputs]]
        answers = self._trt.compute(given, self._engine.precision)
        for name, answer in zip(names[self._engine._inputs :], answers, strict=True):
            self._array(name)[...] = answer.numpy()
        return self._trt.runs

    def _array(self, name: str) -> NDArray[Any]:
        """What lies at the address that was set."""
        kind = np.uint8 if self._engine.get_tensor_dtype(name).name.endswith("UINT8") else None
        shape = self._engine.get_tensor_shape(name)
        length = int(np.prod(shape)) * (1 if kind else 4)
        memory = (ctypes.c_uint8 * length).from_address(self._addresses[name])
        return np.frombuffer(memory, kind or np.float32).reshape(shape)


def digest(data: bytes) -> bytes:
    """As the file of timings begins."""
    return hashlib.sha256(data).digest()
