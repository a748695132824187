"""Examples are true, on made-up faces: what is asked goes, all else stays."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from stream_retouch.language.plan import CATEGORIES, Category, Edit, InstructionPlan, amounts
from tests.training.made_up_cache import made_up_portrait
from training.examples import asked, collate, make_example, painted_face
from training.imperfections import compose
from training.own_marks import KINDS
from training.paste import CELLS, Planes, paste, upsampled
from training.plans import random_plan
from training.portrait_cache import MESH_MIRROR, CachedPortrait


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


def test_several_plans_of_one_face_share_its_source_and_differ_in_what_goes() -> None:
    kinds = (Category.MOLE, Category.PIMPLE)
    face = painted_face(made_up_portrait(0), np.random.default_rng(4), 256, list(kinds))
    assert set(face.kinds) == set(kinds)
    edits = [(), *((Edit(kind.value, ("face",), 1.0),) for kind in kinds)]
    plans = [InstructionPlan(each) for each in edits]
    nothing, mole, pimple = asked(face, np.random.default_rng(5), plans, 256)
    assert np.array_equal(nothing.source, mole.source)
    assert np.array_equal(nothing.source, pimple.source)
    assert np.array_equal(nothing.target, nothing.source)
    for kind, example in zip(kinds, (mole, pimple), strict=True):
        assert example.changed.any()
        assert example.request[CATEGORIES.index(kind)].any()
    assert not np.array_equal(mole.target, pimple.target)


def test_a_good_camera_shows_a_face_as_it_is_painted() -> None:
    face = painted_face(made_up_portrait(0), np.random.default_rng(4), 256, [Category.MOLE])
    plans = [InstructionPlan((Edit("mole", ("face",), 1.0),))]
    gone = compose(face.canvas, face.marks, [0.0] * len(face.marks))
    apart = []
    for seed in range(8):
        good, poor = (
            asked(face, np.random.default_rng(seed), plans, 256, poor)[0] for poor in (False, True)
        )
        assert np.array_equal(good.target, np.clip(gone * 255 + 0.5, 0, 255).astype(np.uint8))
        apart.append(not np.array_equal(good.source, poor.source))
    assert any(apart)


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


def test_a_larger_network_gets_a_larger_crop_and_finer_masks() -> None:
    rng = np.random.default_rng(4)
    example = make_example(made_up_portrait(0), rng, 512, [Category.MOLE], crop_size=512)
    assert example.crop.shape == (512, 512, 3)
    assert example.masks.shape == (17, 256, 256)
    assert collate([example], (192, 0))["source"].shape == (1, 128, 128, 3)


def test_mirror_swaps_the_eyes() -> None:
    assert MESH_MIRROR[33] == 263


def test_what_is_to_change_is_told() -> None:
    kept = make_example(
        made_up_portrait(0), np.random.default_rng(4), 256, [Category.MOLE], InstructionPlan()
    )
    assert not kept.changed.any()
    plan = InstructionPlan((Edit("mole", ("face",), 1.0),))
    asked = make_example(made_up_portrait(0), np.random.default_rng(4), 256, [Category.MOLE], plan)
    apart = np.abs(asked.source.astype(int) - asked.target).max(-1) > 8
    assert asked.changed[apart.reshape(128, 2, 128, 2).all((1, 3))].min() == 255
    assert not asked.changed[~(asked.source != asked.target).any(-1)[::2, ::2]].all()


def portrait_with_a_mole() -> CachedPortrait:
    bare = made_up_portrait(0)
    found = np.zeros(bare.rgb.shape[:2], np.uint8)
    middle = tuple(int(v) for v in bare.landmarks[50])
    cv2.circle(found, middle, 9, KINDS.index(Category.MOLE) + 1, -1)
    marked = bare.rgb.copy()
    marked[found > 0] = marked[found > 0] // 2
    return replace(bare, rgb=marked, found=found, cleaned=bare.rgb)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_portraits_own_marks_count_as_often_as_they_are_told_to(share: float) -> None:
    portrait = portrait_with_a_mole()
    for seed in range(6):
        face = painted_face(portrait, np.random.default_rng(seed), 256, [], own_share=share)
        assert len(face.kinds) == share


def test_a_portraits_own_marks_are_asked_away_like_painted_ones() -> None:
    portrait = portrait_with_a_mole()
    plan = InstructionPlan((Edit("mole", ("face",), 1.0),))
    removed = []
    for seed in range(12):
        example = make_example(portrait, np.random.default_rng(seed), 256, [], plan)
        removed.append(bool(example.masks[CATEGORIES.index(Category.MOLE)].any()))
        assert example.changed.any() == removed[-1]
    assert any(removed)
    assert not all(removed)
