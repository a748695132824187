"""The form that is exported computes what the model computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch

from engines.retouchgpt import checkpoint
from engines.retouchgpt.layers import rise2, up2
from engines.retouchgpt.retoucher import pool2
from engines.retouchgpt.serving import ServingModel, TwoPartConvolution
from tests.engines.networks import assert_handed_out


def test_codes_mask_and_mu_are_those_of_the_model(weights: Path) -> None:
    model = checkpoint.load(weights)
    rng = np.random.default_rng(2)
    crops = torch.tensor(rng.integers(0, 256, (2, 256, 256, 3)).astype(np.uint8))
    request = torch.tensor(rng.random((2, 17, 32, 32), np.float32))
    block = torch.zeros(2, 4, 128)
    inputs = (request, torch.zeros(2, 64), block + 1, block, block)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.inference_mode():
        codes, mask, skin_luma = ServingModel(model)(crops, *inputs)
        out = model.frame(crops.permute(0, 3, 1, 2) / 255.0, *inputs)
    assert_handed_out(codes, mask, out)
    assert torch.allclose(skin_luma, out.skin_luma, atol=1e-3)
    # the model itself is left as it is
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_a_weight_in_two_bf16_parts_is_exact_to_16_bits() -> None:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(16, 16, 1, 1, generator=generator)
    conv = TwoPartConvolution(weight, torch.zeros(16))
    parts = [part.weight.to(torch.bfloat16).float() for part in (conv.high, conv.low)]
    assert ((sum(parts) - weight).abs() <= weight.abs() * 2.0**-16).all()
    x = torch.randn(1, 16, 4, 4, generator=generator)
    assert torch.allclose(conv(x), torch.nn.functional.conv2d(x, weight), atol=1e-5)


def test_two_products_with_the_rise_are_a_bilinear_enlargement() -> None:
    plane = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(4))
    rise = rise2(64)
    assert torch.allclose(rise @ plane @ rise.T, up2(plane), atol=1e-6)


def test_keys_are_means_of_2x2_tokens_in_rows() -> None:
    tokens = torch.randn(2, 64, 5, generator=torch.Generator().manual_seed(5))
    planes = tokens.transpose(1, 2).reshape(2, 5, 8, 8)
    means = torch.nn.functional.avg_pool2d(planes, 2).flatten(2).transpose(1, 2)
    assert torch.allclose(pool2(8) @ tokens, means, atol=1e-6)
