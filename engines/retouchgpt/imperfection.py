"""I: the instruction-driven imperfection prediction (IIP), equation 2: M_s = sigma(I[x_s, f_img (+) f_txt]).

One evidence channel per category answers "is this kind here?"; the request map says how much of which kind was
asked for where. Their product is the mask, so what the plan keeps is exactly 0 whatever the network believes, and
the mask is linear in the amount.

Evidence lives at half the layer's size, where deciding costs a quarter; what is fine about the mask at the layer's size
is a factor between 0 and 2 from the finest features, which keeps every 0 a 0.

Shapes: B batch, K categories, H = W = layer size, h = w = H / 2, N request cells.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.encoder import Features
from engines.retouchgpt.layers import ConvNorm, rise2, up2


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
        self.fine = nn.Conv2d(c1, 1, 1)
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
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The mask M_s (B, 1, H, W), the requested evidence (B, 1, h, w), 0..1, and the logits (B, K, h, w).

        The requested evidence is the mask as if every request were for the whole amount: where imperfect skin is
        that somebody wants changed, however little.
        """
        logits_BKhw = self.logits(features, f_txt_BT)
        evidence_BKhw = torch.sigmoid(logits_BKhw)
        request_BKhw = up2(request_BKNN)
        coarse_B1hw = torch.amax(evidence_BKhw * request_BKhw, dim=1, keepdim=True)
        asked_BKhw = torch.clamp(request_BKhw * 8.0, 0.0, 1.0)
        requested_B1hw = torch.amax(evidence_BKhw * asked_BKhw, dim=1, keepdim=True)
        fine_B1HW = 2.0 * torch.sigmoid(self.fine(features[0]))
        # the finest features may sharpen the mask, never raise it above what was asked
        asked_B1hw = torch.amax(request_BKhw, dim=1, keepdim=True)
        mask_B1HW = torch.minimum(self._risen(coarse_B1hw) * fine_B1HW, self._risen(asked_B1hw))
        return mask_B1HW, requested_B1hw, logits_BKhw

    def _risen(self, x_B1hw: torch.Tensor) -> torch.Tensor:
        return self.rise @ x_B1hw @ self.rise.T
