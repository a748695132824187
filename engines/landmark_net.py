"""The landmarker's network in PyTorch: what `training.landmarks` trains. Serving needs no torch:
see `face_finder`.

Legend: B crops, K landmarks. About 24 MMAC and 0.59 M parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.folding import ConvNorm, Inverted, unfold
from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS

WIDTHS = (16, 32, 64, 128)
"""Channels at strides 2, 4, 8 and 16."""
REPEATS = (0, 1, 2, 3)
"""Inverted residual blocks at each stride."""
SQUEEZED = 32
HIDDEN = 160
CONTRAST_FLOOR = 25.0
"""Added to a crop's luma variance, so that noise on a flat crop is not blown up."""
OUTPUTS = 3 * len(LANDMARKS) + 1
"""x and y of every landmark in turn, the presence logit, one visibility logit per landmark."""
_UNSEEN_BIAS = 2.0
"""Visibility logit of weights that come without that output: seen, but not surely so."""


class LandmarkNet(nn.Module):
    """Luma crop to landmarks, a presence logit and a visibility logit per landmark."""

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
        self.out = nn.Linear(HIDDEN, OUTPUTS)

    @classmethod
    def from_folded(cls, weights: Mapping[str, NDArray[np.floating]]) -> LandmarkNet:
        """The net that `folded` made these weights of, its batch norms now the identity.

        It stands in evaluation mode; `renormalise` makes it fit for training. Weights of the time
        before the visibility output are taken too.

        Raises:
            KeyError: a layer is missing.
            ValueError: a layer has another shape.
        """
        net, weights = cls(), dict(weights)
        if "out.bias" in weights and len(weights["out.bias"]) == OUTPUTS - len(LANDMARKS):
            inputs = weights["out.weight"].shape[1]
            unseen = np.zeros((len(LANDMARKS), inputs), np.float32)
            weights["out.weight"] = np.concatenate([weights["out.weight"], unseen])
            bias = np.full(len(LANDMARKS), _UNSEEN_BIAS, np.float32)
            weights["out.bias"] = np.concatenate([weights["out.bias"], bias])
        unfold(net, weights)
        return net.eval()

    def start_from(self, points: NDArray[np.floating]) -> None:
        """Makes the untrained net answer with these points ((K, 2), crop pixels), presence 0.5 and
        every point likely seen."""
        half = (LANDMARK_CROP_SIZE - 1) / 2
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias.fill_(_UNSEEN_BIAS)
            placed = torch.from_numpy((points.ravel() - half) / (half + 0.5)).float()
            self.out.bias[: points.size] = placed
            self.out.bias[points.size] = 0.0

    def features(self, luma_B1HW: Tensor) -> Tensor:
        """Luma 0..255 as float to (B, SQUEEZED, 6, 6)."""
        mean_B111 = luma_B1HW.mean(dim=(1, 2, 3), keepdim=True)
        spread_B111 = luma_B1HW.var(dim=(1, 2, 3), keepdim=True, correction=0)
        x_B1HW = (luma_B1HW - mean_B111) * torch.rsqrt(spread_B111 + CONTRAST_FLOOR)
        squeezed_BCHW: Tensor = self.squeeze(self.body(x_B1HW))
        return squeezed_BCHW

    def head(self, features_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features to points (B, K, 2) in crop pixels, presence logits (B,) and visibility logits
        (B, K)."""
        raw_BD = self.out(torch.relu(self.hidden(features_BCHW.flatten(1))))
        half, last = (LANDMARK_CROP_SIZE - 1) / 2, 2 * len(LANDMARKS)
        points_BK2 = raw_BD[:, :last].unflatten(1, (-1, 2)) * (half + 0.5) + half
        return points_BK2, raw_BD[:, last], raw_BD[:, last + 1 :]

    def forward(self, luma_B1HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Luma 0..255 as float to points (B, K, 2) in crop pixels, presence logits (B,) and
        visibility logits (B, K)."""
        return self.head(self.features(luma_B1HW))
