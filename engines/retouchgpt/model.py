"""RetouchGPT put together: what runs on every frame, what runs when the words change.

Shapes: B batch, S crop side, H layer side, K categories, N request cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.decoder import CODES, Decoder
from engines.retouchgpt.encoder import Features, ImageEncoder
from engines.retouchgpt.imperfection import ImperfectionPredictor
from engines.retouchgpt.prompt import Embedding, LanguageEmbedding
from engines.retouchgpt.retoucher import Retoucher

# Full-range BT.601, RGB 0..1 to YCbCr in code values 0..255, chroma about 0 (ITU-R BT.601-7, table 3).
_RGB_TO_YCC = (
    (76.245, 149.685, 29.07),
    (-43.027, -84.473, 127.5),
    (127.5, -106.766, -20.734),
)


@dataclass(frozen=True)
class FrameOutput:
    """What the network says about a batch of crops."""

    layer: torch.Tensor
    """(B, 4, H, H): flattening 1-g in 0..1, then offset, cb, cr in code values."""
    mask: torch.Tensor
    """(B, 1, H, H) M_s, 0..1."""
    logits: torch.Tensor
    """(B, K, H, H) evidence before the activation."""
    skin_luma: torch.Tensor
    """(B,) mu, code values."""


class HalvedYcc(nn.Module):
    """RGB 0..1 to YCbCr in code values less 128, at half the size.

    One convolution, for pooling three planes costs compiled engines more; luma lies about 128 like chroma, for in bf16
    a number is as exact as it is small.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        weight = torch.tensor(_RGB_TO_YCC)[:, :, None, None].repeat(1, 1, 2, 2) / 4
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", torch.tensor([-128.0, 0.0, 0.0]), persistent=False)

    def forward(self, x_B3SS: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x_B3SS, self.weight, self.bias, stride=2)


class RetouchGPT(nn.Module):
    """The network. `frame` is the per-frame part, `embed` the part that waits for words."""

    oval: torch.Tensor
    luma: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ImageEncoder(config)
        self.imperfection = ImperfectionPredictor(config)
        self.retoucher = Retoucher(config)
        self.decoder = Decoder(config)
        self.language = LanguageEmbedding(config)
        self.to_ycc: nn.Module = HalvedYcc()
        self.register_buffer("oval", _face_oval(config.layer_size), persistent=False)
        self.register_buffer("luma", torch.tensor([1.0, 0, 0])[:, None, None], persistent=False)

    def frame(
        self,
        x_B3SS: torch.Tensor,
        request_BKNN: torch.Tensor,
        f_txt: torch.Tensor,
        alpha: torch.Tensor,
        beta: torch.Tensor,
        gamma: torch.Tensor,
    ) -> FrameOutput:
        """Edit layer and mask of RGB crops 0..1; the rest as in `stream_retouch.engine.Conditioning`, batched."""
        features = self.encoder(x_B3SS)
        return self._finish(x_B3SS, features, request_BKNN, f_txt, alpha, beta, gamma)

    def _finish(
        self,
        x_B3SS: torch.Tensor,
        features: Features,
        request_BKNN: torch.Tensor,
        f_txt: torch.Tensor,
        alpha: torch.Tensor,
        beta: torch.Tensor,
        gamma: torch.Tensor,
    ) -> FrameOutput:
        mask, requested, logits = self.imperfection(features, f_txt, request_BKNN)
        m2, m3, m4 = (F.avg_pool2d(mask, n) for n in (2, 4, 8))
        peak4 = F.max_pool2d(mask, 8)
        r = self.retoucher(features[3], m4, peak4, alpha, beta, gamma)
        ycc = self.to_ycc(x_B3SS)
        skin_luma = (ycc * self.oval).sum((1, 2, 3), keepdim=True)
        centred = (ycc - skin_luma * self.luma) / CODES
        layer = self.decoder(features, r, (mask, m2, m3, m4), requested, centred)
        return FrameOutput(layer, mask, logits, skin_luma[:, 0, 0, 0] + 128.0)

    def embed(
        self,
        words_BT: torch.Tensor,
        x_B3SS: torch.Tensor,
        request_BKNN: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> Embedding:
        """The conditioning of plans (token numbers, 0 = padding) seen on key-frame crops."""
        embedding, _ = self._embed(words_BT, self.encoder(x_B3SS), request_BKNN, seen_B)
        return embedding

    def _embed(
        self,
        words_BT: torch.Tensor,
        features: Features,
        request_BKNN: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> tuple[Embedding, torch.Tensor]:
        states, f_txt = self.language.text(words_BT)
        mask, _, logits = self.imperfection(features, f_txt, request_BKNN)
        m3 = F.avg_pool2d(mask, 4).detach()
        embedding = self.language(states, f_txt, words_BT == 0, features[2].detach(), m3, seen_B)
        return embedding, logits

    def forward(
        self,
        x_B3SS: torch.Tensor,
        request_BKNN: torch.Tensor,
        words_BT: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> tuple[FrameOutput, Embedding]:
        """Both parts on the same crops, as training runs them: the crop is its own key frame."""
        features = self.encoder(x_B3SS)
        e, _ = self._embed(words_BT, features, request_BKNN, seen_B)
        out = self._finish(x_B3SS, features, request_BKNN, e.f_txt, e.alpha, e.beta, e.gamma)
        return out, e


def _face_oval(side: int) -> torch.Tensor:
    """Weights (1, 3, side, side) that average the luma of the middle of every aligned face: where mu is measured."""
    axis = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    inside = (((x - 0.5) / 0.26) ** 2 + ((y - 0.55) / 0.34) ** 2 < 1).float()
    zero = torch.zeros_like(inside)
    return torch.stack((inside / inside.sum(), zero, zero))[None]
