"""benchmarks.fps on a small random network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("openvino", reason="openvino is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("resource", reason="this system does not tell peak memory")

import torch

from benchmarks import fps
from engines.retouchgpt import checkpoint
from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.model import RetouchGPT
from engines.weights_file import weights_hash


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    config = RetouchGPTConfig(widths=(8, 8, 8), language_width=32, language_layers=1)
    checkpoint.save(RetouchGPT(config), path)
    return path


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_the_last_line_is_json_with_every_figure(
    engine: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--engine", engine, "--frames", "3", "--weights", str(weights)]
    arguments += ["--precision", "f32", "--batch", "1,3"]
    assert fps.main([*arguments, "--cache", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert found["engine"] == engine and found["threads"] == 1 and found["size"] == 256
    assert found["weights_sha256"] == weights_hash(weights)
    for key in ("ms", "eager_ms"):
        assert 0 < found[key]["p50"] <= found[key]["p95"] <= found[key]["p99"]
    assert found["parity_psnr_db"] >= 50 and found["edit_snr_db"] >= 30
    assert found["precision"] == "f32" and found["cpu"] and found["peak_mb"] > 0
    assert any("| eager f32 |" in line for line in lines[:-1])
    assert list(found["batches"]) == ["1", "3"]
    for size, row in found["batches"].items():
        assert row["crops_per_s"] == pytest.approx(int(size) / row["ms"] * 1e3, rel=0.01)


def test_what_is_missing_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fps.main(["--weights", str(tmp_path / "none.safetensors")]) == 1
    assert "no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fps.main(["--size", "300"])
    assert "invalid choice: 300" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fps.main(["--batch", "1,none"])
    assert "write 1,8,32, say" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("engine", ["tensorrt", "inductor"])
def test_an_engine_for_a_gpu_that_is_not_there_is_refused_in_a_sentence(
    engine: str, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fps.main(["--engine", engine, "--frames", "1", "--weights", str(weights)]) == 1
    assert "--engine openvino" in capsys.readouterr().err
