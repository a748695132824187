"""RetouchGPT put together: what runs on every frame, what runs when the words change.

With a finer level (`engines.retouchgpt.finer`) everything else works at half the crop's size, and M_s inside is what
the language model and R see.

Shapes: B batch, S crop side, H layer side, h = H / 2, K categories, N request cells; a finer level doubles S and H but
not h.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.decoder import CODES, Decoder
from engines.retouchgpt.encoder import Features, ImageEncoder
from engines.retouchgpt.finer import FinerLevel
from engines.retouchgpt.imperfection import Imperfection, ImperfectionPredictor
from engines.retouchgpt.layers import risen
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
    """(B, 1, H, H) M_s of equation 2, 0..1; what engines hand out is `engines.retouchgpt.mask`'s."""
    logits: torch.Tensor
    """(B, K, h, h) evidence before the activation."""
    skin_luma: torch.Tensor
    """(B,) mu, code values."""
    contrast: torch.Tensor
    """(B, 1, H, H) luma of the crop less mu, code values."""


@dataclass(frozen=True)
class _Seen:
    """What E_img and the colours say of a batch of crops."""

    features: Features
    ycc: torch.Tensor
    """(B, 3, h', h') half the inner crop's size, luma less mu, in units of CODES."""
    skin_luma: torch.Tensor
    """(B, 1, 1, 1) mu less 128."""
    fine: torch.Tensor | None
    """What the finer level sees."""


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
        inner = config.inner
        self.encoder = ImageEncoder(inner)
        self.imperfection = ImperfectionPredictor(inner)
        self.retoucher = Retoucher(inner)
        self.decoder = Decoder(inner)
        self.language = LanguageEmbedding(inner)
        self.to_ycc: nn.Module = HalvedYcc()
        self.finer = FinerLevel(config) if config.finer else None
        self.halve: nn.Module = nn.AvgPool2d(2) if config.finer else nn.Identity()
        self.register_buffer("oval", _face_oval(inner.layer_size), persistent=False)
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
        seen = self._seen(x_B3SS)
        found = self.imperfection(seen.features, f_txt, request_BKNN)
        return self._finish(seen, found, alpha, beta, gamma)

    def _seen(self, x_B3SS: torch.Tensor) -> _Seen:
        small = self.halve(x_B3SS)
        ycc = self.to_ycc(small)
        skin_luma = (ycc * self.oval).sum((1, 2, 3), keepdim=True)
        centred = (ycc - skin_luma * self.luma) / CODES
        if self.finer is None:
            return _Seen(self.encoder(small, centred), centred, skin_luma, None)
        f0 = self.finer.stem(x_B3SS)
        features = self.encoder(small, centred, self.finer.join(f0))
        return _Seen(features, centred, skin_luma, f0)

    def _finish(
        self,
        seen: _Seen,
        found: Imperfection,
        alpha: torch.Tensor,
        beta: torch.Tensor,
        gamma: torch.Tensor,
    ) -> FrameOutput:
        mask = found.mask
        m2, m3, m4 = (F.avg_pool2d(mask, n) for n in (2, 4, 8))
        peak4 = F.max_pool2d(mask, 8)
        r = self.retoucher(seen.features[3], m4, peak4, alpha, beta, gamma)
        layer = self.decoder(seen.features, r, (m2, m3, m4), found, seen.ycc)
        contrast = seen.ycc[:, :1] * CODES
        if self.finer is not None:
            layer, mask = self.finer(seen.fine, layer, mask, found.most)
            contrast = risen(self.finer.rise, contrast)
        skin_luma = seen.skin_luma[:, 0, 0, 0] + 128.0
        return FrameOutput(layer, mask, found.logits, skin_luma, contrast)

    def embed(
        self,
        words_BT: torch.Tensor,
        x_B3SS: torch.Tensor,
        request_BKNN: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> Embedding:
        """The conditioning of plans (token numbers, 0 = padding) seen on key-frame crops."""
        features = self._seen(x_B3SS).features
        embedding, _ = self._embed(words_BT, features, request_BKNN, seen_B)
        return embedding

    def _embed(
        self,
        words_BT: torch.Tensor,
        features: Features,
        request_BKNN: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> tuple[Embedding, Imperfection]:
        states, f_txt = self.language.text(words_BT)
        found = self.imperfection(features, f_txt, request_BKNN)
        m3 = F.avg_pool2d(found.mask, 4).detach()
        embedding = self.language(states, f_txt, words_BT == 0, features[2].detach(), m3, seen_B)
        return embedding, found

    def forward(
        self,
        x_B3SS: torch.Tensor,
        request_BKNN: torch.Tensor,
        words_BT: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> tuple[FrameOutput, Embedding]:
        """Both parts on the same crops, as training runs them: the crop is its own key frame."""
        seen = self._seen(x_B3SS)
        e, found = self._embed(words_BT, seen.features, request_BKNN, seen_B)
        return self._finish(seen, found, e.alpha, e.beta, e.gamma), e


def _face_oval(side: int) -> torch.Tensor:
    """Weights (1, 3, side, side) that average the luma of the middle of every aligned face: where mu is measured."""
    axis = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    inside = (((x - 0.5) / 0.26) ** 2 + ((y - 0.55) / 0.34) ** 2 < 1).float()
    zero = torch.zeros_like(inside)
    return torch.stack((inside / inside.sum(), zero, zero))[None]
