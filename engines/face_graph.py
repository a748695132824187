"""The small face networks as OpenVINO graphs, node by node from their folded weights.

So that loading takes milliseconds, writes no cache and needs no torch. `landmark_net` and `finder_net` are the
definitions; tests hold each graph to its PyTorch net.

Legend: every tensor is (1, C, H, W) until it is flattened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset15 as ops
from safetensors import SafetensorError
from safetensors.numpy import load_file

from engines.finder_cells import STRIDES
from stream_retouch.errors import WeightsError

CONTRAST_FLOOR = 25.0
"""Added to a loose crop's luma variance, so that noise on a flat crop is not blown up."""

Weights = Mapping[str, NDArray[np.float32]]


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Folded weights as float32.

    Raises:
        WeightsError: the file is missing, truncated, no safetensors file, or holds numbers that are not finite.
    """
    try:
        stored = load_file(path)
    except FileNotFoundError as error:
        raise WeightsError(str(path), "no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(str(path), "damaged or not a safetensors file") from error
    weights = {name: array.astype(np.float32) for name, array in stored.items()}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise WeightsError(str(path), "holds numbers that are not finite")
    return weights


def landmark_graph(weights: Weights, side: int) -> ov.Model:
    """`LandmarkNet` before its output scale: (1, 1, side, side) uint8 to (1, D).

    Raises:
        KeyError, IndexError, RuntimeError: the weights are for another network.
    """
    layers = _Layers(weights)
    luma = ops.parameter([1, 1, side, side], np.uint8, name="luma")
    x = ops.mvn(ops.convert(luma, np.float32), [1, 2, 3], True, CONTRAST_FLOOR, "inside_sqrt")
    for name in layers.numbered("body"):
        x = layers.inverted(name, x) if layers.is_inverted(name) else layers.conv(name, x, 2)
    x = layers.conv("squeeze", x)
    flat = ops.reshape(x, np.array([1, -1]), False)
    out = layers.linear("out", ops.relu(layers.linear("hidden", flat)))
    return ov.Model([out], [luma], "landmarks")


def finder_graph(weights: Weights, rows: int, columns: int) -> ov.Model:
    """`FinderNet`: (1, 1, rows, columns) uint8 to one (1, 6, h, w) for each stride; errors as `landmark_graph`."""
    layers = _Layers(weights)
    luma = ops.parameter([1, 1, rows, columns], np.uint8, name="luma")
    centred = ops.subtract(ops.convert(luma, np.float32), np.float32(128))
    x = layers.conv("stem", ops.multiply(centred, np.float32(1 / 64)), 4)
    found: list[Any] = []
    for stage in range(len(STRIDES)):
        first, *blocks = layers.numbered(f"stages.{stage}")
        x = layers.conv(first, x, 2)
        for block in blocks:
            x = layers.inverted(block, x)
        found.append(x)
    cells: list[Any] = []
    above: Any = None
    for level in reversed(range(len(STRIDES))):
        here = layers.conv(f"laterals.{level}", found[level])
        if above is not None:
            size = np.array([here.shape[2], here.shape[3]], np.int64)
            twice = ops.interpolate(
                above,
                size,
                "nearest",
                "sizes",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
                axes=np.array([2, 3], np.int64),
            )
            here = ops.add(here, twice)
        above = layers.conv(f"smooth.{level}.1", layers.depthwise(f"smooth.{level}.0", here))
        head = layers.depthwise(f"heads.{level}.0", above)
        head = layers.conv(f"heads.{level}.1", head)
        cells.append(layers.conv(f"heads.{level}.2", head, act=False))
    return ov.Model(cells[::-1], [luma], "finder")


class _Layers:
    """Nodes made from weights by their names; a wrong weight raises KeyError or RuntimeError."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def numbered(self, prefix: str) -> list[str]:
        """Names of the modules right under a sequence, in order."""
        start = f"{prefix}."
        numbers = {
            int(name[len(start) :].split(".")[0])
            for name in self._weights
            if name.startswith(start)
        }
        if not numbers:
            raise KeyError(prefix)
        return [f"{prefix}.{number}" for number in sorted(numbers)]

    def is_inverted(self, name: str) -> bool:
        return f"{name}.widen.weight" in self._weights

    def inverted(self, name: str, x: Any) -> Any:
        wide = self.depthwise(f"{name}.around", self.conv(f"{name}.widen", x))
        return ops.add(x, self.conv(f"{name}.narrow", wide, act=False))

    def conv(self, name: str, x: Any, stride: int = 1, act: bool = True) -> Any:
        weight = self._weights[f"{name}.weight"]
        pad = [weight.shape[-1] // 2] * 2
        found = ops.convolution(x, ops.constant(weight), [stride] * 2, pad, pad, [1, 1])
        return self._biased(name, found, act)

    def depthwise(self, name: str, x: Any) -> Any:
        weight = self._weights[f"{name}.weight"][:, None]
        found = ops.group_convolution(x, ops.constant(weight), [1, 1], [1, 1], [1, 1], [1, 1])
        return self._biased(name, found, True)

    def _biased(self, name: str, x: Any, act: bool) -> Any:
        out = ops.add(x, ops.constant(self._weights[f"{name}.bias"].reshape(1, -1, 1, 1)))
        return ops.relu(out) if act else out

    def linear(self, name: str, x: Any) -> Any:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return ops.add(ops.matmul(x, ops.constant(weight), False, True), ops.constant(bias[None]))
