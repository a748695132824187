"""The small networks that the tests of the engines run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.retouchgpt.config import RetouchGPTConfig

if TYPE_CHECKING:
    from engines.retouchgpt.model import RetouchGPT

SMALL = RetouchGPTConfig(widths=(8, 8, 8), language_width=32, language_layers=1)
"""A small network that fits the seam."""
FINER = RetouchGPTConfig(finer=4, widths=(8, 8, 8), language_width=32, language_layers=1)
"""The same with a finer level."""


def learned(model: RetouchGPT) -> RetouchGPT:
    """The model in eval mode, its finer level's last convolutions at random instead of 0."""
    import torch

    assert model.finer is not None
    generator = torch.Generator().manual_seed(9)
    for conv in (model.finer.join, model.finer.fine, model.finer.detail):
        with torch.no_grad():
            conv.weight.copy_(0.5 * torch.randn(conv.weight.shape, generator=generator))
    return model.eval()
