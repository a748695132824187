"""The 8-bit form of an exported network, for CPUs that multiply bytes faster than anything else.

Only the layers that take the time are quantised: convolutions of 3x3 within the trunk and the linear layers, some
nine tenths of the multiplications. The convolutions that see the crop itself and the heads stay as they are, for
there an error of a 256th shows through (one alone brings the edit over the error from 34 to 14 dB, measured).

Weights are symmetric with a scale for each output channel; inputs have one scale and a zero point for each tensor,
from the least and greatest values on calibration crops (Jacob et al. 2018, arXiv:1712.05877). The graph only gets
FakeQuantize nodes; OpenVINO turns a layer between two of them into its 8-bit kernel.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from engines.parity import Samples

FEWEST_CHANNELS = 16
"""A convolution of fewer input channels takes no time, or sees the crop itself."""
GAINS = (0.6, 1.0, 1.4)
"""Calibration crops are the parity crops mirrored, in light that is so many times as bright. They show the same
persons as those the gate compares; `benchmarks.quality` measures on others."""
_LEVELS = 256
_LEAST_RANGE = 1e-6

Arrays = Sequence[NDArray[Any]]
Ir = tuple[bytes, bytes]
"""OpenVINO IR: the graph's XML and its numbers."""


def calibration(given: Samples) -> Samples:
    """Crops whose values show what range each layer needs."""
    crops, requests = [], []
    for gain in GAINS:
        for crop, request in zip(given.crops, given.requests, strict=True):
            brighter = cv2.convertScaleAbs(np.ascontiguousarray(crop[:, ::-1]), alpha=gain)
            crops.append(np.asarray(brighter, np.uint8))
            requests.append(np.ascontiguousarray(request[..., ::-1]))
    return Samples(np.stack(crops), np.stack(requests), given.conditionings * len(GAINS))


def quantised(ir: Ir, calls: Iterable[Arrays]) -> Ir:
    """The same network with its heavy layers in 8 bits.

    Args:
        ir: as `engines.build.exported` gives it, fp32.
        calls: the arguments of each call on a calibration crop, in the order of the network's inputs.

    Raises:
        RuntimeError: OpenVINO cannot run it.
    """
    xml, numbers = ir
    model: Any = ov.Core().read_model(xml, ov.Tensor(np.frombuffer(numbers, np.uint8)))
    layers = [node for node in model.get_ordered_ops() if _is_heavy(node)]
    sources = list(dict.fromkeys(node.input_value(0) for node in layers))
    held = [
        _held(source, *with_zero(*bounds))
        for source, bounds in zip(sources, _ranges(model, sources, calls), strict=True)
    ]
    for node in layers:
        place = sources.index(node.input_value(0))
        weight = node.input_value(1)
        node.input(0).replace_source_output(held[place].output(0))
        node.input(1).replace_source_output(_held_weight(node, weight).output(0))
    return written(model)


def _is_heavy(node: Any) -> bool:
    kind = node.get_type_name()
    if kind not in ("Convolution", "MatMul"):
        return False
    weight = node.input_value(1).get_node()
    if weight.get_type_name() != "Constant":
        return False
    if kind == "Convolution":
        _, channels, *kernel = weight.output(0).shape
        return kernel == [3, 3] and int(channels) >= FEWEST_CHANNELS
    # not the resampling matrices, which are products with constants too
    return "aten.linear" in str(node.get_friendly_name())


def _ranges(model: Any, sources: Sequence[Any], calls: Iterable[Arrays]) -> NDArray[np.float32]:
    """(sources, 2): the least and the greatest value of each."""
    probe = ov.Model([*model.outputs, *sources], model.get_parameters(), "probe")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request: Any = ov.Core().compile_model(probe, "CPU", settings).create_infer_request()
    first = len(model.outputs)
    seen = np.array([(0.0, _LEAST_RANGE)] * len(sources), np.float32)
    for arrays in calls:
        found = request.infer(list(arrays), share_inputs=True, share_outputs=True)
        for i in range(len(sources)):
            values = found[first + i]
            seen[i] = min(seen[i, 0], values.min()), max(seen[i, 1], values.max())
    return seen


def with_zero(least: float, greatest: float) -> tuple[float, float]:
    """The range shifted, by less than a level, so that 0 is one of its 256 levels.

    Convolutions pad with zeros, and most values behind a ReLU are 0: an error there is everywhere (the edit over the
    error rises from 22 to 26 dB, measured).
    """
    step = (greatest - least) / (_LEVELS - 1)
    zero = round(-least / step)
    return -zero * step, (_LEVELS - 1 - zero) * step


def _held(source: Any, least: float, greatest: float) -> Any:
    """The values of `source` at 256 levels between the two."""
    low, high = (ops.constant(np.array(value, np.float32)) for value in (least, greatest))
    return ops.fake_quantize(source, low, high, low, high, _LEVELS)


def _held_weight(node: Any, weight: Any) -> Any:
    """Weights at 255 levels about 0, as many each way, a scale for each output channel."""
    numbers = np.abs(weight.get_node().data)
    across = 0
    if node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"]:
        across = 1
    others = tuple(axis for axis in range(numbers.ndim) if axis != across)
    largest = np.maximum(numbers.max(axis=others, keepdims=True), _LEAST_RANGE).astype(np.float32)
    low, high = ops.constant(-largest), ops.constant(largest)
    return ops.fake_quantize(weight, low, high, low, high, _LEVELS - 1)


def written(model: Any) -> Ir:
    """An OpenVINO model as the bytes of its two files."""
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "engine.xml"
        ov.save_model(model, xml, compress_to_fp16=False)
        return xml.read_bytes(), xml.with_suffix(".bin").read_bytes()
