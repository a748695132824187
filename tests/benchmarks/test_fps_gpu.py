"""benchmarks.fps for an engine of a GPU, on a device without one: rows, limits, and what cannot be measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("openvino", reason="openvino is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("resource", reason="this system does not tell peak memory")

import torch

from benchmarks import fps, fps_gpu
from benchmarks.gpu_limits import CARDS
from engines.conditioner import LanguageConditioner
from engines.inductor import InductorEngine
from engines.parity import CROPS, samples
from engines.retouchgpt import checkpoint
from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import typed
from stream_retouch.errors import EngineError
from tests.engines.fake_gpu import CpuDevice

ROWS = ["whole calls", "overlapped", "graphs alone", "eager f32", "torch.compile f32"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    config = RetouchGPTConfig(widths=(8, 8, 8), language_width=32, language_layers=1)
    checkpoint.save(RetouchGPT(config), path)
    return path


class Compiler:
    """Stands for torch.compile: counts, and does nothing but that, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.runs, self._fails = 0, fails

    def __call__(self, run: fps_gpu.Run) -> fps_gpu.Run:
        if self._fails:
            raise RuntimeError("\n no | compiler\nmore")

        def counted(*given: torch.Tensor) -> Any:
            self.runs += 1
            return run(*given)

        return counted


def engine(weights: Path, device: CpuDevice) -> InductorEngine:
    model = checkpoint.load(weights)
    networks: dict[int, Callable[..., Any]] = {
        size: typed(model, "f32", size).module() for size in (1, 2)
    }
    return InductorEngine(networks, "f32", 256, device)


def test_every_row_is_measured_in_every_batch_and_set_against_the_card(weights: Path) -> None:
    device, compiler, told = CpuDevice(), Compiler(), list[str]()

    def on_gpu(*given: Any) -> dict[str, Any]:
        device.log.clear()
        *arguments, _ = given
        here: dict[str, Any] = {"device": "cpu", "compiled": compiler, "least": 2}
        return fps_gpu.measured(*arguments, told.append, card="NVIDIA H200", **here)

    found = fps.measure(
        "inductor",
        *(weights, 1, 1, None, CROPS),
        batches=(1, 2),
        load=lambda *_: engine(weights, device),
        on_gpu=on_gpu,
    )
    result = json.loads(json.dumps(found))
    gpu = result["gpu"]
    assert list(gpu["rows"]) == ROWS and gpu["name"] == "NVIDIA H200"
    assert result["batches"] == gpu["rows"]["whole calls"] and result["precision"] == "f32"
    for row in gpu["rows"].values():
        assert list(row) == ["1", "2"]
        for size, each in row.items():
            assert each["crops_per_s"] == pytest.approx(int(size) / each["ms"] * 1e3, rel=0.01)
            assert each["streams_at_30_fps"] == each["crops_per_s"] // 30
    card, crop = CARDS["NVIDIA H200"], gpu["crop"]
    assert gpu["limits"]["crops_per_s_by_flops"] == round(card.flops_per_s / crop["flops"])
    assert gpu["limits"]["crops_per_s_by_bytes"] == round(card.bytes_per_s / crop["bytes"])
    assert compiler.runs == 2 * (10 + 2)
    assert device.log.count("graph") - device.log.count("up") == 2 * (10 + 2)  # graphs alone
    assert "up graph down up graph down fetched up" in " ".join(device.log)  # overlapped
    assert "graphs alone, batches of 2" in told
    text = fps.table(result)
    assert "| inductor f32 | 1 |" in text and "| torch.compile f32 | 2 |" in text
    assert "crops/s by 989 TFLOP/s" in text and "4.80 TB/s" in text
    assert fps.file_name(result, "2026-11-21") == "fps-inductor-f32_nvidia-h200_2026-11-21.md"


def test_an_unknown_card_is_told_as_unknown_and_a_compiler_that_fails_hides_no_other_row(
    weights: Path,
) -> None:
    model = checkpoint.load(weights)
    given = samples(LanguageConditioner(model), CROPS, 256)
    gpu = fps_gpu.measured(
        *(engine(weights, CpuDevice()), model, "f32", given, [1], 1, lambda said: None),
        card="NVIDIA Riddle",
        device="cpu",
        compiled=Compiler(fails=True),
        least=1,
    )
    assert gpu["limits"] is None
    assert gpu["rows"]["torch.compile f32"]["1"] == {"problem": "no | compiler"}
    assert not any("share" in key for row in gpu["rows"].values() for key in row["1"])
    text = fps_gpu.table(gpu, "inductor f32")
    assert "the limits of this card are unknown (benchmarks/gpu_limits.py)" in text
    assert "| torch.compile f32 | 1 | failed: no / compiler |" in text
    assert text.count("| unknown | unknown |") == 4


def test_an_engine_that_fails_is_no_row_without_figures(weights: Path) -> None:
    broken = engine(weights, CpuDevice())
    broken.close()
    model = checkpoint.load(weights)
    given = samples(LanguageConditioner(model), CROPS, 256)
    with pytest.raises(EngineError, match="closed"):
        fps_gpu.measured(
            *(broken, model, "f32", given, [1], 1, lambda said: None), card="NVIDIA H200"
        )


def test_shares_are_of_the_limits_of_that_batch() -> None:
    cost = fps_gpu.CropCost(flops=10**9, weight_bytes=4 * 10**6, in_out_bytes=10**6)
    row: fps_gpu.Row = {"1": {"crops_per_s": 9600.0}, "4": {"crops_per_s": 24000.0}}
    fps_gpu.complete(row, cost, "NVIDIA H200")
    assert row["1"]["share_of_bytes"] == pytest.approx(0.01)  # 5 MB a crop of 4.8 TB a second
    assert row["4"]["share_of_bytes"] == pytest.approx(0.01)  # 2 MB
    assert row["4"]["share_of_flops"] == pytest.approx(24000 / 989e3, abs=1e-5)
    assert row["1"]["streams_at_30_fps"] == 320


def test_pytorch_itself_computes_what_the_engine_does(weights: Path) -> None:
    model = checkpoint.load(weights)
    given = samples(LanguageConditioner(model), CROPS, 256)
    run = typed(model, "f32", 2).module(check_guards=False)
    asked = given.crops[:2], given.requests[:2], given.conditionings[:2]
    plain = fps_gpu.PlainEngine(run, 256, "cpu").retouch(*asked)
    engine = InductorEngine({2: run}, "f32", 256, CpuDevice()).retouch(*asked)
    for one, other in zip(plain, engine, strict=True):
        assert (one.codes == other.codes).all() and (one.mask == other.mask).all()
