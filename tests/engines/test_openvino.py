"""OpenVINOEngine and its cache."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("openvino", reason="openvino is not installed")

from engines.openvino import OpenVINOEngine, identity
from stream_retouch.engine import Conditioning
from stream_retouch.errors import EngineError, WeightsError

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
from pathlib import Path
import numpy as np
from engines.openvino import OpenVINOEngine
from stream_retouch.engine import Conditioning
engine = OpenVINOEngine.load(Path(sys.argv[1]), cache=Path(sys.argv[2]), precision="f32")
block = np.zeros((4, 128), np.float32)
neutral = Conditioning(np.zeros(64, np.float32), block + 1, block, block)
(layer,) = engine.retouch(
    np.zeros((1, 256, 256, 3), np.uint8), np.ones((1, 17, 32, 32), np.float32), [neutral]
)
print(layer.mask.shape, "openvino_telemetry" in sys.modules and sys.modules["openvino_telemetry"])
"""


def test_with_the_engine_in_the_cache_no_torch_is_needed_and_nobody_is_told(
    weights: Path, cache: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(weights), str(cache)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(128, 128) None"


def test_a_network_for_large_crops_computes_what_eager_computes(
    finer_weights: Path, batch: tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]
) -> None:
    from engines.eager import EagerEngine
    from engines.openvino_build import exported
    from engines.retouchgpt import checkpoint

    model = checkpoint.load(finer_weights)
    engine, eager = OpenVINOEngine(exported(model), "f32", 1), EagerEngine(model)
    assert engine.crop_size == eager.crop_size == 512
    wanted = identity(finer_weights, "f32")
    assert wanted.inputs["crops"] == [1, 512, 512, 3] and wanted.outputs["mask"] == [1, 256, 256]
    large = np.repeat(np.repeat(batch[0][:1], 2, axis=1), 2, axis=2)
    (found,), (truth,) = (e.retouch(large, batch[1][:1], batch[2][:1]) for e in (engine, eager))
    assert found.codes.shape == (4, 256, 256) and found.mask.shape == (256, 256)
    assert found.mask.max() > 10
    for one, other in ((found.codes, truth.codes), (found.mask, truth.mask)):
        assert np.abs(one.astype(int) - other).max() <= 1
    for made in (engine, eager):
        with pytest.raises(EngineError, match=r"not \(3, 512, 512, 3\) uint8; pass "):
            made.retouch(*batch)


def copied(cache: Path, folder: Path) -> Path:
    shutil.copytree(cache, folder, dirs_exist_ok=True)
    return folder


def test_a_cache_file_that_is_cut_short_is_told_and_built_again(
    weights: Path, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(cache, tmp_path)
    (victim,) = folder.glob("*.bin")
    victim.write_bytes(victim.read_bytes()[:-100])
    with caplog.at_level(logging.INFO, "engines.openvino"):
        OpenVINOEngine.load(weights, cache=folder, precision="f32").close()
    assert "building the engine openvino" in caplog.text and "is damaged" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, "engines.openvino"):
        OpenVINOEngine.load(weights, cache=folder, precision="f32").close()
    assert not caplog.records


def test_a_cache_that_cannot_be_written_is_told_and_the_engine_runs(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    engine = OpenVINOEngine.load(weights, cache=in_the_way / "cache", precision="f32")
    engine.close()
    assert "the engine cannot be kept in" in caplog.text and "name another" in caplog.text


def test_missing_weights_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        OpenVINOEngine.load(tmp_path / "none.safetensors", cache=tmp_path)


def test_bytes_that_are_no_graph_are_refused_with_the_remedy() -> None:
    with pytest.raises(EngineError, match="; build it again with python -m engines.build"):
        OpenVINOEngine((b"no graph", b"no numbers"), "f32", 1)
