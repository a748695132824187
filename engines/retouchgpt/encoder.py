"""E_img: image features f_img(x_s) at four scales.

Shapes: B batch, C channels, H rows, W columns; f1 is 1/2, f2 1/4, f3 1/8, f4 1/16 of the crop.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.layers import ConvNorm, Residual, exchange

Features = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class ImageEncoder(nn.Module):
    """E_img of the paper, 0.3 GMAC at 256 px: strided convolutions, residual blocks in the middle.

    Faces are alike on both sides and their imperfections are not: f3 is told the colour of the other side.
    """

    exchange: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        c1, c2, c3 = config.widths
        self.stage1 = ConvNorm(3, c1, kernel=4, stride=2)
        self.stage2 = nn.Sequential(ConvNorm(c1, c2, stride=2), Residual(c2))
        self.mirror = nn.Conv2d(6, c3, 3, 1, 1)
        nn.init.zeros_(self.mirror.weight)
        self.stage3 = nn.Sequential(ConvNorm(c2, c3, stride=2), Residual(c3), Residual(c3))
        self.stage4 = ConvNorm(c3, config.block_width, stride=2)
        self.register_buffer("exchange", exchange(config.crop_size // 8), persistent=False)

    def forward(
        self,
        x_BCHW: torch.Tensor,
        ycc_B3HW: torch.Tensor,
        beside: torch.Tensor | None = None,
    ) -> Features:
        """Features of crops (B, 3, S, S), RGB 0..1.

        Args:
            ycc_B3HW: the crop at half its size, YCbCr less the skin's luma.
            beside: what a finer level has to add to f1.
        """
        f1 = self.stage1(x_BCHW)
        if beside is not None:
            f1 = f1 + beside
        f2 = self.stage2(f1)
        own_B3HW = F.avg_pool2d(ycc_B3HW, 4)
        other_B3HW = own_B3HW @ self.exchange
        f3 = self.stage3[0](f2) + self.mirror(torch.cat((own_B3HW, other_B3HW), 1))
        f3 = self.stage3[1:](f3)
        return f1, f2, f3, self.stage4(f3)
