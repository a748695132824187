"""MobileFaceNet: whether two pictures show the same person (Chen et al., 2018; weights of ZQCNN, MIT).

For measuring alone: the weights are read from the shared data folder and never shipped.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from stream_retouch.errors import WeightsError

SIDE = 112
ARCFACE_POINTS = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ],
    np.float32,
)
"""Where ArcFace puts eyes, nose and corners of the mouth in a square of SIDE, left to right as seen in the picture."""
MESH_POINTS = (468, 473, 1, 61, 291)
"""The same points in MediaPipe's mesh: irises, tip of the nose, corners of the mouth."""

_STRIDE_2 = (0, 9, 53, 115)
_BLOCKS = (*range(14, 50, 9), *range(58, 112, 9), 120, 129)
_EPSILON = 1e-5


class MobileFaceNet:
    """A face's embedding. The archive's layers run one after the other; its residual sums close blocks of nine.

    Raises:
        WeightsError: the archive is missing, or is another one.
    """

    def __init__(self, path: Path) -> None:
        self._layers: dict[int, dict[str, torch.Tensor]] = {}
        try:
            with np.load(path, allow_pickle=False) as data:
                for key in sorted(data.files):
                    number, _, part = key.split(".")
                    self._layers.setdefault(int(number), {})[part] = torch.from_numpy(data[key])
            if max(self._layers) != 144:
                raise ValueError(f"{len(self._layers)} layers")
        except (OSError, KeyError, ValueError) as problem:
            raise WeightsError(str(path), f"not the MobileFaceNet archive ({problem})") from problem

    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (B, 128) of aligned faces (B, SIDE, SIDE, 3) RGB; the likeness of two is their product."""
        x_BCHW = (torch.from_numpy(faces).permute(0, 3, 1, 2).float() - 127.5) / 128.0
        with torch.inference_mode():
            for number in range(145):
                if number in _BLOCKS:
                    entered = x_BCHW
                if number in self._layers:
                    x_BCHW = self._run(number, x_BCHW)
                else:
                    x_BCHW = x_BCHW + entered
        return F.normalize(x_BCHW).numpy()

    def _run(self, number: int, x: torch.Tensor) -> torch.Tensor:
        parts = self._layers[number]
        if "mean" in parts:
            mean, var, scale, bias = (parts[n] for n in ("mean", "var", "scale", "bias"))
            return F.batch_norm(x, mean, var, scale, bias, eps=_EPSILON)
        weight = parts["weight"]
        if weight.ndim == 1:
            return F.prelu(x, weight)
        if weight.ndim == 2:
            return F.linear(x.flatten(1), weight, parts["bias"])
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        padding = 1 if weight.shape[-1] == 3 else 0
        stride = 2 if number in _STRIDE_2 else 1
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=groups)


def aligned(rgb: NDArray[np.uint8], mesh: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The face (SIDE, SIDE, 3) as MobileFaceNet wants it.

    Args:
        rgb: (H, W, 3).
        mesh: (478, 2) landmarks in its pixels.
    """
    points = mesh[list(MESH_POINTS)].astype(np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(points, ARCFACE_POINTS, method=cv2.LMEDS)
    return np.asarray(cv2.warpAffine(rgb, matrix, (SIDE, SIDE)), np.uint8)
