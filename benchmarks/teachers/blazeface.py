"""BlazeFace, front model (Bazarevsky et al., arXiv 1907.05047; MediaPipe, Apache-2.0).

The weights are those of hollance/BlazeFace-PyTorch; the network is written anew from the names and shapes of its
tensors and what that repository tells: single blocks, zeros after the picture where a step of 2 would need them,
zero channels where the shortcut is narrower, anchors of size 1, coordinates in 128ths of the input. It sees 128x128
pixels of the whole frame, so a face below about 15 % of the frame's width is not its job.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot
from benchmarks.teachers.boxes import BoxMapping
from stream_retouch.errors import MediaError

SIDE = 128
SCORE = 0.75
SURE = 0.9
"""From here on it is "sure" in `recall_real`."""
OVERLAP = 0.3
MAPPING = BoxMapping(down=-0.033, scale=0.997)


class BlazeFace:
    """Faces close to the camera."""

    name = "BlazeFace"

    def __init__(self, weights: Path, score: float = SCORE, mapping: BoxMapping = MAPPING) -> None:
        tensors, anchors = weights / "blazeface.pth", weights / "anchors.npy"
        if not (tensors.is_file() and anchors.is_file()):
            raise MediaError(str(tensors), "no such teacher; name the data folder with --shared")
        self._tensors: dict[str, Any] = torch.load(tensors, weights_only=True)
        self._anchors = np.load(anchors, allow_pickle=False)
        self._score, self._mapping = score, mapping

    def find(self, bgr: NDArray[np.uint8]) -> list[Spot]:
        """Faces in a (H, W, 3) BGR picture, by our oval."""
        square, scale, left, top = padded(bgr)
        rgb_133 = torch.from_numpy(square[..., ::-1].copy()).permute(2, 0, 1)[None]
        with torch.inference_mode():
            coords, scores = network(self._tensors, rgb_133 / 127.5 - 1)
        found = decode(coords[0].numpy(), scores[0].numpy(), self._anchors, self._score)
        spots = []
        for row in merged(found):
            xy = row[:16].reshape(8, 2) * SIDE / scale - (left, top)
            low, high = xy[0], xy[1]
            across = xy[3] - xy[2]
            roll = float(np.arctan2(across[1], across[0]))
            box = low[0] - 0.5, low[1] - 0.5, high[0] - low[0], high[1] - low[1]
            spots.append(self._mapping.spot(box, roll, float(row[16])))
        return spots


def padded(bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float, float]:
    """The picture in the middle of a black 128 px square; its scale, and the border in pixels before scaling."""
    height, width = bgr.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    return square, scale, left / scale, top / scale


def network(tensors: dict[str, Any], x: Any) -> tuple[Any, Any]:
    """(N, 896, 16) coordinates and (N, 896) score logits of (N, 3, 128, 128) RGB in -1..1."""
    x = F.pad(x, (1, 2, 1, 2))
    x = F.relu(_conv(tensors, "backbone1.0", x, stride=2))
    for block in range(2, 13):
        x = _block(tensors, f"backbone1.{block}", x, halves=block in (4, 7))
    y = x
    for block in range(5):
        y = _block(tensors, f"backbone2.{block}", y, halves=block == 0)
    heads = [
        [_flat(_conv(tensors, f"{kind}_{step}", z), width) for step, z in ((8, x), (16, y))]
        for kind, width in (("regressor", 16), ("classifier", 1))
    ]
    coords, scores = (torch.cat(head, dim=1) for head in heads)
    return coords, scores[..., 0]


def _block(tensors: dict[str, Any], name: str, x: Any, halves: bool) -> Any:
    channels = x.shape[1]
    wide, padding, stride = (F.pad(x, (0, 2, 0, 2)), 0, 2) if halves else (x, 1, 1)
    deep = _conv(tensors, f"{name}.convs.0", wide, stride, padding, groups=channels)
    deep = _conv(tensors, f"{name}.convs.1", deep)
    short = F.max_pool2d(x, 2) if halves else x
    return F.relu(deep + F.pad(short, (0, 0, 0, 0, 0, deep.shape[1] - channels)))


def _conv(
    tensors: dict[str, Any], name: str, x: Any, stride: int = 1, padding: int = 0, groups: int = 1
) -> Any:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return F.conv2d(x, weight, bias, stride=stride, padding=padding, groups=groups)


def _flat(x: Any, width: int) -> Any:
    """(N, C, H, W) to (N, H * W * C / width, width), place by place."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)


def decode(
    coords: NDArray[np.floating],
    logits: NDArray[np.floating],
    anchors: NDArray[np.floating],
    score: float = SCORE,
) -> NDArray[np.float64]:
    """(M, 17) rows above `score`: corners x0, y0, x1, y1, six points (x, y), score; shares of the input.

    Args:
        coords: (A, 16) centre x, y, width, height, then the points, in pixels of the input from the anchor's centre.
        logits: (A,).
        anchors: (A, 4), of which the first two columns matter.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits, -100, 100)))
    keep = scores >= score
    centre = np.asarray(anchors[keep, :2], np.float64)
    values = np.asarray(coords[keep], np.float64).reshape(-1, 8, 2) / SIDE
    middle, half = values[:, 0] + centre, values[:, 1] / 2
    points = values[:, 2:] + centre[:, None]
    corners = np.concatenate([middle - half, middle + half], axis=1)
    return np.concatenate([corners, points.reshape(-1, 12), scores[keep, None]], axis=1)


def merged(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """One row a face: those that overlap the best one are averaged with it, weighted by their scores."""
    rest = rows[np.argsort(-rows[:, 16], kind="stable")]
    faces = []
    while len(rest):
        low = np.maximum(rest[0, :2], rest[:, :2])
        high = np.minimum(rest[0, 2:4], rest[:, 2:4])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        area = np.prod(rest[:, 2:4] - rest[:, :2], axis=1)
        same = shared / np.maximum(area + area[0] - shared, 1e-12) > OVERLAP
        same[0] = True
        weights = rest[same, 16:]
        face = (rest[same] * weights).sum(axis=0) / weights.sum()
        face[16] = weights.mean()
        faces.append(face)
        rest = rest[~same]
    return faces
