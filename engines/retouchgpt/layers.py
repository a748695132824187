"""Convolutions that E_img, I and D share.

Shapes: B batch, C channels, H rows, W columns.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ConvNorm(nn.Module):
    """Convolution, batch norm (folded at export), ReLU. Training without the norm does not start."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv: nn.Module = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.conv(x_BCHW)))


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvNorm(width, width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return F.relu(x_BCHW + self.norm(self.second(self.first(x_BCHW))))


def rise2(side: int) -> torch.Tensor:
    """The matrix U (2 side, side) of `up2` along one axis: up2(x) = U x U^T for planes of that side.

    For a few channels two products with a constant cost compiled engines a tenth of an interpolation.
    """
    return F.interpolate(torch.eye(side)[None], scale_factor=2.0, mode="linear")[0].T.contiguous()


def risen(rise_Hh: torch.Tensor, x_BChw: torch.Tensor) -> torch.Tensor:
    """`up2` of a few square planes by the matrix of `rise2`."""
    return rise_Hh @ x_BChw @ rise_Hh.T


def exchange(side: int) -> torch.Tensor:
    """The matrix J (side, side) with x J mirrored left to right, for planes of that side."""
    return torch.eye(side).flip(0)


def up2(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Twice the size, bilinear, cell centres kept."""
    return F.interpolate(x_BCHW, scale_factor=2.0, mode="bilinear", align_corners=False)
