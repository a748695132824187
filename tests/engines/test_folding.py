"""Folded weights say what the net with its batch norms says, and go back into a net."""

import numpy as np
import pytest
import torch
from torch import nn

from engines.finder_net import FinderNet
from engines.folding import folded, unfold


def trained() -> FinderNet:
    """A net whose batch norms do something."""
    torch.manual_seed(3)
    net = FinderNet()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return net.eval()


@torch.no_grad()
def test_a_net_filled_with_folded_weights_answers_the_same() -> None:
    net, again = trained(), FinderNet().eval()
    unfold(again, folded(net))
    luma = torch.rand(1, 1, 64, 96) * 255
    for wanted, found in zip(net(luma), again(luma), strict=True):
        assert found == pytest.approx(wanted, abs=2e-2 * float(wanted.abs().max()))


def test_folding_twice_changes_nothing() -> None:
    once = folded(trained())
    net = FinderNet()
    unfold(net, once)
    again = folded(net.eval())
    assert once.keys() == again.keys()
    for name, weight in once.items():
        assert np.abs(weight.astype(float) - again[name].astype(float)).max() < 2e-3, name


def test_a_missing_layer_is_named() -> None:
    weights = folded(trained())
    del weights["stem.weight"]
    with pytest.raises(KeyError, match=r"stem\.weight"):
        unfold(FinderNet(), weights)


def test_another_shape_is_refused_by_name() -> None:
    weights = folded(trained())
    weights["stem.weight"] = weights["stem.weight"][:5]
    with pytest.raises(ValueError, match="stem is"):
        unfold(FinderNet(), weights)


def test_weights_lie_in_memory_as_their_shape_says_even_from_a_channels_last_net() -> None:
    net = trained().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert all(weight.flags.c_contiguous for weight in folded(net).values())
