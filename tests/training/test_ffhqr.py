"""Pairs in FFHQR's layout: the good ones are used, the odd ones are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from engines.retouchgpt.model import FrameOutput
from stream_retouch.engine import CROP_SIZE
from stream_retouch.errors import MediaError
from stream_retouch.language.plan import amounts
from training.batches import Batches
from training.ffhqr import FFHQR, checked, opened, true_plan
from training.losses import Weights
from training.recipe import Data
from training.step import evidence

SPOT = (250, 130)
"""Where the astronaut's cheek is retouched, column and row."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pairs") / "face_retouching" / "train"
    for half in ("source", "target"):
        (root / half).mkdir(parents=True)
    before = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    after = before.copy()
    cv2.circle(before, SPOT, 4, (60, 60, 140), -1)
    for name, pair in {
        "good": (before, after),
        "no_target": (before, None),
        "no_source": (None, after),
        "another": (before, np.ascontiguousarray(after[::-1])),
        "other_size": (before, after[:400]),
        "nobody": (np.full((64, 64, 3), 90, np.uint8), np.full((64, 64, 3), 90, np.uint8)),
    }.items():
        for half, picture in zip(("source", "target"), pair, strict=True):
            if picture is not None:
                cv2.imwrite(str(root / half / f"{name}.png"), picture)
    (root / "source" / "notes.txt").write_text("not a picture")
    (root / "source" / "broken.png").write_bytes(b"no")
    (root / "target" / "broken.png").write_bytes(b"no")
    return root.parents[1]


@pytest.fixture(scope="module")
def pairs(folder: Path) -> FFHQR:
    return opened(folder, folder / "cache", folder / "run")[0]


def test_good_pairs_are_found_and_the_rest_is_told_in_one_list(folder: Path, pairs: FFHQR) -> None:
    assert [pair.name for pair in pairs.pairs] == ["good"]
    told = (folder / "run" / "left_out.txt").read_text()
    for line in (
        "train/source/notes.txt: is no picture",
        "train/source/no_target: has no target of that name",
        "train/target/no_source: has no source of that name",
        "train/another: the two show different things",
        "train/other_size: sizes differ, (512, 512) and (512, 400)",
        "train/broken: a picture cannot be read",
        "train/nobody: no face is seen in it",
    ):
        assert line in told


def test_what_was_found_is_kept_so_the_next_start_looks_at_no_picture(
    folder: Path, pairs: FFHQR
) -> None:
    train = folder / "face_retouching" / "train"
    nobody_looks: Any = None
    again, left_out = checked(train, nobody_looks, folder / "cache")
    assert tuple(again) == pairs.pairs
    assert len(left_out) == 7


def test_an_example_loses_what_the_retoucher_took_where_it_is_asked_for(pairs: FFHQR) -> None:
    examples = [pairs.example(np.random.default_rng(i), 256, CROP_SIZE) for i in range(12)]
    asked = [e for e in examples if e.request.max() == 1 and e.request[0].mean() > 0.1]
    assert asked
    for example in examples:
        assert not example.labelled
        assert 0.001 < (example.masks[0] > 128).mean() < 0.05
        assert np.array_equal(example.masks[0], example.masks[16])
        changed = np.abs(example.source.astype(int) - example.target).max(-1) > 12
        around = cv2.dilate(example.masks[0], np.ones((9, 9), np.uint8))
        spot = cv2.resize(around, (256, 256)) > 0
        assert not (changed & ~spot).any()
        if not example.request.any():
            assert np.array_equal(example.source, example.target)
    assert any(np.abs(e.source.astype(int) - e.target).max() > 40 for e in asked)


def test_the_target_lies_the_asked_share_of_the_way_to_the_retouched_picture(
    pairs: FFHQR,
) -> None:
    (whole,) = pairs.scenes(1, CROP_SIZE)
    assert whole.example.source.shape == (640, 640, 3)
    assert whole.example.request.max() == 1
    moved = np.abs(whole.example.source.astype(int) - whole.example.target).max(-1)
    assert moved.max() > 60
    plans = [true_plan(np.random.default_rng(i)) for i in range(200)]
    tables = [amounts(plan).max() for plan in plans]
    assert {0.0, 0.25, 0.5, 0.75, 1.0} == {float(t) for t in tables}


def test_pairs_alone_make_batches_that_claim_no_kind(pairs: FFHQR) -> None:
    source = Batches(None, 2, (1,), data=Data(sides=(256,), side_shares=(1.0,)), pairs=pairs)
    batch = next(iter(source))
    assert not batch["labelled"].any()

    nothing = torch.zeros(2, 17, 64, 64)
    out = FrameOutput(nothing, nothing, nothing, torch.zeros(2), nothing)
    assert float(evidence(out, batch, Weights())) == 0
    batch["labelled"][0] = True
    assert float(evidence(out, batch, Weights())) > 0


def test_a_folder_without_pairs_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="--data ffhqr=DIR"):
        opened(tmp_path, tmp_path / "cache", tmp_path / "run")
