"""The mean of weights, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engines.retouchgpt.checkpoint import load, save
from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.model import RetouchGPT
from tests.training.tiny import NETWORK
from training.mean import main


def weights(folder: Path, seed: int, config: RetouchGPTConfig = NETWORK) -> Path:
    torch.manual_seed(seed)
    path = folder / f"{seed}.safetensors"
    save(RetouchGPT(config), path)
    return path


def test_every_tensor_is_the_weighted_mean(tmp_path: Path) -> None:
    parts = [weights(tmp_path, seed) for seed in (1, 2)]
    out = tmp_path / "out" / "mean.safetensors"
    assert main([str(out), f"{parts[0]}=.25", f"{parts[1]}=.75"]) == 0
    first, second, found = (load(p).state_dict() for p in (*parts, out))
    assert load(out).config == NETWORK
    for name, value in found.items():
        if value.is_floating_point():
            wanted = 0.25 * first[name] + 0.75 * second[name]
            assert torch.allclose(value, wanted, rtol=1e-3, atol=1e-6), name
        else:
            assert torch.equal(value, first[name]), name


def test_weights_alone_are_themselves(tmp_path: Path) -> None:
    path, out = weights(tmp_path, 1), tmp_path / "mean.safetensors"
    assert main([str(out), f"{path}=1"]) == 0
    assert out.read_bytes() == path.read_bytes()


def test_what_cannot_be_is_told_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = weights(tmp_path, 1), tmp_path / "mean.safetensors"
    other = weights(tmp_path, 3, replace(NETWORK, widths=(8, 8, 8)))
    for parts, words in (
        ([f"{path}=.5"], "the shares sum to 0.5; give shares that sum to 1"),
        ([f"{path}=.5", f"{other}=.5"], "3.safetensors: holds another network than the first"),
        ([f"{path}=.5", f"{tmp_path}/gone.safetensors=.5"], "gone.safetensors: no such file"),
    ):
        assert main([str(out), *parts]) == 1
        assert words in capsys.readouterr().err
    for part, words in (("a", "'a' is no FILE=SHARE"), ("a=b", "the share 'b' is no number")):
        with pytest.raises(SystemExit):
            main([str(out), part])
        assert words in capsys.readouterr().err
    assert main([str(path / "mean.safetensors"), f"{path}=1"]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert not out.exists()
