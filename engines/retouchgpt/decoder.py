"""D: the edit layer, from x_r = D(f_img x (1 - M) + R^n x M) of equation 6.

D does not draw a face. It says, at half the crop's resolution, how much of the contrast to flatten, where the
luma should lie and how far to shift the chroma; the frame itself keeps everything else. Imperfect features are
replaced by R^n at the coarsest scale and every skip is gated by 1 - M, so the composition of equation 6 holds at
every scale. The level to flatten to is a mix of normal-skin averages of three sizes taken around the place.

Beside the composition D looks at the colours that are there, at normal skin around them and on the other side of the
face, and at the requested evidence: how far skin is off cannot be told from features that the gate has taken away
(without this look the edit of shine, redness and uneven tone stayed a fifth too small). Level and chroma are worked out
at half the layer's size, where everything costs a quarter; the mask and the flattening, which are at the layer's size,
keep the edges sharp.

Shapes: B batch, C channels, K categories, H = W = layer size, h = w = H / 2. Colours are full-range BT.601 code values,
0..255, chroma about 0.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.encoder import Features
from engines.retouchgpt.imperfection import Imperfection
from engines.retouchgpt.layers import ConvNorm, Residual, exchange, rise2, risen, up2

CODES = 64.0
"""Code values to one unit of the colours D works in."""
REST = 32.0
"""Code values that the free rest of the level may be at most."""


def normal_skin(x_B3hw: torch.Tensor, weight_B1hw: torch.Tensor) -> torch.Tensor:
    """Weighted means of `x` over windows of about 20, 40 and 112 crop pixels, (B, 9, h, w), smallest first.

    Where a window holds no weight, its mean falls back to the plain mean of the window.

    Args:
        x_B3hw: colours at half the layer's size.
        weight_B1hw: 1 on normal skin, the same size.
    """
    cells_B8hw = torch.cat((x_B3hw * weight_B1hw, x_B3hw, weight_B1hw, weight_B1hw), 1)
    fills = []
    for window in (5, 5, 7):
        means = F.avg_pool2d(cells_B8hw, window, 1, window // 2)
        fills.append((means[:, :3] + 0.02 * means[:, 3:6]) / (means[:, 6:7] + 0.02))
        cells_B8hw = F.avg_pool2d(cells_B8hw, 2)
    small, middle, large = fills
    return torch.cat((small, up2(torch.cat((middle, up2(large)), 1))), 1)


class Decoder(nn.Module):
    """D with the four-channel edit layer as its head.

    The level is a sum of gated parts: how much of each normal-skin mean it takes, how much of the colour that is there
    (of its local mean) it takes away, and a small free rest. So a shade can be lifted to the skin around it with its
    texture, and a spot, whose contrast is flattened, filled up to it.
    """

    rise: torch.Tensor
    exchange: torch.Tensor
    sign: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        _, c2, c3 = config.widths
        self.down4 = nn.Conv2d(config.block_width, c3, 1)
        self.merge3 = ConvNorm(c3, c3)
        self.down3 = nn.Conv2d(c3, c2, 1)
        self.look = ConvNorm(12 + config.categories + 3, c2)
        self.merge2 = Residual(c2)
        start = [-1.0] * 3 + [0.5] * 3 + [-1.5] * 3 + [-3.0] + [0.5] * 2 + [0.0] * 3
        self.gates: nn.Module = _head(c2, start)
        # a convolution of its own, for compiled engines split one's output slowly
        self.flatten: nn.Module = _head(c2, [0.5])
        self.register_buffer("rise", rise2(config.layer_size // 2), persistent=False)
        self.register_buffer("exchange", exchange(config.layer_size // 2), persistent=False)
        sign = torch.tensor([1.0] * 9 + [-1.0] * 3 + [2 * REST / CODES] * 3)[:, None, None]
        self.register_buffer("sign", sign, persistent=False)

    def forward(
        self,
        features: Features,
        r_BDHW: torch.Tensor,
        masks: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        found: Imperfection,
        ycc_B3HW: torch.Tensor,
    ) -> torch.Tensor:
        """The edit layer (B, 4, H, W): flattening 1-g in 0..1, offset o, cb and cr in code values.

        Args:
            features: f_img at four scales.
            r_BDHW: R^n.
            masks: M_s at the three coarser scales of `features`.
            found: what I found.
            ycc_B3HW: the crop at layer resolution, YCbCr, luma less mu, chroma about 0, in units of CODES.
        """
        _, f2, f3, f4 = features
        m2, m3, m4 = masks
        present_B3hw = F.avg_pool2d(ycc_B3HW, 2)
        fills_B9hw = normal_skin(present_B3hw, 1 - found.requested)
        colours_BPhw = torch.cat((fills_B9hw, present_B3hw), 1)
        x = F.relu(self.down4(f4 * (1 - m4) + r_BDHW * m4))
        x = self.merge3(up2(x) + f3 * (1 - m3))
        other_B3hw = fills_B9hw[:, 3:6] @ self.exchange
        seen = self.look(torch.cat((colours_BPhw, found.asked, other_B3hw), 1))
        x = self.merge2(up2(F.relu(self.down3(x))) + f2 * (1 - m2) + seen)
        flatten_B1HW = torch.sigmoid(risen(self.rise, self.flatten(x)) + found.detail)
        b, _, h, w = x.shape
        ones_B3hw = torch.ones_like(present_B3hw)
        # A convolution spelled out: engines in bf16 round what goes into one, and these sums nearly cancel.
        parts_BPhw = (
            torch.cat((colours_BPhw, ones_B3hw), 1) * self.sign * torch.sigmoid(self.gates(x))
        )
        level_B3hw = parts_BPhw.reshape(b, 5, 3, h, w).sum(1) * CODES - REST
        return torch.cat((flatten_B1HW, risen(self.rise, level_B3hw)), 1)


def _head(width: int, start: list[float]) -> nn.Conv2d:
    """A 1x1 convolution whose outputs start about these values."""
    head = nn.Conv2d(width, len(start), 1)
    nn.init.normal_(head.weight, std=0.05)
    assert head.bias is not None
    with torch.no_grad():
        head.bias.copy_(torch.tensor(start))
    return head
