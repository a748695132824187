"""The finer level: what makes of the network for crops of 256 px one for crops of 512 px.

The network itself works inside, on the 2x2 means of the crop, unchanged: its parts keep their names and their weights.
Around it lies one level more. Features taken at half of the large crop go into f1, so that all that follows knows what
lies between its pixels, and they sharpen what comes out: M_s by a factor of 0 to 2, as the finest features do inside,
and the flattening by the odds of its being on. Level and chroma are smooth and only enlarged.

All that the level adds comes out of three convolutions that start at 0. A network that is given a finer level therefore
answers as it did before, enlarged, and learns the rest.

Shapes: B batch, S side of the large crop, C channels of the level, H = S / 4 layer side inside, G = S / 2 layer side.
"""

from __future__ import annotations

import torch
from torch import nn

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.layers import ConvNorm, rise2, risen

MOST_ODDS = 4.0
"""The logarithm of the factor on the odds of flattening is at most so far from 0: enough to turn 0.1 into 0.85."""


class FinerLevel(nn.Module):
    """Features of the large crop, and what they make of the answer for the small one."""

    rise: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        c0, c1 = config.finer, config.widths[0]
        self.stem = ConvNorm(3, c0, kernel=4, stride=2)
        # neither norm nor activation: behind either, a convolution that starts at 0 would not start to learn
        self.join = _silent(nn.Conv2d(c0, c1, 4, 2, 1))
        self.sharpen = ConvNorm(c0, 8)
        self.fine: nn.Module = _silent(nn.Conv2d(8, 1, 1))
        self.detail: nn.Module = _silent(nn.Conv2d(8, 1, 1))
        self.register_buffer("rise", rise2(config.layer_size // 2), persistent=False)

    def forward(
        self,
        f0_BCGG: torch.Tensor,
        layer_B4HH: torch.Tensor,
        mask_B1HH: torch.Tensor,
        most_B1HH: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Edit layer (B, 4, G, G) and mask (B, 1, G, G), both in the units of what comes in.

        Args:
            f0_BCGG: what `stem` saw in the large crop.
            layer_B4HH: the edit layer inside.
            mask_B1HH: M_s inside.
            most_B1HH: the most that was asked for at each place, which the mask must not exceed.
        """
        both_B6GG = risen(self.rise, torch.cat((layer_B4HH, mask_B1HH, most_B1HH), 1))
        sharp_B8GG = self.sharpen(f0_BCGG)
        fine_B1GG = 2.0 * torch.sigmoid(self.fine(sharp_B8GG))
        mask_B1GG = torch.minimum(both_B6GG[:, 4:5] * fine_B1GG, both_B6GG[:, 5:])
        odds_B1GG = torch.exp(torch.clamp(self.detail(sharp_B8GG), -MOST_ODDS, MOST_ODDS))
        flatten_B1GG = both_B6GG[:, :1]
        on_B1GG = flatten_B1GG * odds_B1GG
        sharp_flatten_B1GG = on_B1GG / (on_B1GG + (1.0 - flatten_B1GG))
        return torch.cat((sharp_flatten_B1GG, both_B6GG[:, 1:4]), 1), mask_B1GG


def _silent(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution, saying nothing yet."""
    assert conv.bias is not None
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv
