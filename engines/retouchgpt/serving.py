"""The per-frame network as engines run it: 8-bit crops in, 8-bit edit layer and mask out, exact where bf16 is not.

Shapes: B batch, S crop side, H layer side, K categories, N request cells.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engines.retouchgpt.layers import ConvNorm
from engines.retouchgpt.mask import remasked, visible_mask
from engines.retouchgpt.model import FrameOutput, HalvedYcc, RetouchGPT
from stream_retouch.engine import CHROMA_STEP, OFFSET_STEP


class ServingModel(nn.Module):
    """The form that is exported. In fp32 it computes what the model computes.

    In bf16 it is closer to that than the model would be (measured: the edit over the error rises by more than 10 dB):
    the crop enters as whole numbers to 255, which bf16 holds exactly and their 255ths not, and the few convolutions
    that a small error of a weight shows through have weights in two parts.
    """

    scale: torch.Tensor
    neutral: torch.Tensor

    def __init__(self, model: RetouchGPT) -> None:
        super().__init__()
        self.model = _exact(copy.deepcopy(model).eval())
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
        x_B3SS = crops_BSS3.permute(0, 3, 1, 2).to(request_BKNN.dtype)
        x_B6SS = torch.cat((x_B3SS, x_B3SS), 1)
        out = self.model.frame(x_B6SS, request_BKNN, f_txt, alpha, beta, gamma)
        codes, mask = self.whole(out)
        return _to_uint8(codes), _to_uint8(mask), out.skin_luma

    def whole(self, out: FrameOutput) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (B, 4, H, H) and mask (B, H, H), whole numbers that may lie beyond 0..255."""
        visible = visible_mask(out.layer, out.mask, out.contrast)
        layer = remasked(out.layer, out.mask, visible)
        # Rounded before the neutral code is added: compiled engines put what follows a convolution into it, and a sum
        # about 128 in bf16 is good to whole codes only.
        codes = torch.floor(layer * self.scale + 0.5) + self.neutral
        return codes, torch.floor(visible[:, 0] * 255.0 + 0.5)


class Convolution(nn.Module):
    """A convolution with weights that are given."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().clone())
        self.register_buffer("bias", bias.detach().clone())
        self.stride, self.padding = stride, padding

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x_BCHW, self.weight, self.bias, self.stride, self.padding)


class TwoPartConvolution(nn.Module):
    """A 1x1 convolution as the sum of two, with the two parts of its weight."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        high, low = _parts(weight)
        self.high = Convolution(high, bias)
        self.low = Convolution(low, torch.zeros_like(bias))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        both_BCHW: torch.Tensor = self.high(x_BCHW) + self.low(x_BCHW)
        return both_BCHW


class WeighedSum(nn.Module):
    """A 1x1 convolution to a single channel, spelled out: compiled for a CPU, one at the layer's size takes a
    twentieth of the whole network, for it fills vectors with channels that are not there."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().clone())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return (x_BCHW * self.weight).sum(1, keepdim=True) + self.bias


def _exact(model: RetouchGPT) -> RetouchGPT:
    """The model, changed in place: it takes crops in code values, twice, and sensitive weights are in two parts."""
    stage1, ycc, decoder = model.encoder.stage1, model.to_ycc, model.decoder
    assert isinstance(ycc, HalvedYcc)
    step = 1
    if model.finer is not None:
        # means of 2x2 code values are not exact in bf16: the convolutions that take them work on the crop itself
        step, model.halve = 2, nn.Identity()
        _take_code_values(model.finer.stem, 1)
    _take_code_values(stage1, step)
    weight = _over_blocks(ycc.weight / 255.0, step)
    model.to_ycc = Convolution(_side_by_side(weight), ycc.bias, stride=2 * step)
    decoder.gates, decoder.flatten = map(_in_two_parts, (decoder.gates, decoder.flatten))
    for part in (model.imperfection, model.finer):
        if part is not None:
            part.fine, part.detail = map(_spelled_out, (part.fine, part.detail))
    return model


def _spelled_out(head: nn.Module) -> WeighedSum:
    assert isinstance(head, nn.Conv2d) and head.bias is not None
    return WeighedSum(head.weight, head.bias)


def _in_two_parts(head: nn.Module) -> TwoPartConvolution:
    assert isinstance(head, nn.Conv2d) and head.bias is not None
    return TwoPartConvolution(head.weight, head.bias)


def _take_code_values(layer: ConvNorm, step: int) -> None:
    """Changes a layer of kernel 4 and stride 2, in place, to take code values, twice, at `step` times the size."""
    weight, bias = _folded(layer)
    weight = _side_by_side(_over_blocks(weight / 255.0, step))
    layer.conv, layer.norm = Convolution(weight, bias, 2 * step, step), nn.Identity()


def _over_blocks(weight: torch.Tensor, step: int) -> torch.Tensor:
    """The weight that takes step x step pixels where `weight` takes their mean."""
    return weight.repeat_interleave(step, 2).repeat_interleave(step, 3) / step**2


def _folded(layer: ConvNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a layer's convolution with its batch norm in them."""
    assert isinstance(layer.conv, nn.Conv2d) and isinstance(layer.norm, nn.BatchNorm2d)
    folded = fuse_conv_bn_eval(layer.conv, layer.norm)
    assert folded.bias is not None
    return folded.weight.detach(), folded.bias.detach()


def _parts(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight's bf16 value and the rest; both in bf16 are the weight to 16 bits."""
    high = weight.detach().to(torch.bfloat16).to(weight.dtype)
    return high, weight.detach() - high


def _side_by_side(weight: torch.Tensor) -> torch.Tensor:
    """Both parts of a weight for an input that comes twice: they are added up inside the convolution, in fp32."""
    return torch.cat(_parts(weight), 1)


def _to_uint8(whole: torch.Tensor) -> torch.Tensor:
    return torch.clamp(whole, 0.0, 255.0).to(torch.uint8)
