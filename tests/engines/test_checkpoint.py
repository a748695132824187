"""Weights files that are right, and every way in which they are wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch
from safetensors.torch import load_file, save_file

from engines.retouchgpt import checkpoint
from engines.weights_file import serving_config, weights_hash
from stream_retouch.errors import WeightsError

REMEDY = "; reinstall stream-retouch or name another file"


@pytest.fixture
def copy(weights: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    path = tmp_path / "copy.safetensors"
    shutil.copy(weights, path)
    shutil.copy(weights.with_suffix(".json"), path.with_suffix(".json"))
    return path


def test_what_is_saved_is_loaded_up_to_fp16_and_in_eval_mode(copy: Path, tmp_path: Path) -> None:
    model = checkpoint.load(copy)
    assert not model.training
    again = tmp_path / "again.safetensors"
    checkpoint.save(model, again)
    state = checkpoint.load(again).state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert weights_hash(again) == weights_hash(copy)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    for act in (checkpoint.load, weights_hash):
        with pytest.raises(WeightsError, match=f"no such file{REMEDY}"):
            act(path)


def test_a_truncated_file_is_told(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=f"not a safetensors file .*{REMEDY}"):
        checkpoint.load(copy)


def test_an_empty_file_is_told(copy: Path) -> None:
    copy.write_bytes(b"")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        checkpoint.load(copy)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("missing", "does not hold decoder.gates.weight"),
        ("shape", r"decoder.gates.weight is \(1, 2\), not \(\d+, \d+, 1, 1\)"),
        ("extra", "holds something.else, which this network does not have"),
        ("nan", "decoder.gates.weight holds numbers that are not finite"),
    ],
)
def test_weights_of_another_network_are_told(copy: Path, spoil: str, reason: str) -> None:
    state = load_file(copy)
    if spoil == "missing":
        del state["decoder.gates.weight"]
    elif spoil == "shape":
        state["decoder.gates.weight"] = torch.zeros(1, 2)
    elif spoil == "extra":
        state["something.else"] = torch.zeros(1)
    else:
        state["decoder.gates.weight"][0] = torch.nan
    save_file(state, copy)
    with pytest.raises(WeightsError, match=reason + REMEDY):
        checkpoint.load(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"widths": [1, 2, 3], "unknown": 1}'])
def test_a_configuration_that_is_none_is_told(copy: Path, text: str) -> None:
    copy.with_suffix(".json").write_text(text)
    for act in (checkpoint.load, serving_config):
        with pytest.raises(WeightsError, match="onfiguration"):
            act(copy)


def test_a_missing_configuration_is_told(copy: Path) -> None:
    copy.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="configuration unreadable"):
        checkpoint.load(copy)


def test_sizes_that_do_not_fit_the_seam_are_refused(copy: Path) -> None:
    path = copy.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "blocks": 2}))
    with pytest.raises(WeightsError, match="blocks is 2, the service works with 4"):
        serving_config(copy)
