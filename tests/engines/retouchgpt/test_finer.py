"""The finer level starts as an enlargement, is heard once it has learned, and never says more than was asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from engines.retouchgpt import checkpoint  # noqa: E402
from engines.retouchgpt.ablation import ablated  # noqa: E402
from engines.retouchgpt.config import RetouchGPTConfig  # noqa: E402
from engines.retouchgpt.finer import FinerLevel  # noqa: E402
from engines.retouchgpt.layers import up2  # noqa: E402
from engines.retouchgpt.model import FrameOutput, RetouchGPT  # noqa: E402
from engines.retouchgpt.serving import ServingModel  # noqa: E402
from stream_retouch.errors import WeightsError  # noqa: E402
from tests.engines.networks import FINER, assert_handed_out, learned  # noqa: E402
from training.grown import grow  # noqa: E402

BLOCK = torch.zeros(1, 4, 128)
CONDITIONING = (torch.zeros(1, 64), BLOCK + 1, BLOCK, BLOCK)


@pytest.fixture(scope="module")
def small(weights: Path) -> RetouchGPT:
    return checkpoint.load(weights)


@pytest.fixture(scope="module")
def grown(weights: Path) -> RetouchGPT:
    """A network with a finer level that has learned nothing yet, around that of `small`."""
    model = RetouchGPT(FINER)
    new = grow(model, weights)
    assert new and all(name.startswith("finer.") for name in new)
    return model.eval()


@pytest.fixture(scope="module")
def model(weights: Path) -> RetouchGPT:
    """The same with a finer level that has something to say."""
    model = RetouchGPT(FINER)
    grow(model, weights)
    return learned(model)


def crops() -> torch.Tensor:
    return torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(1))


def request(amount: float = 1.0) -> torch.Tensor:
    asked = torch.zeros(1, 17, 32, 32)
    asked[:, 3, 8:24, 8:24] = amount
    return asked


def answer(model: RetouchGPT, x: torch.Tensor, amount: float = 1.0) -> FrameOutput:
    with torch.no_grad():
        return model.frame(x, request(amount), *CONDITIONING)


def test_grown_from_a_small_network_it_answers_the_same_enlarged(
    small: RetouchGPT, grown: RetouchGPT
) -> None:
    inside = answer(small, torch.nn.functional.avg_pool2d(crops(), 2))
    out = answer(grown, crops())
    assert out.layer.shape == (1, 4, 256, 256) and out.mask.shape == (1, 1, 256, 256)
    assert torch.allclose(out.layer, up2(inside.layer), atol=1e-3)
    assert torch.allclose(out.mask, up2(inside.mask), atol=1e-5)
    assert torch.allclose(out.logits, inside.logits, atol=1e-4)
    assert torch.allclose(out.skin_luma, inside.skin_luma, atol=1e-3)


def test_from_its_first_step_on_it_can_learn(grown: RetouchGPT) -> None:
    out = grown.frame(crops(), request(), *CONDITIONING)
    (out.layer.square().mean() + out.mask.square().mean()).backward()
    level = grown.finer
    assert isinstance(level, FinerLevel)
    for layer in (level.join, level.fine, level.detail):
        assert float(layer.weight.grad.abs().max()) > 0
    grown.zero_grad()


def test_what_lies_between_the_pixels_of_the_small_crop_is_seen(
    grown: RetouchGPT, model: RetouchGPT
) -> None:
    x = crops()
    fine = x.clone()
    fine[..., 200:300:2, :] += 0.2  # rows that cancel out in every 2x2 mean
    fine[..., 201:300:2, :] -= 0.2
    before, after = answer(model, x), answer(model, fine)
    assert float((before.mask - after.mask).abs().max()) > 0.01
    assert float((before.layer[:, 0] - after.layer[:, 0]).abs().max()) > 0.01
    assert torch.allclose(answer(grown, x).mask, answer(grown, fine).mask, atol=1e-4)


def test_the_mask_keeps_to_the_request_and_is_linear_in_it(model: RetouchGPT) -> None:
    whole, half = answer(model, crops()), answer(model, crops(), 0.5)
    assert float(whole.mask.max()) <= 1.0 and float(whole.mask.max()) > 0.05
    # the request map is 8 layer pixels a cell, and bilinear: it reaches less than a cell over
    outside = whole.mask.clone()
    outside[..., 56:200, 56:200] = 0
    assert float(outside.max()) == 0.0
    assert torch.allclose(half.mask, whole.mask / 2, atol=1e-5)
    assert float(answer(model, crops(), 0.0).mask.max()) == 0.0


def test_flattening_stays_between_0_and_1(model: RetouchGPT) -> None:
    flatten = answer(model, crops()).layer[:, 0]
    assert 0.0 <= float(flatten.min()) < float(flatten.max()) <= 1.0


def test_the_served_form_computes_the_same_from_code_values(model: RetouchGPT) -> None:
    codes_in = (crops() * 255).round().to(torch.uint8)
    with torch.inference_mode():
        inputs = (codes_in.permute(0, 2, 3, 1).contiguous(), request(), *CONDITIONING)
        codes, mask, skin_luma = ServingModel(model)(*inputs)
        out = model.frame(codes_in / 255.0, request(), *CONDITIONING)
    assert_handed_out(codes, mask, out)
    assert torch.allclose(skin_luma, out.skin_luma, atol=1e-3)


def test_without_iip_the_large_mask_is_the_requested_map_too(model: RetouchGPT) -> None:
    mask = answer(ablated(model, "iip"), crops(), 0.5).mask[0, 0]
    assert torch.allclose(mask[80:176, 80:176], torch.tensor(0.5))
    assert float(mask[:48].max()) == 0.0


def test_it_is_saved_and_loaded_with_its_size(model: RetouchGPT, tmp_path: Path) -> None:
    path = tmp_path / "finer.safetensors"
    checkpoint.save(model, path)
    loaded = checkpoint.load(path)
    assert loaded.config == FINER
    assert (loaded.config.crop_size, loaded.config.layer_size) == (512, 256)
    assert loaded.state_dict().keys() == model.state_dict().keys()


def test_a_configuration_from_before_there_were_finer_levels_is_of_the_small_size(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.json"
    values = RetouchGPTConfig().as_dict()
    del values["finer"]
    path.write_text(json.dumps(values))
    assert RetouchGPTConfig.from_json(path) == RetouchGPTConfig()
    assert FINER.inner == RetouchGPTConfig(widths=(8, 8, 8), language_width=32, language_layers=1)


def test_sizes_that_do_not_follow_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({**RetouchGPTConfig().as_dict(), "crop_size": 512}))
    with pytest.raises(WeightsError, match="crop_size is 512, not 256"):
        RetouchGPTConfig.from_json(path)
    with pytest.raises(ValueError, match="finer must be 0 or a number of channels, not -1"):
        RetouchGPTConfig(finer=-1)
