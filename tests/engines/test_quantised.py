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
from engines.quantised import FEWEST_CHANNELS, GAINS, Ir, calibration, quantised


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
    for name, node in before.items():
        shape = list(node.input_value(1).get_partial_shape().to_shape())
        trunk = node.get_type_name() == "Convolution" and shape[1:] >= [FEWEST_CHANNELS]
        heavy = (trunk and shape[2:] == [3, 3]) or "aten.linear" in name
        assert is_held(after[name]) == (heavy, heavy), name
    assert any(is_held(node)[0] for node in after.values())
    assert not all(is_held(node)[0] for node in after.values())


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
