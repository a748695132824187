"""CascadeFinder: OpenCV's Haar cascade acquires faces, a small network in OpenVINO finds their
landmarks.

The network is built here from the folded weights that ``training.landmarks`` writes, node by node,
so that loading takes milliseconds, writes no cache and needs no torch. ``engines.landmark_net`` is
its definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset15 as ops
from safetensors import SafetensorError
from safetensors.numpy import load_file

from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, CropLandmarks, FaceBox
from stream_retouch.errors import EngineError, WeightsError

WEIGHTS = Path(__file__).parent / "weights" / "landmarks.safetensors"

SEARCH_WIDTH = 320
"""The cascade looks at a picture of at most this width, pixels."""
SMALLEST = 24
"""Smallest cascade window in that picture, pixels."""
SCALE_STEP = 1.2
NEIGHBOURS = 2
"""Windows that must agree; the landmarker's presence weeds out what is no face."""
PADDING = 0.06
"""Border that is added around the picture, share of its width, so that faces at the edge are
found."""

# From a cascade window to the face's oval, measured on the portraits that are not held out.
_OVAL_WIDTH, _OVAL_HEIGHT = 0.834, 0.997
_OVAL_DOWN = 0.083

_CONTRAST_FLOOR = 25.0


class CascadeFinder:
    """Implements `stream_retouch.engine.FaceFinder` on one CPU core."""

    def __init__(self, landmarker: ov.CompiledModel, cascade: cv2.CascadeClassifier) -> None:
        self._request = landmarker.create_infer_request()
        self._cascade = cascade

    @classmethod
    def load(cls, weights: Path | None = None, threads: int = 1) -> CascadeFinder:
        """A finder that is ready to run.

        Args:
            weights: the landmarker's weights; None for the ones that ship.
            threads: CPU threads of the landmarker.

        Raises:
            WeightsError: the weights are missing, truncated or for another network.
            EngineError: OpenCV has no cascades (version 5) or OpenVINO cannot compile here.
        """
        path = weights or WEIGHTS
        model = _model(_read(path), path)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = ov.Core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise EngineError(
                f"openvino cannot run the landmarker: {error}; reinstall openvino"
            ) from error
        return cls(compiled, _cascade())

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        """Boxes around the faces' ovals (chin to upper forehead), largest first. About 7 to 13
        ms."""
        shrink = min(1.0, SEARCH_WIDTH / luma.shape[1])
        small = luma
        if shrink < 1.0:
            size = (round(luma.shape[1] * shrink), max(1, round(luma.shape[0] * shrink)))
            small = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        pad = round(PADDING * small.shape[1])
        padded = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        windows = self._cascade.detectMultiScale(
            padded, scaleFactor=SCALE_STEP, minNeighbors=NEIGHBOURS, minSize=(SMALLEST, SMALLEST)
        )
        boxes = [_box(window, pad, shrink) for window in np.reshape(windows, (-1, 4)).tolist()]
        return sorted(boxes, key=lambda box: box.x0 - box.x1)

    def landmarks(
        self, crops: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Landmarks and presence in loose crops, about 1 ms a crop; see `FaceFinder.landmarks`."""
        points = np.empty((len(crops), len(LANDMARKS), 2), np.float32)
        presence = np.empty(len(crops), np.float32)
        for i, crop in enumerate(crops):
            found = self._request.infer([crop[None, None]], share_inputs=True, share_outputs=True)
            raw = found[0][0]
            half = (LANDMARK_CROP_SIZE - 1) / 2
            points[i] = raw[: 2 * len(LANDMARKS)].reshape(-1, 2) * (half + 0.5) + half
            presence[i] = 1 / (1 + np.exp(-np.clip(raw[2 * len(LANDMARKS)], -30, 30)))
        return CropLandmarks(points, presence, np.ones(points.shape[:2], np.float32))


def _cascade() -> cv2.CascadeClassifier:
    try:
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
        cascade = cv2.CascadeClassifier(str(path))
    except (AttributeError, cv2.error) as error:
        raise EngineError(
            "this OpenCV has no face cascade; install opencv-python-headless<5"
        ) from error
    if cascade.empty():
        raise EngineError("this OpenCV has no face cascade; install opencv-python-headless<5")
    return cascade


def _box(window: Sequence[float], pad: int, shrink: float) -> FaceBox:
    """The oval's box in the caller's pixels, from a cascade window in the padded, shrunk
    picture."""
    x, y, width, height = window
    middle_x = (x - pad + width / 2) / shrink
    middle_y = (y - pad + height / 2 + _OVAL_DOWN * height) / shrink
    half_width, half_height = _OVAL_WIDTH * width / shrink / 2, _OVAL_HEIGHT * height / shrink / 2
    return FaceBox(
        middle_x - half_width, middle_y - half_height, middle_x + half_width, middle_y + half_height
    )


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        stored = load_file(path)
    except FileNotFoundError as error:
        raise WeightsError(str(path), "no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(str(path), "damaged or not a safetensors file") from error
    return {name: array.astype(np.float32) for name, array in stored.items()}


def _model(weights: dict[str, NDArray[np.float32]], path: Path) -> ov.Model:
    """The network as an OpenVINO graph: (1, 1, H, W) uint8 to (1, 2K+1), as `LandmarkNet` before
    its output scale."""
    try:
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise WeightsError(str(path), "holds numbers that are not finite")
        graph = _Graph(weights)
        luma = ops.parameter([1, 1, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE], np.uint8, name="luma")
        model = ov.Model([graph.network(luma)], [luma], "landmarks")
    except (KeyError, IndexError, RuntimeError) as error:
        raise WeightsError(str(path), "made for another network") from error
    if model.output().shape[1] not in (2 * len(LANDMARKS) + 1, 3 * len(LANDMARKS) + 1):
        raise WeightsError(str(path), "made for other landmarks")
    return model


class _Graph:
    """Builds the network's nodes from its weights; a wrong weight raises KeyError or
    RuntimeError."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self._weights = weights

    def network(self, luma: Any) -> Any:
        centred = ops.mvn(
            ops.convert(luma, np.float32), [1, 2, 3], True, _CONTRAST_FLOOR, "inside_sqrt"
        )
        x = centred
        for block in sorted(
            {int(name.split(".")[1]) for name in self._weights if name.startswith("body.")}
        ):
            name = f"body.{block}"
            x = (
                self._inverted(name, x)
                if f"{name}.widen.weight" in self._weights
                else self._conv(name, x, 2)
            )
        x = ops.relu(self._conv("squeeze", x, 1, act=False))
        flat = ops.reshape(x, np.array([1, -1]), False)
        return self._linear("out", ops.relu(self._linear("hidden", flat)))

    def _inverted(self, name: str, x: Any) -> Any:
        wide = self._depthwise(f"{name}.around", self._conv(f"{name}.widen", x, 1))
        return ops.add(x, self._conv(f"{name}.narrow", wide, 1, act=False))

    def _conv(self, name: str, x: Any, stride: int, act: bool = True) -> Any:
        weight = self._weights[f"{name}.weight"]
        pad = [weight.shape[-1] // 2] * 2
        found = ops.convolution(x, ops.constant(weight), [stride] * 2, pad, pad, [1, 1])
        return self._biased(name, found, act)

    def _depthwise(self, name: str, x: Any) -> Any:
        weight = self._weights[f"{name}.weight"][:, None]
        found = ops.group_convolution(x, ops.constant(weight), [1, 1], [1, 1], [1, 1], [1, 1])
        return self._biased(name, found, True)

    def _biased(self, name: str, x: Any, act: bool) -> Any:
        out = ops.add(x, ops.constant(self._weights[f"{name}.bias"].reshape(1, -1, 1, 1)))
        return ops.relu(out) if act else out

    def _linear(self, name: str, x: Any) -> Any:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return ops.add(ops.matmul(x, ops.constant(weight), False, True), ops.constant(bias[None]))
