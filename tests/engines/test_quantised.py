"""The 8-bit form of a network: which layers change, and how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("openvino", reason="openvino is not installed")

import openvino as ov

from engines.built import find
from engines.conditioner import LanguageConditioner
from engines.eager import EagerEngine
from engines.feed import feed
from engines.openvino import OpenVINOEngine, identity
from engines.parity import Samples, answers, compare, samples
from engines.quantised import GAINS, Ir, calibration, quantised, with_zero


@pytest.fixture(scope="module")
def ir(weights: Path, cache: Path) -> Ir:
    built = find(cache, identity(weights, "f32"))
    return built.xml, built.weights


@pytest.fixture(scope="module")
def given(weights: Path) -> Samples:
    return samples(LanguageConditioner.load(weights))


@pytest.fixture(scope="module")
def eighth(ir: Ir, given: Samples) -> Ir:
    shown = calibration(given)
    return quantised(ir, feed(shown.crops, shown.requests, shown.conditionings, 256).singles())


def nodes(ir: Ir, *kinds: str) -> dict[str, Any]:
    model = ov.Core().read_model(ir[0], ov.Tensor(np.frombuffer(ir[1], np.uint8)))
    found = [node for node in model.get_ordered_ops() if node.get_type_name() in kinds]
    return {node.get_friendly_name(): node for node in found}


def is_held(node: Any) -> tuple[bool, bool]:
    first, second = (
        node.input_value(i).get_node().get_type_name() == "FakeQuantize" for i in (0, 1)
    )
    return first, second


def test_only_the_heavy_layers_are_held_to_8_bits_and_on_both_sides(ir: Ir, eighth: Ir) -> None:
    before = nodes(ir, "Convolution", "MatMul")
    after = nodes(eighth, "Convolution", "MatMul")
    assert before.keys() == after.keys()
    held = {name for name, node in after.items() if is_held(node) == (True, True)}
    free = {name for name, node in after.items() if is_held(node) == (False, False)}
    assert held | free == after.keys()
    kernels = {name: tuple(node.input_value(1).shape[1:]) for name, node in before.items()}
    assert {kernels[name][1:] for name in held} == {
        (3, 3),
        (),
    }  # convolutions of the trunk, linear layers
    assert min(kernels[name][0] for name in held) >= 16
    # what sees the crop, the heads and the resampling
    assert {kernels[name][1:] for name in free} >= {(4, 4), (2, 2), (1, 1)}
    assert any("bmm" in name for name in free) and not any("bmm" in name for name in held)


def test_weights_keep_a_scale_for_each_output_channel(eighth: Ir) -> None:
    for node in nodes(eighth, "Convolution", "MatMul").values():
        if not is_held(node)[0]:
            continue
        held = node.input_value(1).get_node()
        numbers, low, high = (held.input_value(i).get_node().data for i in (0, 1, 2))
        axis = int(np.argmax(low.shape))
        others = tuple(i for i in range(numbers.ndim) if i != axis)
        assert low.size == numbers.shape[axis] > 1
        np.testing.assert_allclose(high, np.abs(numbers).max(axis=others, keepdims=True), 1e-5)
        np.testing.assert_array_equal(low, -high)


@pytest.mark.parametrize(("least", "greatest"), [(0.0, 3.0), (-1.0, 2.7), (-5.0, 0.01)])
def test_zero_is_a_level_of_every_range(least: float, greatest: float) -> None:
    low, high = with_zero(least, greatest)
    step = (high - low) / 255
    assert (-low / step) == pytest.approx(round(-low / step), abs=1e-9)
    assert abs(low - least) < step and abs(high - greatest) < step


def test_it_computes_nearly_the_same(weights: Path, ir: Ir, eighth: Ir, given: Samples) -> None:
    truth = answers(EagerEngine.load(weights), given)
    exact, coarse = (
        compare(given.crops, truth, answers(OpenVINOEngine(form, "f32", 1), given))
        for form in (ir, eighth)
    )
    assert exact.edit_snr_db > coarse.edit_snr_db > 15


def test_calibration_shows_other_crops_than_the_gate_compares(given: Samples) -> None:
    shown = calibration(given)
    assert len(shown.crops) == len(shown.conditionings) == len(given.crops) * len(GAINS)
    first = len(given.crops) * GAINS.index(1.0)
    np.testing.assert_array_equal(shown.crops[first], given.crops[0][:, ::-1])
    np.testing.assert_array_equal(shown.requests[first], given.requests[0][..., ::-1])
    assert not any(np.array_equal(crop, other) for crop in shown.crops for other in given.crops)
    assert shown.crops[0].mean() < shown.crops[first].mean() < shown.crops[-len(given.crops)].mean()
