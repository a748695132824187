"""The frozen crops and the figures of parity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.manifest import Parity
from engines.parity import CROPS, Bounds, compare, require, retouched, samples
from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    CROP_SIZE,
    LAYER_SIZE,
    OFFSET_STEP,
    TEXT_WIDTH,
    Conditioning,
    EditLayer,
)
from stream_retouch.errors import EngineError, ParityError
from stream_retouch.language.plan import InstructionPlan


class Neutral:
    """A conditioner that remembers what it was shown."""

    def __init__(self) -> None:
        self.faces: list[bool] = []

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        self.faces.append(key_crop is not None)
        block = np.zeros((BLOCKS, BLOCK_WIDTH), np.float32)
        return Conditioning(np.zeros(TEXT_WIDTH, np.float32), block + 1, block, block)


def layer(offset: int = 128, mask: int = 255) -> EditLayer:
    codes = np.full((4, LAYER_SIZE, LAYER_SIZE), 128, np.uint8)
    codes[0], codes[1] = 0, offset
    return EditLayer(codes, np.full((LAYER_SIZE, LAYER_SIZE), mask, np.uint8), 128.0)


GREY = np.full((1, CROP_SIZE, CROP_SIZE, 3), 100, np.uint8)


def test_the_frozen_crops_are_eight_faces_with_something_to_ask_for_and_small() -> None:
    conditioner = Neutral()
    given = samples(conditioner)
    assert given.crops.shape == (8, CROP_SIZE, CROP_SIZE, 3) and given.crops.dtype == np.uint8
    assert given.crops.flags.c_contiguous
    assert (given.requests.max(axis=(1, 2, 3)) > 0.9).all() and given.requests.min() == 0
    assert given.crops.std(axis=(1, 2, 3)).min() > 20
    assert conditioner.faces == [True, False] * 4
    assert CROPS.stat().st_size <= 300_000


def test_a_network_for_large_crops_is_shown_the_same_ones_enlarged() -> None:
    small, large = samples(Neutral()), samples(Neutral(), crop_size=512)
    assert large.crops.shape == (8, 512, 512, 3) and large.crops.dtype == np.uint8
    back = large.crops.reshape(8, 256, 2, 256, 2, 3).mean((2, 4))
    assert np.abs(back - small.crops).mean() < 1
    assert np.array_equal(large.requests, small.requests)
    side = np.full((256, 256), 255, np.uint8)
    codes = np.full((4, 256, 256), 128, np.uint8)
    codes[0], codes[1] = 0, 138
    edited = retouched(large.crops[0], EditLayer(codes, side, 128.0))
    inside = (large.crops[0] < 240).all(axis=2)
    assert np.allclose((edited - large.crops[0])[inside], 10 * OFFSET_STEP, atol=1e-3)


def test_crops_that_cannot_be_read_are_told_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "crops.npz"
    with pytest.raises(EngineError, match="cannot be read .*; reinstall stream-retouch"):
        samples(Neutral(), path)
    path.write_bytes(CROPS.read_bytes()[:5000])
    with pytest.raises(EngineError, match="cannot be read"):
        samples(Neutral(), path)


def test_a_neutral_edit_leaves_a_crop_exactly_as_it_is() -> None:
    crop = samples(Neutral()).crops[0]
    assert np.array_equal(retouched(crop, layer()), crop)
    assert np.array_equal(retouched(crop, layer(offset=200, mask=0)), crop)


def test_an_offset_adds_its_steps_to_every_channel() -> None:
    assert np.allclose(retouched(GREY[0], layer(offset=138)), 100 + 10 * OFFSET_STEP, atol=1e-3)


def test_the_figures_are_those_of_the_definition() -> None:
    parity = compare(GREY, [layer(offset=138)], [layer(offset=137)])
    assert parity.edit_snr_db == pytest.approx(20, abs=1e-3)
    step = round(OFFSET_STEP)
    assert parity.parity_psnr_db == pytest.approx(20 * np.log10(255 / step), abs=0.01)
    assert parity.worst_pixel == step and parity.mask_iou == 1


def test_energies_are_summed_over_the_crops_and_the_worst_crop_is_told() -> None:
    crops = np.concatenate((GREY, GREY))
    truth = [layer(offset=138), layer(offset=138)]
    parity = compare(crops, truth, [layer(offset=138), layer(offset=128)])
    assert parity.edit_snr_db == pytest.approx(10 * np.log10(2), abs=1e-3)
    assert parity.worst_crop_snr_db == pytest.approx(0, abs=1e-6)


def test_a_figure_below_its_bound_is_refused_nan_too() -> None:
    good = Parity(50.0, 30.0, 20.0, 1.0, 1)
    require(good)
    nan = float("nan")
    for bad in (
        Parity(49.9, 40, 40, 1, 1),
        Parity(60, 29.9, 29, 1, 1),
        Parity(60, 40, 19.9, 1, 1),
        Parity(60, nan, 30, 1, 1),
    ):
        with pytest.raises(ParityError):
            require(bad)
    require(Parity(10, 10, 10, 0, 99), Bounds(5, 5, 5))
