"""The finder's network in PyTorch: what `training.finder` trains. Serving needs no torch: see `face_finder`.

A whole picture in luma goes in; at strides 8, 16 and 32 each cell says whether a face's middle lies there, and where
exactly, how large and how far rolled it is. Anchor-free as FCOS (Tian 2019), top-down as FPN (Lin 2017), at the scale
of YuNet (Wu 2023). About 0.27 M parameters and 0.26 GMAC for a canvas of 640x384.

Legend: B pictures, H and W of the canvas, h and w cells of a level, C channels, 6 numbers a cell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.finder_cells import STRIDES
from engines.folding import ConvNorm, Inverted

STEM = 24
"""Channels at stride 4."""
WIDTHS = (48, 64, 96)
"""Channels at each of STRIDES."""
REPEATS = (2, 3, 2)
"""Inverted residual blocks at each of STRIDES."""
NECK = 48
"""Channels of the top-down path and the heads."""
CELL = 6
"""Numbers a cell answers; their meaning stands in `finder_cells`."""


class FinderNet(nn.Module):
    """Luma canvas to cells."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(1, STEM, 7, stride=4)
        stages: list[nn.Module] = []
        inputs = STEM
        for width, repeats in zip(WIDTHS, REPEATS, strict=True):
            blocks = [Inverted(width) for _ in range(repeats)]
            stages.append(nn.Sequential(ConvNorm(inputs, width, 3, stride=2), *blocks))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(ConvNorm(width, NECK, 1) for width in WIDTHS)
        self.smooth = nn.ModuleList(_separable() for _ in WIDTHS)
        self.heads = nn.ModuleList(
            nn.Sequential(*_separable(), nn.Conv2d(NECK, CELL, 1)) for _ in WIDTHS
        )
        for head in self.heads:
            assert isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Conv2d)
            assert head[-1].bias is not None
            with torch.no_grad():
                # few cells hold a face: an untrained net says so (RetinaNet's prior, Lin 2017)
                head[-1].weight.mul_(0.1)
                head[-1].bias.copy_(torch.tensor([-4.0, 0, 0, 0, 1, 0]))

    def forward(self, luma_B1HW: Tensor) -> tuple[Tensor, ...]:
        """Luma 0..255 as float to one (B, CELL, h, w) for each of STRIDES."""
        x_BCHW = self.stem((luma_B1HW - 128.0) / 64.0)
        found_BChw: list[Tensor] = []
        for stage in self.stages:
            x_BCHW = stage(x_BCHW)
            found_BChw.append(x_BCHW)
        cells: list[Tensor] = []
        above_BChw: Tensor | None = None
        for level in reversed(range(len(STRIDES))):
            here_BChw: Tensor = self.laterals[level](found_BChw[level])
            if above_BChw is not None:
                here_BChw = here_BChw + F.interpolate(above_BChw, scale_factor=2.0, mode="nearest")
            above_BChw = self.smooth[level](here_BChw)
            cells.append(self.heads[level](above_BChw))
        return tuple(reversed(cells))


def _separable() -> nn.Sequential:
    return nn.Sequential(ConvNorm(NECK, NECK, 3, groups=NECK), ConvNorm(NECK, NECK, 1))
