"""Blocks of the small face networks, and their weights with every batch norm folded in.

Training keeps the norms; what ships has none: each convolution holds its norm's gain and shift. `face_graph` builds
the served graph from those weights, and `unfold` puts them back into a PyTorch net, which is then the eager truth of
what ships and a place to train on from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

EXPANSION = 2
"""An inverted residual widens its channels so many times."""


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if act else []))

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution."""
        assert isinstance(self[0], nn.Conv2d)
        return self[0]

    @property
    def norm(self) -> nn.BatchNorm2d:
        """The batch norm behind it."""
        assert isinstance(self[1], nn.BatchNorm2d)
        return self[1]

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the one convolution that does what both do when not training."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return (
            self.conv.weight * gain[:, None, None, None],
            norm.bias - norm.running_mean * gain,
        )

    @torch.no_grad()
    def set_folded(self, weight: Tensor, bias: Tensor) -> None:
        """Takes a folded convolution; the norm becomes the identity but for the bias."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        self.conv.load_state_dict({"weight": weight})
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1.0)
        norm.bias.copy_(bias)

    @torch.no_grad()
    def set_statistics(self, seen_BCHW: Tensor) -> None:
        """Takes mean and variance of these outputs of the convolution; gain and bias make up for
        it."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = norm.bias - norm.running_mean * gain
        mean_C = seen_BCHW.mean(dim=(0, 2, 3))
        var_C = seen_BCHW.var(dim=(0, 2, 3), correction=0)
        norm.running_mean.copy_(mean_C)
        norm.running_var.copy_(var_C)
        norm.weight.copy_(gain * torch.sqrt(var_C + norm.eps))
        norm.bias.copy_(bias + mean_C * gain)


class Inverted(nn.Module):
    """Inverted residual (MobileNetV2, Sandler 2018): widen, look around within each channel,
    narrow, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = EXPANSION * width
        self.widen = ConvNorm(width, wide, 1)
        self.around = ConvNorm(wide, wide, 3, groups=wide)
        self.narrow = ConvNorm(wide, width, 1, act=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out: Tensor = x_BCHW + self.narrow(self.around(self.widen(x_BCHW)))
        return out


def folded(net: nn.Module) -> dict[str, NDArray[np.float16]]:
    """The net's weights with every `ConvNorm` made one convolution with a bias.

    Names are those of the modules (`ConvNorm`, and plain convolutions and linear layers) with ``.weight`` and
    ``.bias``.
    """
    weights: dict[str, NDArray[np.float16]] = {}
    for name, layer in _layers(net):
        for kind, tensor in zip(("weight", "bias"), _weight_and_bias(layer), strict=True):
            # safetensors writes memory as it lies, and training keeps convolutions channels-last
            half = tensor.detach().to(torch.float16)
            weights[f"{name}.{kind}"] = half.contiguous(
                memory_format=torch.contiguous_format
            ).numpy()
    return weights


@torch.no_grad()
def unfold(net: nn.Module, weights: Mapping[str, NDArray[np.floating]]) -> None:
    """Puts folded weights into a net; its norms become the identity but for the bias.

    The net then computes what the weights say in evaluation mode; `renormalise` makes it fit for training.

    Raises:
        KeyError: a layer has no weights.
        ValueError: a layer's weights have another shape.
    """
    for name, layer in _layers(net):
        weight, bias = (
            torch.from_numpy(np.array(weights[f"{name}.{kind}"], np.float32))
            for kind in ("weight", "bias")
        )
        wanted_weight, wanted_bias = _weight_and_bias(layer)
        if weight.shape != wanted_weight.shape or bias.shape != wanted_bias.shape:
            found, wanted = tuple(weight.shape), tuple(wanted_weight.shape)
            raise ValueError(f"{name} is {found}, this network needs {wanted}")
        if isinstance(layer, ConvNorm):
            layer.set_folded(weight, bias)
        else:
            layer.load_state_dict({"weight": weight, "bias": bias})


def renormalise(net: nn.Module, *inputs: Tensor) -> None:
    """Gives every batch norm the statistics of these inputs, and leaves what the net computes as it is.

    After `unfold` the norms are the identity, which training would not keep: it normalises by the batch.
    """
    outputs: dict[ConvNorm, Tensor] = {}
    layers = [module for module in net.modules() if isinstance(module, ConvNorm)]
    hooks = [
        layer.conv.register_forward_hook(
            lambda _conv, _inputs, out, layer=layer: outputs.update({layer: out})
        )
        for layer in layers
    ]
    training = net.training
    with torch.no_grad():
        net.eval()(*inputs)
    net.train(training)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        layer.set_statistics(outputs[layer])


def _layers(net: nn.Module) -> list[tuple[str, ConvNorm | nn.Conv2d | nn.Linear]]:
    """Every layer with weights, by its module's name; a `ConvNorm` as a whole."""
    found: list[tuple[str, ConvNorm | nn.Conv2d | nn.Linear]] = []
    inside: tuple[str, ...] = ()
    for name, module in net.named_modules():
        if isinstance(module, ConvNorm):
            inside = (*inside, f"{name}.")
        if isinstance(module, ConvNorm | nn.Conv2d | nn.Linear) and not name.startswith(inside):
            found.append((name, module))
    return found


def _weight_and_bias(layer: ConvNorm | nn.Conv2d | nn.Linear) -> tuple[Tensor, Tensor]:
    if isinstance(layer, ConvNorm):
        return layer.folded()
    assert layer.bias is not None
    return layer.weight, layer.bias
