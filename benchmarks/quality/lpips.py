"""LPIPS 0.1 with AlexNet (Zhang et al., CVPR 2018), where its weights are at hand; else a sentence that says so.

The backbone is torchvision's file ``alexnet-owt-7be5be79.pth`` in ``shared/weights``; the linear layers come inside the
packages lpips and torchmetrics.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.quality.pictures import Rgb

BACKBONE = "alexnet-owt-7be5be79.pth"
_HEADS = (
    ("torchmetrics", "functional/image/lpips_models/alex.pth"),
    ("lpips", "weights/v0.1/alex.pth"),
)
_LAYERS = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))
"""Number in torchvision's ``features``, stride and padding of each convolution."""
_POOLED = (3, 6)
"""A 3x3 maximum of stride 2 comes before these."""
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


def lpips(shared: Path) -> tuple[Callable[[Rgb, Rgb], float] | None, str | None]:
    """The distance of two RGB pictures in code values, or why it is left out."""
    backbone, heads = shared / "weights" / BACKBONE, _packaged_heads()
    if not backbone.is_file():
        return None, f"lpips, for {BACKBONE} is not in shared/weights; put it there"
    if heads is None:
        return None, "lpips, for its linear layers are missing; install torchmetrics"
    convolutions, linear = (
        torch.load(path, map_location="cpu", weights_only=True) for path in (backbone, heads)
    )

    def distance(a: Rgb, b: Rgb) -> float:
        return distance_of(a, b, convolutions, linear)

    return distance, None


def distance_of(
    a: Rgb, b: Rgb, convolutions: Mapping[str, torch.Tensor], linear: Mapping[str, torch.Tensor]
) -> float:
    """LPIPS of two (H, W, 3) pictures with given weights, named as in their files."""
    total = 0.0
    with torch.inference_mode():
        pairs = zip(_taps(a, convolutions), _taps(b, convolutions), strict=True)
        for number, (x, y) in enumerate(pairs):
            squared = (_unit(x) - _unit(y)) ** 2
            total += float(F.conv2d(squared, linear[f"lin{number}.model.1.weight"]).mean())
    return total


def _taps(picture: Rgb, convolutions: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] / 127.5 - 1.0
    shift, scale = (torch.tensor(v)[None, :, None, None] for v in (_SHIFT, _SCALE))
    x, taps = (x - shift) / scale, []
    for number, stride, padding in _LAYERS:
        if number in _POOLED:
            x = F.max_pool2d(x, 3, 2)
        weight, bias = (convolutions[f"features.{number}.{part}"] for part in ("weight", "bias"))
        x = F.relu(F.conv2d(x, weight, bias, stride, padding))
        taps.append(x)
    return taps


def _unit(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _packaged_heads() -> Path | None:
    for package, inside in _HEADS:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(folder) / inside).is_file():
                return Path(folder) / inside
    return None
