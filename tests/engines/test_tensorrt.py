"""TensorRTEngine and its build, on a fake TensorRT that computes: versions, both ways to a plan, failures."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Sequence
from dataclasses import replace
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
from engines.manifest import EngineIdentity
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.tensorrt import TensorRTEngine
from engines.tensorrt_build import TensorRTMaker, timings_name
from stream_retouch.engine import Conditioning
from stream_retouch.errors import DeviceFailure, EngineError, ParityError
from tests.engines import fake_gpu
from tests.engines.fake_gpu import H200, CpuDevice, FakeTensorRT, digest, network

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]


@pytest.fixture(scope="module")
def model(weights: Path) -> RetouchGPT:
    return checkpoint.load(weights)


@pytest.fixture
def trt(model: RetouchGPT) -> FakeTensorRT:
    return FakeTensorRT(network(model))


def maker(trt: FakeTensorRT, folder: Path, told: list[str], **settings: Any) -> TensorRTMaker:
    settings = {"as_onnx": fake_gpu.plain, **settings}
    return TensorRTMaker(trt, CpuDevice(), H200, folder, told.append, **settings)


def wanted(weights: Path, version: str = "11.0.0.114", most: int = 4) -> EngineIdentity:
    return identity("tensorrt", f"tensorrt {version}", H200, weights, max_batch=most)


def made(model: RetouchGPT, trt: FakeTensorRT, sizes: Sequence[int] = (1, 2, 4)) -> TensorRTEngine:
    start = f"PLAN {trt.__version__} ".encode()
    plans = {size: start + fake_gpu.plain(model, "f32", size) for size in sizes}
    return TensorRTEngine(plans, "f32", 256, CpuDevice(), trt)


@pytest.mark.parametrize("version", fake_gpu.NAMES)
def test_a_built_engine_computes_what_eager_computes_in_every_version(
    version: str, weights: Path, model: RetouchGPT, batch: Batch, tmp_path: Path
) -> None:
    trt, told = FakeTensorRT(network(model), version), list[str]()
    goal = wanted(weights, version)
    store(build_gpu(weights, goal, maker(trt, tmp_path, told), told.append), tmp_path)
    found = built(goal, tmp_path, None)
    assert found.manifest.precision == "fp16" and found.manifest.parity.edit_snr_db > 60
    assert found.manifest.identity.gpu == "NVIDIA H200" and "torch" in found.manifest.libraries
    engine = TensorRTEngine.of(found, CpuDevice(), trt)
    assert (engine.name, engine.crop_size, engine.crops_at_once) == ("tensorrt", 256, 4)
    for layer, truth in zip(
        engine.retouch(*batch), EagerEngine(model).retouch(*batch), strict=True
    ):
        assert np.abs(layer.codes.astype(int) - truth.codes).max() <= 1
        assert np.abs(layer.mask.astype(int) - truth.mask).max() <= 1


def test_every_step_of_a_build_is_told(
    weights: Path, model: RetouchGPT, trt: FakeTensorRT, tmp_path: Path
) -> None:
    told: list[str] = []
    build_gpu(weights, wanted(weights, most=2), maker(trt, tmp_path, told), told.append)
    assert told[:4] == [
        "reading the weights",
        "running eager on the parity crops",
        "compiling fp16 for batches of 1 (1 of 2)",
        "tensorrt: Building, 2 steps",
    ]
    assert "tensorrt: Building, step 2 of 2" in told
    assert "comparing fp16 with eager in batches of 2" in told
    assert told[-1].startswith("fp16 accepted: parity ")
    assert len(trt.built) == 2


def test_what_differs_from_eager_is_refused_by_how_much_and_the_next_precision_tried(
    weights: Path, model: RetouchGPT, tmp_path: Path
) -> None:
    good = network(model)

    def compute(given: Sequence[Any], precision: str) -> Sequence[Any]:
        codes, mask, luma = good(given, precision)
        nothing = torch.zeros_like(mask)
        return codes, nothing if precision == "fp16" else mask, luma

    told: list[str] = []
    found = build_gpu(
        weights,
        wanted(weights, most=1),
        maker(FakeTensorRT(compute), tmp_path, told),
        told.append,
    )
    assert found.manifest.precision == "bf16"
    (line,) = [line for line in told if "is left out" in line]
    assert "fp16 is left out (engine refused: " in line and "at least 50.0 is needed" in line
    asked = replace(wanted(weights, most=1), asked_precision="fp16")
    with pytest.raises(ParityError, match="is needed; build with a higher precision"):
        build_gpu(weights, asked, maker(FakeTensorRT(compute), tmp_path, told), told.append)


def test_nan_in_a_larger_batch_alone_is_refused(
    weights: Path, model: RetouchGPT, tmp_path: Path
) -> None:
    good = network(model)

    def compute(given: Sequence[Any], precision: str) -> Sequence[Any]:
        codes, mask, luma = good(given, precision)
        return codes, mask, luma * float("nan") if len(mask) == 2 else luma

    told: list[str] = []
    with pytest.raises(ParityError):
        build_gpu(
            weights,
            wanted(weights, most=2),
            maker(FakeTensorRT(compute), tmp_path, told),
            told.append,
        )


def test_more_crops_than_the_largest_batch_run_in_pieces(
    model: RetouchGPT, trt: FakeTensorRT, batch: Batch
) -> None:
    engine = made(model, trt, (1, 2))
    crops, requests, conditionings = batch
    many = engine.retouch(
        np.tile(crops, (2, 1, 1, 1)), np.tile(requests, (2, 1, 1, 1)), conditionings * 2
    )
    assert len(many) == 6
    for one, other in zip(many[:3], many[3:], strict=True):
        assert np.abs(one.mask.astype(int) - other.mask).max() <= 1


def test_other_words_need_no_other_engine(
    model: RetouchGPT, trt: FakeTensorRT, batch: Batch
) -> None:
    engine = made(model, trt, (1,))
    crops, requests, conditionings = (part[:1] for part in batch)
    first = engine.retouch(crops, requests, conditionings)
    second = engine.retouch(crops, requests, batch[2][1:2])
    assert not np.array_equal(first[0].codes, second[0].codes)


def test_a_closed_engine_says_so_and_closes_twice(
    model: RetouchGPT, trt: FakeTensorRT, batch: Batch
) -> None:
    engine = made(model, trt, (1,))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        engine.retouch(*batch)


def test_a_plan_that_cannot_be_read_or_is_for_others_is_refused_with_the_remedy(
    model: RetouchGPT, trt: FakeTensorRT
) -> None:
    remedy = "build it again with python -m engines.build --engine tensorrt"
    other = f"PLAN 8.6.0 {fake_gpu.plain(model, 'f32', 1).decode()}".encode()
    with pytest.raises(EngineError, match=f"cannot read the plan for batches of 1; {remedy}"):
        TensorRTEngine({1: other}, "f32", 256, CpuDevice(), trt)
    plan = f"PLAN 11.0.0.114 {fake_gpu.plain(model, 'f32', 2).decode()}".encode()
    with pytest.raises(EngineError, match=f"another crops for batches of 1; {remedy}"):
        TensorRTEngine({1: plan}, "f32", 256, CpuDevice(), trt)
    with pytest.raises(EngineError, match="another crops for batches of 2"):
        TensorRTEngine({2: plan}, "f32", 512, CpuDevice(), trt)


def test_a_plan_whose_outputs_are_counted_instead_of_named_runs(
    model: RetouchGPT, trt: FakeTensorRT, batch: Batch
) -> None:
    text = {**json.loads(fake_gpu.plain(model, "f32", 4)), "counted": True}
    plan = f"PLAN 11.0.0.114 {json.dumps(text)}".encode()
    engine = TensorRTEngine({4: plan}, "f32", 256, CpuDevice(), trt)
    assert engine.retouch(*batch)[0].mask.max() > 10


def test_a_plan_that_does_not_run_is_a_failure_of_the_device(
    model: RetouchGPT, trt: FakeTensorRT, batch: Batch
) -> None:
    engine = made(model, trt, (1,))
    trt.runs = False
    with pytest.raises(DeviceFailure, match="could not run the plan; start again, or build"):
        engine.retouch(*batch)


def test_what_the_parser_and_the_builder_refuse_is_told(
    model: RetouchGPT, trt: FakeTensorRT, tmp_path: Path
) -> None:
    told: list[str] = []
    trt.unbuildable = True
    with pytest.raises(EngineError, match="tensorrt cannot build the network, .*; use another"):
        maker(trt, tmp_path, told, converter="onnx").made(model, "fp16", 1)
    trt.unreadable = True
    with pytest.raises(
        EngineError, match=r"cannot read the network \(no importer for Riddle\); use"
    ):
        maker(trt, tmp_path, told, converter="onnx").made(model, "fp16", 1)


class Converter(types.ModuleType):
    """Stands for torch_tensorrt: makes the same plan, and counts."""

    def __init__(self, model: RetouchGPT) -> None:
        super().__init__("torch_tensorrt")
        self.dynamo, self._model, self.calls = self, model, 0

    def convert_exported_program_to_serialized_trt_engine(
        self, program: Any, *, arg_inputs: list[Any], disable_tf32: bool, timing_cache_path: str
    ) -> bytes:
        assert isinstance(program, torch.export.ExportedProgram) and disable_tf32
        assert timing_cache_path.endswith("-nvidia-h200-9-0.torch-timings")
        self.calls += 1
        graph = fake_gpu.plain(self._model, "f32", len(arg_inputs[0]))
        return b"PLAN 11.0.0.114 " + graph


@pytest.mark.parametrize("asked", ["auto", "torch_tensorrt"])
def test_torch_tensorrt_is_the_second_way_and_the_first_where_it_is_asked_for(
    asked: str,
    model: RetouchGPT,
    trt: FakeTensorRT,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second, told = Converter(model), list[str]()
    monkeypatch.setitem(sys.modules, "torch_tensorrt", second)
    trt.unreadable = asked == "auto"
    way = maker(trt, tmp_path, told, converter=asked)
    plan = way.made(model, "fp16", 2)
    assert second.calls == 1 and plan.startswith(b"PLAN") and way.libraries[1] == "torch-tensorrt"
    assert (len(told) == 1 and told[0].endswith("trying torch_tensorrt")) == (asked == "auto")
    way.made(model, "fp16", 2)
    assert len(told) == (1 if asked == "auto" else 0)  # it stays with what works


def test_where_neither_way_works_both_reasons_are_told(
    model: RetouchGPT, trt: FakeTensorRT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    trt.unreadable = True
    both = (
        r"no importer for Riddle.*neither does torch_tensorrt: .*cannot be imported .*\[tensorrt\]"
    )
    with pytest.raises(EngineError, match=both):
        maker(trt, tmp_path, []).made(model, "fp16", 1)


def test_timings_of_kernels_are_kept_for_the_next_build_of_that_version_and_gpu(
    model: RetouchGPT, trt: FakeTensorRT, tmp_path: Path
) -> None:
    told: list[str] = []
    path = tmp_path / "tensorrt-11.0.0.114-nvidia-h200-9-0.timings"
    assert path.name == timings_name("11.0.0.114", H200)
    for count in (1, 2):
        maker(trt, tmp_path, told).made(model, "fp16", 1)
        assert path.read_bytes() == digest(b"timed" * count) + b"timed" * count
    path.write_bytes(path.read_bytes()[:-1])
    maker(trt, tmp_path, told).made(model, "fp16", 1)
    assert any("is damaged and not used; all kernels are timed again" in line for line in told)
    path.write_bytes(digest(b"foreign") + b"foreign")
    maker(trt, tmp_path, told).made(model, "fp16", 1)
    assert any("is of another TensorRT or GPU and not used" in line for line in told)
    assert path.read_bytes()[32:] == b"timed"


def test_timings_that_cannot_be_kept_are_told(
    model: RetouchGPT, trt: FakeTensorRT, tmp_path: Path
) -> None:
    told: list[str] = []
    (tmp_path / "file").write_text("in the way")
    maker(trt, tmp_path / "file" / "cache", told).made(model, "fp16", 1)
    assert "cannot be kept (" in told[-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_loading_says_so_and_tensorrt_is_not_touched(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # an import would say something else
    with pytest.raises(EngineError, match="(built without CUDA|no NVIDIA GPU).*--engine openvino"):
        TensorRTEngine.load(weights)
