"""The landmarker's network in PyTorch: what `training.landmarks` trains. Serving needs no torch:
see `face_finder`.

Legend: B crops, K landmarks. About 24 MMAC and 0.56 M parameters.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS

WIDTHS = (16, 32, 64, 128)
"""Channels at strides 2, 4, 8 and 16."""
REPEATS = (0, 1, 2, 3)
"""Inverted residual blocks at each stride."""
EXPANSION = 2
SQUEEZED = 32
HIDDEN = 160
CONTRAST_FLOOR = 25.0
"""Added to a crop's luma variance, so that noise on a flat crop is not blown up."""


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if act else []))


class Inverted(nn.Module):
    """Inverted residual (MobileNetV2, Sandler 2018): widen, look around within each channel,
    narrow, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = EXPANSION * width
        self.widen = ConvNorm(width, wide, 1)
        self.around = ConvNorm(wide, wide, 3, groups=wide)
        self.narrow = ConvNorm(wide, width, 1, act=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out: Tensor = x_BCHW + self.narrow(self.around(self.widen(x_BCHW)))
        return out


class LandmarkNet(nn.Module):
    """Luma crop to landmarks and a presence logit."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs = 1
        for width, repeats in zip(WIDTHS, REPEATS, strict=True):
            stages.append(ConvNorm(inputs, width, 3, stride=2))
            stages += [Inverted(width) for _ in range(repeats)]
            inputs = width
        self.body = nn.Sequential(*stages)
        self.squeeze = ConvNorm(inputs, SQUEEZED, 1)
        cells = (LANDMARK_CROP_SIZE // 2 ** len(WIDTHS)) ** 2
        self.hidden = nn.Linear(SQUEEZED * cells, HIDDEN)
        self.out = nn.Linear(HIDDEN, 2 * len(LANDMARKS) + 1)

    def start_from(self, points: NDArray[np.floating]) -> None:
        """Makes the untrained net answer with these points ((K, 2), crop pixels) and presence
        0.5."""
        half = (LANDMARK_CROP_SIZE - 1) / 2
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias[:-1] = torch.from_numpy((points.ravel() - half) / (half + 0.5)).float()
            self.out.bias[-1] = 0.0

    def features(self, luma_B1HW: Tensor) -> Tensor:
        """Luma 0..255 as float to (B, SQUEEZED, 6, 6)."""
        mean_B111 = luma_B1HW.mean(dim=(1, 2, 3), keepdim=True)
        spread_B111 = luma_B1HW.var(dim=(1, 2, 3), keepdim=True, correction=0)
        x_B1HW = (luma_B1HW - mean_B111) * torch.rsqrt(spread_B111 + CONTRAST_FLOOR)
        squeezed_BCHW: Tensor = self.squeeze(self.body(x_B1HW))
        return squeezed_BCHW

    def head(self, features_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Features to points (B, K, 2) in crop pixels and presence logits (B,)."""
        raw_BD = self.out(torch.relu(self.hidden(features_BCHW.flatten(1))))
        half = (LANDMARK_CROP_SIZE - 1) / 2
        points_BK2 = raw_BD[:, :-1].unflatten(1, (-1, 2)) * (half + 0.5) + half
        return points_BK2, raw_BD[:, -1]

    def forward(self, luma_B1HW: Tensor) -> tuple[Tensor, Tensor]:
        """Luma 0..255 as float to points (B, K, 2) in crop pixels and presence logits (B,)."""
        return self.head(self.features(luma_B1HW))


def folded(net: LandmarkNet) -> dict[str, NDArray[np.float16]]:
    """The net's weights with every batch norm folded into its convolution: what `face_finder`
    loads.

    Names are those of the modules with ``.weight`` and ``.bias``.
    """
    weights: dict[str, NDArray[np.float16]] = {}
    for name, module in net.named_modules():
        if isinstance(module, ConvNorm):
            conv, norm = module[0], module[1]
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None and norm.running_var is not None
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            _put(
                weights,
                name,
                conv.weight * gain[:, None, None, None],
                norm.bias - norm.running_mean * gain,
            )
        elif isinstance(module, nn.Linear):
            _put(weights, name, module.weight, module.bias)
    return weights


def _put(weights: dict[str, NDArray[np.float16]], name: str, weight: Tensor, bias: Tensor) -> None:
    for kind, tensor in (("weight", weight), ("bias", bias)):
        # safetensors writes memory as it lies, and training keeps convolutions channels-last
        half = tensor.detach().to(torch.float16).contiguous(memory_format=torch.contiguous_format)
        weights[f"{name}.{kind}"] = half.numpy()
