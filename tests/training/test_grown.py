"""A network that starts from another's weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engines.retouchgpt.checkpoint import save
from engines.retouchgpt.model import RetouchGPT
from stream_retouch.errors import WeightsError
from tests.training.tiny import NETWORK
from training.grown import grow


@pytest.fixture
def old(tmp_path: Path) -> tuple[RetouchGPT, Path]:
    torch.manual_seed(1)
    model = RetouchGPT(NETWORK)
    save(model, tmp_path / "old.safetensors")
    return model, tmp_path / "old.safetensors"


def test_leading_parts_are_copied_and_new_inputs_start_small(old: tuple[RetouchGPT, Path]) -> None:
    before, path = old
    torch.manual_seed(2)
    wider = RetouchGPT(replace(NETWORK, widths=(16, 8, 16)))
    own = wider.encoder.stage2[0].conv.weight.detach().clone()
    assert grow(wider, path) == []
    first, second = wider.encoder.stage1.conv.weight, wider.encoder.stage2[0].conv.weight
    assert torch.allclose(first[:8], before.encoder.stage1.conv.weight, atol=1e-3)
    assert torch.allclose(second[:, :8], before.encoder.stage2[0].conv.weight, atol=1e-3)
    assert torch.allclose(second[:, 8:], 0.2 * own[:, 8:])


def test_the_same_network_comes_out_as_it_was(old: tuple[RetouchGPT, Path]) -> None:
    before, path = old
    same = RetouchGPT(NETWORK)
    assert grow(same, path) == []
    for name, tensor in same.state_dict().items():
        assert torch.allclose(tensor.float(), before.state_dict()[name].float(), atol=2e-3), name


def test_new_layers_are_told(old: tuple[RetouchGPT, Path]) -> None:
    _, path = old
    deeper = RetouchGPT(replace(NETWORK, blocks=2))
    assert "retoucher.blocks.1.query.weight" in grow(deeper, path)


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a safetensors file"):
        grow(RetouchGPT(NETWORK), tmp_path / "none.safetensors")
    save_file({"something": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="holds nothing of a retouching network"):
        grow(RetouchGPT(NETWORK), tmp_path / "other.safetensors")
