"""RetouchGPT put together: what runs on every frame, what runs when the words change, and the form that is exported.

Shapes: B batch, S crop side, H layer side, K categories, N request cells.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.decoder import CODES, Decoder
from engines.retouchgpt.encoder import Features, ImageEncoder
from engines.retouchgpt.imperfection import ImperfectionPredictor
from engines.retouchgpt.prompt import Embedding, LanguageEmbedding
from engines.retouchgpt.retoucher import Retoucher
from stream_retouch.engine import CHROMA_STEP, OFFSET_STEP

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


class RetouchGPT(nn.Module):
    """The network. `frame` is the per-frame part, `embed` the part that waits for words."""

    rgb_to_ycc: torch.Tensor
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
        self.register_buffer("rgb_to_ycc", torch.tensor(_RGB_TO_YCC), persistent=False)
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
        # shrink and change colours in one convolution: pooling three planes costs compiled engines 2 ms
        to_ycc = self.rgb_to_ycc[:, :, None, None].expand(-1, -1, 2, 2) / 4
        # luma about 128 like chroma: in bf16 a number is as exact as it is small
        ycc = F.conv2d(x_B3SS, to_ycc, -128.0 * self.luma.flatten(), stride=2)
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


class ServingModel(nn.Module):
    """The per-frame network as engines run it: 8-bit crops in, 8-bit edit layer and mask out."""

    scale: torch.Tensor
    neutral: torch.Tensor

    def __init__(self, model: RetouchGPT) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        _take_codes(self.model)
        steps = torch.tensor([255.0, 1 / OFFSET_STEP, 1 / CHROMA_STEP, 1 / CHROMA_STEP])
        neutral = torch.tensor([0.0, 128.0, 128.0, 128.0])
        self.register_buffer("scale", steps[:, None, None], persistent=False)
        self.register_buffer("neutral", neutral[:, None, None], persistent=False)

    def forward(
        self,
        crops_BSS3: torch.Tensor,
        request_BKNN: torch.Tensor,
        f_txt: torch.Tensor,
        alpha: torch.Tensor,
        beta: torch.Tensor,
        gamma: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Codes (B, 4, H, H) uint8, mask (B, H, H) uint8 and skin luma (B,) as in `engine.EditLayer`.

        Args:
            crops_BSS3: uint8 RGB.
        """
        x_BSS6 = torch.cat((crops_BSS3, crops_BSS3), 3).to(request_BKNN.dtype)
        x_B6SS = x_BSS6.permute(0, 3, 1, 2)
        out = self.model.frame(x_B6SS, request_BKNN, f_txt, alpha, beta, gamma)
        # Rounded before the neutral code is added: compiled engines put what follows a convolution into it, and a sum
        # about 128 in bf16 is good to whole codes only.
        codes = torch.floor(out.layer * self.scale + 0.5) + self.neutral
        mask = torch.floor(out.mask[:, 0] * 255.0 + 0.5)
        return _to_uint8(codes), _to_uint8(mask), out.skin_luma


def _take_codes(model: RetouchGPT) -> None:
    """Changes the two convolutions that look at the crop: they take its 8-bit codes, twice.

    Whole numbers to 255 are exact in bf16, their 255ths are not, and a weight in two parts, its bf16 value and the
    rest, is exact to 16 bits. Both together take 6 dB off the error of an engine in bf16; the network is the same.
    """
    first = fuse_conv_bn_eval(model.encoder.stage1.conv, model.encoder.stage1.norm)
    first.weight = nn.Parameter(_in_two(first.weight.detach() / 255.0), requires_grad=False)
    first.in_channels *= 2
    model.encoder.stage1.conv, model.encoder.stage1.norm = first, nn.Identity()
    model.rgb_to_ycc = _in_two(model.rgb_to_ycc / 255.0)


def _in_two(weight: torch.Tensor) -> torch.Tensor:
    high = weight.to(torch.bfloat16).to(weight.dtype)
    return torch.cat((high, weight - high), 1)


def _to_uint8(whole: torch.Tensor) -> torch.Tensor:
    return torch.clamp(whole, 0.0, 255.0).to(torch.uint8)


def _face_oval(side: int) -> torch.Tensor:
    """Weights (1, 3, side, side) that average the luma of the middle of every aligned face: where mu is measured."""
    axis = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    inside = (((x - 0.5) / 0.26) ** 2 + ((y - 0.55) / 0.34) ** 2 < 1).float()
    zero = torch.zeros_like(inside)
    return torch.stack((inside / inside.sum(), zero, zero))[None]
