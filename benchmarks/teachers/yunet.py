"""YuNet (Wu et al., Machine Intelligence Research 2023; ShiqiYu/libfacedetection.train, Apache-2.0), run by OpenVINO.

OpenCV's own FaceDetectorYN reads the dynamic file from version 5 on only, so that the decoding is here, after what its
``face_detect.cpp`` tells: zeros up to whole 32s, cells of 8, 16 and 32 px, score = root of class times object. Checked
against FaceDetectorYN. It sees the whole colour picture at full resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot
from benchmarks.teachers.boxes import BoxMapping
from stream_retouch.errors import MediaError

FILE = "yunet_n_dynamic.onnx"
SCORE = 0.6
SURE = 0.8
"""From here on it is "sure" in `recall_real`."""
OVERLAP = 0.3
"""Of its non-maximum suppression; OpenCV's default."""
STRIDES = (8, 16, 32)
_MAPS = [f"{key}_{stride}" for key in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
MAPPING = BoxMapping(down=0.072, scale=0.941)


class YuNet:
    """Faces of 10 px and more, any number of them."""

    name = "YuNet"

    def __init__(self, weights: Path, score: float = SCORE, mapping: BoxMapping = MAPPING) -> None:
        path = weights / FILE
        if not path.is_file():
            raise MediaError(str(path), "no such teacher; name the data folder with --shared")
        self._core = ov.Core()
        self._path, self._score, self._mapping = path, score, mapping
        self._compiled: dict[tuple[int, int], ov.InferRequest] = {}

    def find(self, bgr: NDArray[np.uint8]) -> list[Spot]:
        """Faces in a (H, W, 3) BGR picture, by our oval."""
        height, width = bgr.shape[:2]
        size = -(-height // 32) * 32, -(-width // 32) * 32
        tensor = np.zeros((1, 3, *size), np.float32)
        tensor[0, :, :height, :width] = bgr.transpose(2, 0, 1)
        request = self._network(size)
        request.infer([tensor])
        maps = {name: np.asarray(request.get_tensor(name).data[0], np.float64) for name in _MAPS}
        rows = merged(decode(maps, size[1], self._score), self._score)
        return spots(rows, self._mapping)

    def _network(self, size: tuple[int, int]) -> ov.InferRequest:
        """Compiled for one size of picture; 0.1 s the first time."""
        if size not in self._compiled:
            model = self._core.read_model(self._path)
            model.reshape([1, 3, *size])
            setting: dict[str, Any] = {
                "INFERENCE_NUM_THREADS": 1,
                "INFERENCE_PRECISION_HINT": "f32",
            }
            compiled = self._core.compile_model(model, "CPU", setting)
            self._compiled[size] = compiled.create_infer_request()
        return self._compiled[size]


def decode(
    maps: Mapping[str, NDArray[np.float64]], width: int, score: float = SCORE
) -> NDArray[np.float64]:
    """(N, 15) rows above `score`: x, y, width, height, five points from the person's right eye on, score.

    Args:
        maps: ``cls_S`` and ``obj_S`` (A, 1), ``bbox_S`` (A, 4), ``kps_S`` (A, 10) for the strides S, cells row by row.
        width: of the network's input, pixels.
    """
    rows = []
    for stride in STRIDES:
        sure = [np.clip(maps[f"{key}_{stride}"][:, 0], 0, 1) for key in ("cls", "obj")]
        scores = np.sqrt(sure[0] * sure[1])
        keep = np.flatnonzero(scores >= score)
        down, across = np.divmod(keep, width // stride)
        cell = np.stack([across, down], axis=1).astype(np.float64)
        box, points = maps[f"bbox_{stride}"][keep], maps[f"kps_{stride}"][keep]
        size = np.exp(box[:, 2:]) * stride
        corner = (cell + box[:, :2]) * stride - size / 2
        points = (points + np.tile(cell, 5)) * stride
        rows.append(np.concatenate([corner, size, points, scores[keep, None]], axis=1))
    return np.concatenate(rows)


def merged(rows: NDArray[np.float64], score: float = SCORE) -> NDArray[np.float64]:
    """The best row of each face."""
    if not len(rows):
        return rows
    keep = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), score, OVERLAP)
    return rows[np.asarray(keep, np.intp).reshape(-1)]


def spots(rows: NDArray[np.float64], mapping: BoxMapping = MAPPING) -> list[Spot]:
    """The rows by our oval; the eyes tell the roll."""
    found = []
    for row in rows:
        roll = float(np.arctan2(row[7] - row[5], row[6] - row[4]))
        box = float(row[0]), float(row[1]), float(row[2]), float(row[3])
        found.append(mapping.spot(box, roll, float(row[14])))
    return found
