"""InductorEngine and its build: the typed graph itself takes the place of what is compiled, for that takes a minute."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch

from engines.built import store
from engines.compiled import build_gpu
from engines.eager import EagerEngine
from engines.gpu_cache import built, identity
from engines.inductor import InductorEngine, runtime_name, unpacked
from engines.inductor_build import InductorMaker
from engines.parity import Bounds
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import Precision, typed
from stream_retouch.engine import Conditioning, RetouchEngine
from stream_retouch.errors import DeviceFailure, EngineError
from tests.engines.fake_gpu import H200, CpuDevice

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]


class GraphMaker(InductorMaker):
    """Keeps what it makes instead of compiling it; a file is its place."""

    def __init__(self, device: CpuDevice) -> None:
        super().__init__(device)
        self.graphs: list[Any] = []

    def made(self, model: RetouchGPT, precision: Precision, batch: int) -> bytes:
        self.graphs.append(typed(model, precision, batch).module())
        return f"{len(self.graphs) - 1} {precision} {batch}".encode()

    def run(self, data: bytes) -> Callable[..., Sequence[torch.Tensor]]:
        graph: Callable[..., Sequence[torch.Tensor]] = self.graphs[int(data.split()[0])]
        return graph

    def engine(self, files: dict[int, bytes], precision: str, crop_size: int) -> RetouchEngine:
        networks = {size: self.run(data) for size, data in files.items()}
        return InductorEngine(networks, precision, crop_size, CpuDevice())


def test_a_built_engine_computes_what_eager_computes(
    weights: Path, batch: Batch, tmp_path: Path
) -> None:
    maker, told = GraphMaker(CpuDevice()), list[str]()
    goal = identity("inductor", runtime_name(), H200, weights, "f32", max_batch=2)
    store(build_gpu(weights, goal, maker, told.append), tmp_path)
    assert len(list(tmp_path.glob("*.pt2"))) == 2
    found = built(goal, tmp_path, None)
    assert found.manifest.libraries == {"torch": importlib.metadata.version("torch")}
    device = CpuDevice()
    engine = InductorEngine.of(found, device, maker.run)
    assert (engine.name, engine.crop_size, engine.crops_at_once) == ("inductor", 256, 2)
    assert device.captures == 4  # two of each batch size
    truth = EagerEngine(checkpoint.load(weights)).retouch(*batch)
    for layer, true in zip(engine.retouch(*batch), truth, strict=True):
        assert np.abs(layer.codes.astype(int) - true.codes).max() <= 1
        assert np.abs(layer.mask.astype(int) - true.mask).max() <= 1
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        engine.retouch(*batch)


def test_with_auto_the_first_precision_that_passes_is_taken(weights: Path) -> None:
    told: list[str] = []
    goal = identity("inductor", runtime_name(), H200, weights, "auto", max_batch=1)
    strict = Bounds(edit_snr_db=65)  # fp16 has some 45
    found = build_gpu(weights, goal, GraphMaker(CpuDevice()), told.append, bounds=strict)
    assert found.manifest.precision == "f32"
    assert [line.split()[0] for line in told if "left out" in line] == ["fp16", "bf16"]


class Full(GraphMaker):
    """A GPU without memory."""

    def made(self, model: RetouchGPT, precision: Precision, batch: int) -> bytes:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_gpu_without_memory_ends_the_build_at_once(weights: Path) -> None:
    told: list[str] = []
    goal = identity("inductor", runtime_name(), H200, weights, "auto", max_batch=1)
    with pytest.raises(DeviceFailure, match="no memory left to build on; .* smaller --max-batch"):
        build_gpu(weights, goal, Full(CpuDevice()), told.append)
    assert not [line for line in told if "left out" in line]


def test_a_network_with_other_outputs_is_refused_with_the_remedy() -> None:
    def other(*given: torch.Tensor) -> Sequence[torch.Tensor]:
        return torch.zeros(1, 4, 64, 64, dtype=torch.uint8), torch.zeros(1), torch.zeros(1)

    with pytest.raises(EngineError, match="another codes; build it again .* --engine inductor"):
        InductorEngine({1: other}, "f32", 256, CpuDevice())


def test_bytes_that_are_no_package_are_refused_with_the_remedy() -> None:
    with pytest.raises(EngineError, match="cannot load this engine .*; build it again with"):
        unpacked(b"no package")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_loading_says_so(weights: Path) -> None:
    with pytest.raises(EngineError, match="(built without CUDA|no NVIDIA GPU).*--engine openvino"):
        InductorEngine.load(weights)
