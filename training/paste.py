"""The paste of `stream_retouch.media` once more, differentiable: the result is supervised, never the layer.

Same formula, same 4:2:0 planes, same bilinear upsampling; a window of an aligned face at frame resolution stands
for its place in a frame, since all of it at every step would cost more than the network. Colours are full-range
BT.601 over 255, chroma about 0.

Shapes: B batch, R side of the aligned picture at frame resolution, L layer side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

_RGB_TO_YCC = torch.tensor(
    ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
)


@dataclass(frozen=True)
class Planes:
    """A 4:2:0 picture."""

    y: torch.Tensor
    """(B, 1, R, R), 0..1."""
    c: torch.Tensor
    """(B, 2, R/2, R/2), -0.5..0.5."""

    @staticmethod
    def of(rgb_B3RR: torch.Tensor) -> Planes:
        """From RGB 0..1; chroma is the mean of 2x2."""
        ycc = F.conv2d(rgb_B3RR, _RGB_TO_YCC.to(rgb_B3RR)[:, :, None, None])
        return Planes(ycc[:, :1], F.avg_pool2d(ycc[:, 1:], 2))

    def rgb(self, box: tuple[int, int, int, int]) -> torch.Tensor:
        """RGB 0..1 of an even box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = box
        y = self.y[:, :, y0:y1, x0:x1]
        c = self.c[:, :, y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
        ycc = torch.cat((y, F.interpolate(c, scale_factor=2.0, mode="nearest")), 1)
        return F.conv2d(ycc, torch.linalg.inv(_RGB_TO_YCC).to(ycc)[:, :, None, None])


CELLS = 64
"""Side of the window of the layer that is pasted, cells."""


def upsampled(
    layer_BCLL: torch.Tensor, window: tuple[int, int], step: int, shift: tuple[int, int] = (0, 0)
) -> torch.Tensor:
    """A window of CELLS x CELLS cells of a layer at `step` pixels a cell, bilinear, exactly as of the whole layer.

    Args:
        layer_BCLL: the layer.
        window: first column and row, cells.
        step: pixels of the picture to a cell.
        shift: how far the layer lies off, pixels, each at most `step`: a late or trembling edit.
    """
    x0, y0 = window
    padded = F.pad(layer_BCLL, (2, 2, 2, 2), mode="replicate")
    cells = padded[:, :, y0 : y0 + CELLS + 4, x0 : x0 + CELLS + 4]
    up = F.interpolate(cells, scale_factor=float(step), mode="bilinear", align_corners=False)
    left, top = 2 * step + shift[0], 2 * step + shift[1]
    return up[:, :, top : top + CELLS * step, left : left + CELLS * step]


def paste(
    source: Planes,
    layer_B4LL: torch.Tensor,
    mask_B1LL: torch.Tensor,
    skin_luma_B: torch.Tensor,
    window: tuple[int, int] = (0, 0),
    shift: tuple[int, int] = (0, 0),
) -> Planes:
    """``Y' = Y + M*((g-1)*(Y-mu) + o)``, ``C' = C + M*c``.

    Args:
        source: the picture inside the window, a whole and even number of pixels to a cell.
        layer_B4LL: flattening 1-g, then o, cb, cr in code values.
        mask_B1LL: M_s.
        skin_luma_B: mu, code values.
        window: the window's first column and row, cells.
        shift: see `upsampled`.
    """
    step = source.y.shape[-1] // CELLS
    up = upsampled(torch.cat((layer_B4LL, mask_B1LL), 1), window, step, shift)
    return applied(source, up, skin_luma_B)


def applied(source: Planes, up_B5RR: torch.Tensor, skin_luma_B: torch.Tensor) -> Planes:
    """The formula of `paste` with layer and mask (the fifth channel) at the picture's size."""
    flatten, offset, mask = up_B5RR[:, :1], up_B5RR[:, 1:2] / 255.0, up_B5RR[:, 4:]
    mu = skin_luma_B[:, None, None, None] / 255.0
    y = source.y + mask * (offset - flatten * (source.y - mu))
    halves = F.avg_pool2d(up_B5RR[:, 2:], 2)
    return Planes(y, source.c + halves[:, 2:] * halves[:, :2] / 255.0)
