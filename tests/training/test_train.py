"""Twenty steps on made-up faces: examples are true, losses are finite and fall, weights come out and load."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.retouchgpt.checkpoint import load
from stream_retouch.engine import CROP_SIZE
from stream_retouch.language.plan import CATEGORIES, Category, Edit, InstructionPlan, amounts
from tests.training.mesh import made_up_mesh
from training.examples import collate, make_example
from training.imperfections.anatomy import skin_of
from training.paste import CELLS, Planes, paste, upsampled
from training.plans import random_plan
from training.portrait_cache import COVER, MESH_MIRROR, CachedPortrait
from training.train import arguments, run

SIDE = 416


def made_up_portrait(seed: int) -> CachedPortrait:
    """Flat grainy skin on the made-up mesh."""
    rng = np.random.default_rng(seed)
    points = made_up_mesh(SIDE, COVER)
    colour = np.array((214, 174, 153)) * rng.uniform(0.5, 1.0)
    rgb = np.clip(colour * (1 + rng.normal(0, 0.012, (SIDE, SIDE, 1))), 0, 255).astype(np.uint8)
    skin = (skin_of(rgb, points) * 255).astype(np.uint8)
    return CachedPortrait(rgb, points, skin, np.zeros_like(skin), {"person_id": "nobody"})


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    people = [made_up_portrait(i) for i in range(3)]
    for name in ("rgb", "landmarks", "skin"):
        np.save(folder / f"{name}.npy", np.stack([getattr(p, name) for p in people]))
    np.save(folder / "real.npy", np.stack([p.may_be_real for p in people]))
    records = [{"person_id": f"nobody_{i}", "weight": 1.0} for i in range(3)]
    index = {"version": 1, "size": SIDE, "portraits": records}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def test_target_is_the_source_where_nothing_was_asked() -> None:
    rng = np.random.default_rng(4)
    example = make_example(made_up_portrait(0), rng, 256, [Category.MOLE], InstructionPlan())
    assert np.array_equal(example.source, example.target)
    assert not example.request.any()


def test_target_loses_exactly_the_named_kind() -> None:
    rng = np.random.default_rng(4)
    plan = InstructionPlan((Edit("mole", ("face",), 1.0),))
    kinds = [Category.MOLE, Category.PIMPLE]
    example = make_example(made_up_portrait(0), rng, 256, kinds, plan)
    changed = np.abs(example.source.astype(int) - example.target).max(-1) > 8
    moles = example.masks[CATEGORIES.index(Category.MOLE)].repeat(2, 0).repeat(2, 1) > 0
    moles = cv2.dilate(moles.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0  # the camera blurs
    assert changed.any()
    assert not (changed & ~moles).any()


def test_random_plans_are_valid() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        table = amounts(random_plan(rng, [Category.MOLE, Category.SHINE]))
        assert table.min() >= 0.0
        assert table.max() <= 1.0


def test_a_window_of_the_layer_is_upsampled_as_the_whole_layer_is() -> None:
    layer = torch.rand(1, 2, 128, 128, generator=torch.Generator().manual_seed(1))
    whole = torch.nn.functional.interpolate(layer, scale_factor=3.0, mode="bilinear")
    part = upsampled(layer, (20, 64), 3)
    assert torch.allclose(part, whole[:, :, 192:384, 60 : 60 + CELLS * 3], atol=2e-5)


def test_a_neutral_layer_pastes_nothing() -> None:
    source = Planes.of(torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)))
    layer, mask = torch.zeros(1, 4, 128, 128), torch.ones(1, 1, 128, 128)
    result = paste(source, layer, mask, torch.tensor([128.0]))
    assert torch.equal(result.y, source.y)
    assert torch.equal(result.c, source.c)


def test_a_batch_cuts_source_and_target_to_the_window() -> None:
    rng = np.random.default_rng(4)
    examples = [make_example(made_up_portrait(0), rng, 256) for _ in range(2)]
    batch = collate(examples, (10, 64))
    assert batch["source"].shape == (2, 128, 128, 3)
    assert np.array_equal(batch["source"][0], examples[0].source[128:256, 20:148])


def test_twenty_steps_lower_the_loss_and_leave_weights_that_load(
    cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ["--out", str(out), "--steps", "20", "--batch", "2", "--workers", "0"]
    options += ["--log-s", "0", "--minutes", "10", "--shared", str(tmp_path)]
    run(arguments(options), cache)
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    early, late = (np.mean([r["evidence"] for r in part]) for part in (rows[:5], rows[-5:]))
    assert np.isfinite([early, late]).all()
    assert late < early
    assert load(out / "weights.safetensors").config.crop_size == CROP_SIZE


def test_mirror_swaps_the_eyes() -> None:
    assert MESH_MIRROR[33] == 263
