"""E_img: image features f_img(x_s) at four scales.

Shapes: B batch, C channels, H rows, W columns; f1 is 1/2, f2 1/4, f3 1/8, f4 1/16 of the crop.
"""

from __future__ import annotations

import torch
from torch import nn

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.layers import ConvNorm, Residual

Features = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class ImageEncoder(nn.Module):
    """E_img of the paper, 0.2 GMAC at 256 px: strided convolutions, residual blocks in the middle."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        c1, c2, c3 = config.widths
        self.stage1 = ConvNorm(3, c1, kernel=4, stride=2)
        self.stage2 = nn.Sequential(ConvNorm(c1, c2, stride=2), Residual(c2))
        self.stage3 = nn.Sequential(ConvNorm(c2, c3, stride=2), Residual(c3))
        self.stage4 = ConvNorm(c3, config.block_width, stride=2)

    def forward(self, x_BCHW: torch.Tensor) -> Features:
        """Features of crops (B, 3, S, S), RGB 0..1."""
        f1 = self.stage1(x_BCHW)
        f2 = self.stage2(f1)
        f3 = self.stage3(f2)
        return f1, f2, f3, self.stage4(f3)
