"""D: the edit layer, from x_r = D(f_img x (1 - M) + R^n x M) of equation 6.

D does not draw a face. It says, at half the crop's resolution, how much of the contrast to flatten, where the
luma should lie and how far to shift the chroma; the frame itself keeps everything else. Imperfect features are
replaced by R^n at the coarsest scale and every skip is gated by 1 - M, so the composition of equation 6 holds at
every scale. The level to flatten to is a mix of normal-skin averages of three sizes taken around the place.

Shapes: B batch, C channels, H = W = layer size. Colours are full-range BT.601 code values, 0..255, chroma about 0.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.encoder import Features
from engines.retouchgpt.layers import ConvNorm, up2

CODES = 64.0
"""Code values to one unit of the colours D works in."""


def normal_skin(x_B3HW: torch.Tensor, weight_B1HW: torch.Tensor) -> torch.Tensor:
    """Weighted means of `x` over windows of about 20, 40 and 112 crop pixels, (B, 9, 2H, 2W), smallest first.

    Where a window holds no weight, its mean falls back to the plain mean of the window.

    Args:
        x_B3HW: colours at half the layer's size.
        weight_B1HW: 1 on normal skin, the same size.
    """
    cells_B8HW = torch.cat((x_B3HW * weight_B1HW, x_B3HW, weight_B1HW, weight_B1HW), 1)
    fills = []
    for window in (5, 5, 7):
        means = F.avg_pool2d(cells_B8HW, window, 1, window // 2)
        fills.append((means[:, :3] + 0.02 * means[:, 3:6]) / (means[:, 6:7] + 0.02))
        cells_B8HW = F.avg_pool2d(cells_B8HW, 2)
    small, middle, large = fills
    return up2(torch.cat((small, up2(torch.cat((middle, up2(large)), 1))), 1))


class Decoder(nn.Module):
    """D with the four-channel edit layer as its head.

    The layer is a sum of gated parts: how much of each normal-skin mean the level takes, how much of the chroma that
    is there it takes away, how much it flattens, and a small free rest.
    """

    compose: torch.Tensor
    centre: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        c1, c2, c3 = config.widths
        self.down4 = nn.Conv2d(config.block_width, c3, 1)
        self.merge3 = ConvNorm(c3, c3)
        self.down3 = nn.Conv2d(c3, c2, 1)
        self.merge2 = ConvNorm(c2, c2)
        self.down2 = nn.Conv2d(c2, c1, 1)
        self.merge1 = ConvNorm(c1, 16)
        self.colours = ConvNorm(16, 16, kernel=1)
        gates = nn.Conv2d(16, 16, 1)
        nn.init.normal_(gates.weight, std=0.05)
        assert gates.bias is not None
        with torch.no_grad():
            start = [-1.0] * 3 + [0.5] * 3 + [-1.5] * 3 + [0.5] * 4 + [0.0] * 3
            gates.bias.copy_(torch.tensor(start))
        self.gates: nn.Module = gates
        weight, bias = _composition()
        self.register_buffer("compose", weight, persistent=False)
        self.register_buffer("centre", bias, persistent=False)

    def forward(
        self,
        features: Features,
        r_BDHW: torch.Tensor,
        masks: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
        requested_B1HW: torch.Tensor,
        ycc_B3HW: torch.Tensor,
    ) -> torch.Tensor:
        """The edit layer (B, 4, H, W): flattening 1-g in 0..1, offset o, cb and cr in code values.

        Args:
            features: f_img at four scales.
            r_BDHW: R^n.
            masks: M_s at the four scales of `features`.
            requested_B1HW: where skin is not normal, as `ImperfectionPredictor` returns it, at half size.
            ycc_B3HW: the crop at layer resolution, YCbCr, luma less mu, chroma about 0, in units of CODES.
        """
        f1, f2, f3, f4 = features
        m1, m2, m3, m4 = masks
        x = F.relu(self.down4(f4 * (1 - m4) + r_BDHW * m4))
        x = self.merge3(up2(x) + f3 * (1 - m3))
        x = self.merge2(up2(F.relu(self.down3(x))) + f2 * (1 - m2))
        x = up2(F.relu(self.down2(x))) + f1 * (1 - m1)
        fills = normal_skin(F.avg_pool2d(ycc_B3HW, 2), 1 - requested_B1HW)
        ones = torch.ones_like(ycc_B3HW[:, :1]).expand(-1, 4, -1, -1)
        colours = torch.cat((fills, ycc_B3HW, ones), 1)
        x = self.merge1(x) + self.colours(colours)
        return self._composed(colours * torch.sigmoid(self.gates(x)))

    def _composed(self, parts_BPHW: torch.Tensor) -> torch.Tensor:
        """The layer (B, 4, H, W) from its 16 gated parts.

        A 1x1 convolution spelled out: engines in bf16 round what goes into a convolution, and these sums nearly cancel.
        """
        sums_BHW = [(parts_BPHW * weight_P11).sum(1) for weight_P11 in self.compose]
        return torch.stack(sums_BHW, 1) + self.centre


def _composition() -> tuple[torch.Tensor, torch.Tensor]:
    """How the gated parts sum up to the layer: weight (4, 16, 1, 1) and bias (4, 1, 1).

    The parts are 9 means and 3 present colours, then flattening and three rests of at most 32 code values.
    """
    weight, bias = torch.zeros(4, 16), torch.zeros(4)
    weight[0, 12] = 1.0
    for channel in range(3):
        weight[1 + channel, channel:9:3] = CODES
        weight[1 + channel, 13 + channel] = 64.0
        bias[1 + channel] = -32.0
    weight[2, 10] = weight[3, 11] = -CODES
    return weight[:, :, None, None], bias[:, None, None]
