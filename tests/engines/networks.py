"""The small networks that the tests of the engines run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.retouchgpt.config import RetouchGPTConfig

if TYPE_CHECKING:
    import torch

    from engines.retouchgpt.model import FrameOutput, RetouchGPT

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


def assert_handed_out(codes: torch.Tensor, mask: torch.Tensor, out: FrameOutput) -> None:
    """The mask is the visible one, and the edit under it that of the model, but for what 8 bits round."""
    import torch

    from engines.retouchgpt.mask import remasked, visible_mask
    from stream_retouch.engine import CHROMA_STEP, OFFSET_STEP

    visible = visible_mask(out.layer, out.mask, out.contrast)
    assert float((mask - visible[:, 0] * 255).abs().max()) <= 0.53
    steps = torch.tensor([1 / 255, OFFSET_STEP, CHROMA_STEP, CHROMA_STEP])[:, None, None]
    neutral = torch.tensor([0.0, 128.0, 128.0, 128.0])[:, None, None]
    wanted = remasked(out.layer, out.mask, visible)
    off = ((codes - neutral) * steps * (mask[:, None] / 255) - wanted * visible).abs()
    assert bool((off <= 0.53 * steps * visible + wanted.abs() * 0.54 / 255 + 1e-3).all())
    assert float((wanted * visible).abs().max()) > 1.0 and bool((visible > 0.1).any())
