"""The GPU engines on a real GPU: skipped, with the reason, where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch

from engines import gpu
from engines.built import store
from engines.cuda_device import TorchDevice
from engines.cuda_graphs import GraphBatches
from engines.cuda_slots import Tensors
from engines.eager import EagerEngine
from engines.gpu_build import build_inductor, build_tensorrt
from engines.inductor import InductorEngine
from engines.retouchgpt import checkpoint
from engines.tensorrt import TensorRTEngine
from stream_retouch.engine import Conditioning, RetouchEngine
from stream_retouch.errors import EngineError
from tests.engines.conftest import conditioning

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU"),
    pytest.mark.filterwarnings("default"),  # of compilers about themselves
]


def compared(engine: RetouchEngine, weights: Path, batch: Batch) -> None:
    truth = EagerEngine(checkpoint.load(weights)).retouch(*batch)
    for found in (engine.retouch(*batch), engine.retouch(*batch)):
        for layer, true in zip(found, truth, strict=True):
            assert np.abs(layer.codes.astype(int) - true.codes).mean() < 1
            assert np.abs(layer.mask.astype(int) - true.mask).mean() < 1
            assert layer.skin_luma == pytest.approx(true.skin_luma, abs=0.1)


def test_what_is_enqueued_is_captured_and_replayed(batch: Batch) -> None:
    def network(given: Tensors, answers: Tensors) -> None:
        answers["codes"].copy_(given["crops"][:, :128, :128, 0][:, None].expand(-1, 4, -1, -1))
        answers["mask"].fill_(7)
        answers["skin_luma"].copy_(given["requests"].mean((1, 2, 3)))

    engine = GraphBatches(TorchDevice(), 256, {1: network, 2: network})
    layers = engine.retouch(*batch)
    for layer, crop, request in zip(layers, batch[0], batch[1], strict=True):
        assert np.array_equal(layer.codes[3], crop[:128, :128, 0]) and (layer.mask == 7).all()
        assert layer.skin_luma == pytest.approx(float(request.mean()), abs=1e-4)
    engine.close()


def test_batches_that_overlap_each_have_their_own_answers() -> None:
    def network(given: Tensors, answers: Tensors) -> None:
        product = torch.ones(2048, 2048, device=given["crops"].device)
        for _ in range(20):  # long enough for the next batch to be under way meanwhile
            product = product @ product / 2048
        seen = given["crops"].float().mean((1, 2, 3)) * product[0, 0]
        answers["codes"].copy_(seen.to(torch.uint8)[:, None, None, None].expand(-1, 4, 128, 128))
        answers["mask"].fill_(7)
        answers["skin_luma"].copy_(seen)

    engine = GraphBatches(TorchDevice(), 256, {1: network, 4: network})
    asked, expected = list[Batch](), list[list[float]]()
    for first in range(0, 200, 10):
        numbers = np.arange(first, first + 1 + first % 4, dtype=np.uint8)
        crops = np.broadcast_to(numbers[:, None, None, None], (len(numbers), 256, 256, 3))
        requests = np.zeros((len(numbers), 17, 32, 32), np.float32)
        asked.append((crops, requests, [conditioning(0)] * len(numbers)))
        expected.append([float(number) for number in numbers])
    found, finish = list[list[float]](), engine.begin(*asked[0])
    for batch in (*asked[1:], asked[0]):
        following = engine.begin(*batch)
        found.append([layer.skin_luma for layer in finish()])
        finish = following
    finish()
    for got, wanted in zip(found, expected, strict=True):
        assert got == pytest.approx(wanted, abs=1e-2)
    engine.close()


def test_inductor_computes_what_eager_computes(weights: Path, batch: Batch, tmp_path: Path) -> None:
    store(build_inductor(weights, "auto", 2, print), tmp_path)
    engine = InductorEngine.load(weights, cache=tmp_path)
    compared(engine, weights, batch)
    engine.close()


@pytest.mark.parametrize("converter", ["onnx", "torch_tensorrt"])
def test_tensorrt_computes_what_eager_computes(
    converter: str, weights: Path, batch: Batch, tmp_path: Path
) -> None:
    try:
        gpu.tensorrt()
    except EngineError as problem:
        pytest.skip(str(problem))
    store(build_tensorrt(weights, "auto", 2, print, tmp_path, converter), tmp_path)  # type: ignore[arg-type]
    engine = TensorRTEngine.load(weights, cache=tmp_path)
    compared(engine, weights, batch)
    engine.close()
