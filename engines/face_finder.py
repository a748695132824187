"""NetFinder: two small networks in OpenVINO, one that finds faces in a whole picture and one that finds the
landmarks of a face.

Both were trained here (`training.finder`, `training.landmarks`) and are built from their folded weights without torch
(`face_graph`); `finder_net` and `landmark_net` are their definitions and the eager truth.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from engines.face_graph import finder_graph, landmark_graph, read_weights
from engines.finder_cells import OVAL_ASPECT, SURE, faces_of
from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, CropLandmarks, FaceBox
from stream_retouch.errors import EngineError, WeightsError

_HERE = Path(__file__).parent / "weights"
LANDMARK_WEIGHTS = _HERE / "landmarks.safetensors"
FINDER_WEIGHTS = _HERE / "finder.safetensors"

CANVAS = (384, 640)
"""(rows, columns) that the finder looks at; the other way round for upright pictures."""
GREY = 128
"""Luma around a picture that does not fill the canvas: what the network takes for nothing."""
ENLARGED = 2.0
"""Small pictures are enlarged at most so many times."""


class NetFinder:
    """Implements `stream_retouch.engine.FaceFinder` on one CPU core."""

    def __init__(self, landmarker: ov.CompiledModel, finders: dict[bool, ov.CompiledModel]) -> None:
        """`finders` holds one model for wide pictures (False) and one for upright ones (True)."""
        self._landmarker = landmarker.create_infer_request()
        self._finders = {
            upright: model.create_infer_request() for upright, model in finders.items()
        }

    @classmethod
    def load(
        cls, weights: Path | None = None, threads: int = 1, finder_weights: Path | None = None
    ) -> NetFinder:
        """A finder that is ready to run.

        Args:
            weights: the landmarker's weights; None for the ones that ship.
            threads: CPU threads of either network.
            finder_weights: the finder's weights; None for the ones that ship.

        Raises:
            WeightsError: weights are missing, truncated or for another network.
            EngineError: OpenVINO cannot compile here.
        """
        core = ov.Core()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            # two thirds of the time; landmarks move by 0.01 to 0.04 px of the loose crop (rms)
            native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            settings["INFERENCE_PRECISION_HINT"] = "bf16" if native else "f32"
            landmarker = core.compile_model(
                _landmark_model(weights or LANDMARK_WEIGHTS), "CPU", settings
            )
            path = finder_weights or FINDER_WEIGHTS
            finders = {
                upright: core.compile_model(_finder_model(path, upright), "CPU", settings)
                for upright in (False, True)
            }
        except RuntimeError as error:
            raise EngineError(
                f"openvino cannot run the face networks: {error}; reinstall openvino"
            ) from error
        return cls(landmarker, finders)

    def find(self, luma: NDArray[np.uint8], sure: float = SURE) -> list[FaceBox]:
        """Boxes around the faces' ovals (chin to upper forehead), largest first; `sure` is the least score."""
        rows, columns = luma.shape
        upright = rows > columns
        high, wide = CANVAS[::-1] if upright else CANVAS
        scale = min(wide / columns, high / rows, ENLARGED)
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        canvas = np.full((high, wide), GREY, np.uint8)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[: size[1], : size[0]] = (
            luma if scale == 1 else cv2.resize(luma, size, interpolation=how)
        )
        found = self._finders[upright].infer(
            [canvas[None, None]], share_inputs=True, share_outputs=True
        )
        cells = [level[0] for level in found.values()]
        across, down = columns / size[0], rows / size[1]
        boxes = [
            _box((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5, side * across, roll, score)
            for x, y, side, roll, score in faces_of(cells, sure).tolist()
        ]
        return sorted(boxes, key=lambda box: box.x0 - box.x1)

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        """Landmarks, presence and visibility in loose crops, about 1 ms a crop; see `FaceFinder.landmarks`."""
        count = len(LANDMARKS)
        raw = np.empty((len(crops), 3 * count + 1), np.float32)
        for i, crop in enumerate(crops):
            found = self._landmarker.infer(
                [crop[None, None]], share_inputs=True, share_outputs=True
            )
            raw[i] = found[0][0]
        half = (LANDMARK_CROP_SIZE - 1) / 2
        points = raw[:, : 2 * count].reshape(-1, count, 2) * (half + 0.5) + half
        sure = (1 / (1 + np.exp(-np.clip(raw[:, 2 * count :], -30, 30)))).astype(np.float32)
        return CropLandmarks(points, sure[:, 0], sure[:, 1:])


def _box(x: float, y: float, size: float, roll: float, score: float) -> FaceBox:
    half_width, half_height = size * OVAL_ASPECT**0.5 / 2, size / OVAL_ASPECT**0.5 / 2
    return FaceBox(x - half_width, y - half_height, x + half_width, y + half_height, roll, score)


def _landmark_model(path: Path) -> ov.Model:
    model = _built(path, lambda weights: landmark_graph(weights, LANDMARK_CROP_SIZE))
    if list(model.output().shape) != [1, 3 * len(LANDMARKS) + 1]:
        raise WeightsError(str(path), "made for other landmarks")
    return model


def _finder_model(path: Path, upright: bool) -> ov.Model:
    rows, columns = CANVAS[::-1] if upright else CANVAS
    return _built(path, lambda weights: finder_graph(weights, rows, columns))


def _built(path: Path, graph: Callable[[dict[str, NDArray[np.float32]]], ov.Model]) -> ov.Model:
    weights = read_weights(path)
    try:
        return graph(weights)
    except (KeyError, IndexError, RuntimeError) as error:
        raise WeightsError(str(path), "made for another network") from error
