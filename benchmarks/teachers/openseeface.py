"""OpenSeeFace's landmarks (emilianavt/OpenSeeFace, BSD-2-Clause), model 0, run by OpenVINO.

Its 66 points are the usual 68 of iBUG but for the mouth: five points above, five below, then the right corner, three
inner ones above, the left corner, three inner ones below. Facts of its ``tracker.py``: a crop a fifth
wider and a quarter higher than the points' box, scaled to 224x224 RGB with ImageNet's mean and deviation; 66 maps of
28x28 with the best cell, then as many maps each of the offsets down and across, as probabilities whose logit over 16 is
a share of the crop. Points of the jaw are left out: it draws the jaw's edge, our mesh the oval.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARKS
from stream_retouch.errors import MediaError

FILE = "openseeface_lm_model0.onnx"
SIDE, CELLS, POINTS = 224, 28, 66
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_LOGIT = 16.0

COMMON: dict[int, int] = dict(
    zip(
        (*range(17, 59), 62),
        (
            *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
            *(168, 197, 5, 4, 98, 97, 2, 326, 327),  # nose
            *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
            *(39, 37, 0, 267, 269, 405, 314, 17, 84, 181),  # outer lips
            *(61, 291),  # corners of the mouth
        ),
        strict=True,
    )
)
"""Its points that our mesh has too: its number -> the mesh's."""
THEIRS = list(COMMON)
OURS = [LANDMARKS.index(mesh) for mesh in COMMON.values()]
"""Places among our landmarks, in the order of THEIRS."""


class OpenSeeFace:
    """Landmarks in a picture, given where the face is."""

    name = "OpenSeeFace"

    def __init__(self, weights: Path) -> None:
        path = weights / FILE
        if not path.is_file():
            raise MediaError(str(path), "no such teacher; name the data folder with --shared")
        core = ov.Core()
        model = core.read_model(path)
        model.reshape([1, 3, SIDE, SIDE])
        threads: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = core.compile_model(model, "CPU", threads).create_infer_request()

    def landmarks(
        self, bgr: NDArray[np.uint8], low: NDArray[np.floating], high: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(66, 2) in pixels of the (H, W, 3) picture; `low` and `high` are corners of the box around the points."""
        middle, half = (low + high) / 2, (high - low) / 2 * (1.2, 1.25)
        start, step = middle - half, 2 * half / SIDE
        to_picture = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(bgr, to_picture, (SIDE, SIDE), flags=flags)
        planes = ((crop[..., ::-1] / np.float32(255) - _MEAN) / _DEVIATION).transpose(2, 0, 1)
        tensor = np.ascontiguousarray(planes[None], np.float32)
        maps = self._request.infer([tensor])[0][0]
        return decode(np.asarray(maps, np.float64)) * step + start


def decode(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(66, 2) x, y in crop pixels, of (198, 28, 28) maps: 66 of places, 66 of offsets down, 66 of offsets across."""
    best = maps[:POINTS].reshape(POINTS, -1).argmax(axis=1)
    every = np.arange(POINTS)
    down, across = (
        SIDE * _logit(maps[k * POINTS : (k + 1) * POINTS].reshape(POINTS, -1)[every, best])
        for k in (1, 2)
    )
    rows, columns = np.divmod(best, CELLS)
    step = (SIDE - 1) / (CELLS - 1)
    return np.stack([columns * step + across, rows * step + down], axis=1)


def _logit(share: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(share, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(bounded / (1 - bounded)) / _LOGIT)
