"""I: the instruction-driven imperfection prediction (IIP), equation 2: M_s = sigma(I[x_s, f_img (+) f_txt]).

One evidence channel per category answers "is this kind here?"; the request map says how much of which kind was
asked for where. Their product is the mask, so what the plan keeps is exactly 0 whatever the network believes, and
the mask is linear in the amount. What is there and was *not* asked for takes its share away again, so that a freckle
that is to stay is not lost as a spot; how much of it, is learned for each category.

Evidence lives at half the layer's size, where deciding costs a quarter; what is fine about the mask at the layer's size
is a factor between 0 and 2 from the finest features, which keeps every 0 a 0.

Shapes: B batch, K categories, H = W = layer size, h = w = H / 2, N request cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.encoder import Features
from engines.retouchgpt.layers import ConvNorm, rise2, risen, up2


@dataclass(frozen=True)
class Imperfection:
    """What I found in a batch of crops."""

    mask: torch.Tensor
    """(B, 1, H, W) M_s, 0..1."""
    requested: torch.Tensor
    """(B, 1, h, w) 0..1: the mask as if every request were for the whole amount: where imperfect skin is that somebody
    wants changed, however little."""
    asked: torch.Tensor
    """(B, K, h, w) 0..1: evidence of each category where it was asked for."""
    logits: torch.Tensor
    """(B, K, h, w) evidence before the activation."""
    detail: torch.Tensor
    """(B, 1, H, W) fine structure, for the flattening."""
    most: torch.Tensor
    """(B, 1, H, W) the most that was asked for at each place, which the mask does not exceed."""


class ImperfectionPredictor(nn.Module):
    """I of the paper with sigma as a sigmoid of learnable slope and offset, one pair a category."""

    rise: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        c1, c2, c3 = config.widths
        self.joint = ConvNorm(config.block_width + config.text_width, c3, kernel=1)
        self.lateral3, self.lateral2 = nn.Conv2d(c3, c3, 1), nn.Conv2d(c2, c2, 1)
        self.merge3, self.merge2 = ConvNorm(c3, c2), ConvNorm(c2, 32)
        self.evidence = nn.Conv2d(32, config.categories, 1)
        self.slope = nn.Parameter(torch.ones(config.categories))
        self.offset = nn.Parameter(torch.full((config.categories,), -2.0))
        self.spare = nn.Parameter(torch.full((config.categories,), -3.0))
        self.sharpen = ConvNorm(c1, 8)
        self.fine: nn.Module = nn.Conv2d(8, 1, 1)
        self.detail: nn.Module = nn.Conv2d(8, 1, 1)
        self.register_buffer("rise", rise2(config.layer_size // 2), persistent=False)

    def logits(self, features: Features, f_txt_BT: torch.Tensor) -> torch.Tensor:
        """Evidence before the activation, (B, K, h, w)."""
        _, f2, f3, f4 = features
        text_BTHW = f_txt_BT[:, :, None, None].expand(-1, -1, f4.shape[2], f4.shape[3])
        x = self.joint(torch.cat((f4, text_BTHW), 1))
        x = self.merge3(F.relu(up2(x) + self.lateral3(f3)))
        x = self.merge2(F.relu(up2(x) + self.lateral2(f2)))
        assert self.evidence.bias is not None
        # slope and offset go into the weights, so a compiled engine folds them
        weight = self.evidence.weight * self.slope[:, None, None, None]
        bias = self.evidence.bias * self.slope + self.offset
        return F.conv2d(x, weight, bias)

    def forward(
        self, features: Features, f_txt_BT: torch.Tensor, request_BKNN: torch.Tensor
    ) -> Imperfection:
        """M_s and what led to it, from f_img, f_txt and the request map."""
        logits_BKhw = self.logits(features, f_txt_BT)
        evidence_BKhw = torch.sigmoid(logits_BKhw)
        request_BKhw = up2(request_BKNN)
        coarse_B1hw = torch.amax(evidence_BKhw * request_BKhw, dim=1, keepdim=True)
        named_BKhw = torch.clamp(request_BKhw * 8.0, 0.0, 1.0)
        asked_BKhw = evidence_BKhw * named_BKhw
        spared_BKhw = (evidence_BKhw - asked_BKhw) * torch.sigmoid(self.spare)[:, None, None]
        coarse_B1hw = coarse_B1hw * (1.0 - torch.amax(spared_BKhw, dim=1, keepdim=True))
        requested_B1hw = torch.amax(asked_BKhw, dim=1, keepdim=True)
        sharp_BCHW = self.sharpen(features[0])
        fine_B1HW = 2.0 * torch.sigmoid(self.fine(sharp_BCHW))
        # the finest features may sharpen the mask, never raise it above what was asked
        most_B1hw = torch.amax(request_BKhw, dim=1, keepdim=True)
        most_B1HW = risen(self.rise, most_B1hw)
        mask_B1HW = torch.minimum(risen(self.rise, coarse_B1hw) * fine_B1HW, most_B1HW)
        return Imperfection(
            mask_B1HW,
            requested_B1hw,
            asked_BKhw,
            logits_BKhw,
            detail=self.detail(sharp_BCHW),
            most=most_B1HW,
        )
