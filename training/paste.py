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

from stream_retouch.engine import CROP_SIZE, LAYER_SIZE
from stream_retouch.media.paste import CHROMA_SPREAD, SPARED
from stream_retouch.media.texture import FINE_PX

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
CELL_CROP_PX = CROP_SIZE / LAYER_SIZE
"""Crop pixels across a cell of the layer of 128."""


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
    texture_Btt: torch.Tensor | None = None,
) -> Planes:
    """``Y' = Y + M*((g-1)*(Y-mu-t) + o)``, ``C' = C + M*((g-1)*(C-<C>) + c)``, as media.paste says it.

    Args:
        source: the picture inside the window, a whole and even number of pixels to a cell.
        layer_B4LL: flattening 1-g, then o, cb, cr in code values.
        mask_B1LL: M_s.
        skin_luma_B: mu, code values.
        window: the window's first column and row, cells.
        shift: see `upsampled`.
        texture_Btt: strength of the skin's fine texture over the whole layer, code values (media.texture); None: none
            is spared.
    """
    step = source.y.shape[-1] // CELLS
    parts = with_texture(layer_B4LL, mask_B1LL, texture_Btt)
    return applied(source, upsampled(parts, window, step, shift), skin_luma_B, step)


def with_texture(
    layer_B4LL: torch.Tensor, mask_B1LL: torch.Tensor, texture_Btt: torch.Tensor | None
) -> torch.Tensor:
    """(B, 5, L, L): the layer's shares (media.edits), M times each channel, and strength of texture, as `applied` takes
    them."""
    if texture_Btt is None:
        texture_B1LL = torch.zeros_like(mask_B1LL)
    else:
        whole = texture_Btt[:, None].to(mask_B1LL)
        texture_B1LL = F.interpolate(whole, mask_B1LL.shape[-2:], mode="bilinear")
    return torch.cat((layer_B4LL * mask_B1LL, texture_B1LL), 1)


def applied(
    source: Planes, up_B5RR: torch.Tensor, skin_luma_B: torch.Tensor, step: float
) -> Planes:
    """The formula of `paste` with shares and texture at the picture's size, `step` pixels to a layer cell."""
    # split and not sliced: each slice's gradient would be a whole tensor of zeros but for the slice
    flatten, offset, shift, texture = up_B5RR.split((1, 1, 2, 1), 1)
    mu = skin_luma_B[:, None, None, None] / 255.0
    kept = _texture(source.y, texture * (SPARED / 255.0), step)
    y = source.y + offset / 255.0 - flatten * (source.y - mu - kept)
    chroma = F.avg_pool2d(shift, 2) / 255.0
    rest = source.c - _blurred(source.c, CHROMA_SPREAD * step / 2)
    return Planes(y, source.c + chroma - F.avg_pool2d(flatten, 2) * rest)


@torch.no_grad()
def _texture(luma_B1RR: torch.Tensor, spared_B1RR: torch.Tensor, step: float) -> torch.Tensor:
    """What is no stronger than `spared` of what luma differs by from the mean around."""
    side = 2 * round(FINE_PX * step / CELL_CROP_PX / 2) + 1
    around = F.pad(luma_B1RR, (side // 2,) * 4, mode="replicate")
    fine = luma_B1RR - _mean(_mean(around, side).mT, side).mT
    limit = spared_B1RR**4
    return fine * limit / (fine**4 + limit + 1e-16)


def _mean(x_BCHW: torch.Tensor, side: int) -> torch.Tensor:
    """Means of `side` neighbours in a row, where there are as many: by running sums; pooling takes six times as
    long."""
    sums = F.pad(x_BCHW.cumsum(-1), (1, 0))
    return (sums[..., side:] - sums[..., :-side]) / side


@torch.no_grad()
def _blurred(planes_BCRR: torch.Tensor, sigma: float) -> torch.Tensor:
    """The Gaussian mean, replicated beyond the edge."""
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1, device=planes_BCRR.device, dtype=planes_BCRR.dtype)
    line = torch.exp(-(x**2) / (2 * sigma**2))
    line = (line / line.sum()).expand(planes_BCRR.shape[1], 1, 1, -1)
    groups = planes_BCRR.shape[1]
    wide = F.pad(planes_BCRR, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(wide, line, groups=groups), line.mT, groups=groups)
