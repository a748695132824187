"""What training minimises: equations 7 to 9 of the paper, with what its code left out.

Shapes: B batch, K categories, R side of the aligned picture at frame resolution, L layer side, h = w evidence side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from engines.retouchgpt.model import FrameOutput
from engines.retouchgpt.prompt import Embedding
from stream_retouch.language.plan import CATEGORIES, Category
from training.paste import CELLS, Planes, paste
from training.perception import SlimVGG

LIVED_IN = tuple(
    CATEGORIES.index(c)
    for c in (
        Category.DARK_CIRCLE,
        Category.REDNESS,
        Category.SHINE,
        Category.UNEVEN_TONE,
        Category.EYE_BAG,
        Category.PORES,
        Category.NASOLABIAL_FOLD,
        Category.FOREHEAD_WRINKLE,
        Category.FINE_LINE,
        Category.CROWS_FEET,
    )
)
"""Kinds that nearly every real face carries a little of: finding them where none was painted is hardly an error."""


@dataclass(frozen=True)
class Weights:
    """Weight of each term."""

    l1: float = 10.0
    masked: float = 15.0
    squared: float = 100.0
    """Of squared errors on what was asked for: L1 alone leaves doubtful edits too small (measured: by a fifth)."""
    perceptual: float = 0.3
    outside: float = 80.0
    moved: float = 1000.0
    """Of squared errors on untouched skin."""
    spared: float = 4.0
    """How much more untouched skin counts where an imperfection lies that was not asked for."""
    edges: float = 4.0
    """How much more it counts where one lies that was, too faint there to change a pixel."""
    positive: float = 0.5
    """Of the evidence on painted pixels; annealed, since the balanced form over-fires."""
    negative: float = 1.5
    dice: float = 0.5
    mask: float = 0.7
    """Measured: at 2, Soft-IoU is .07 better and untouched skin .8 dB, and the gain .5 dB worse."""
    embed: float = 0.2
    steady: float = 1.0


def evidence_loss(
    logits_BKhw: torch.Tensor, masks_BKhw: torch.Tensor, look_away_B1hw: torch.Tensor, w: Weights
) -> torch.Tensor:
    """L_mask on the evidence: balanced cross-entropy and Dice; unpainted pixels that may carry a real mark are free.

    Args:
        logits_BKhw: evidence before the activation.
        masks_BKhw: where each kind is painted, 0..1.
        look_away_B1hw: where an unpainted mark may be real, 0..1.
        w: weights.
    """
    truth, free = masks_BKhw, 1 - look_away_B1hw
    loss = F.binary_cross_entropy_with_logits(logits_BKhw, truth, reduction="none")
    negative = (1 - truth) * free.expand_as(truth)
    scale = torch.ones(truth.shape[1], device=truth.device)
    scale[list(LIVED_IN)] = 0.7
    negative = negative * scale[None, :, None, None]
    positive = (loss * truth).sum() / (truth.sum() + 1.0)
    rest = (loss * negative).sum() / (negative.sum() + 1.0)
    there = torch.sigmoid(logits_BKhw) * (truth + negative).clamp(max=1)
    overlap = 2 * (there * truth).sum((2, 3)) + 1.0
    dice = 1 - overlap / (there.square().sum((2, 3)) + truth.square().sum((2, 3)) + 1.0)
    painted = (truth.amax((2, 3)) > 0.05).float()
    dice = (dice * painted).sum() / (painted.sum() + 1e-3)
    return w.positive * positive + w.negative * rest * 4 + w.dice * dice


def retouch_loss(
    out: FrameOutput,
    batch: dict[str, torch.Tensor],
    shift: tuple[int, int],
    perception: SlimVGG | None,
    w: Weights,
) -> dict[str, torch.Tensor]:
    """L_retouch of the pasted result at frame resolution: L1, masked L1, outside-mask term, H."""
    source, target = (
        Planes.of(batch[n].permute(0, 3, 1, 2).float() / 255.0) for n in ("source", "target")
    )
    x0, y0 = (int(v) for v in batch["window"])
    result = paste(source, out.layer, out.mask, out.skin_luma, (x0, y0), shift, batch["texture"])
    side = source.y.shape[-1]
    cells = slice(y0, y0 + CELLS), slice(x0, x0 + CELLS)
    away = batch["look_away"][:, None, *cells].float() / 255.0
    masks = batch["masks"][:, :, *cells]
    requested = F.interpolate(batch["request"], batch["masks"].shape[-2:])[:, :, *cells] > 0
    named = (masks * requested).amax(1, keepdim=True).float() / 255.0
    painted = masks.amax(1, keepdim=True).float() / 255.0
    free = 1 - F.interpolate(away * (1 - painted), (side, side), mode="bilinear")
    more = w.spared * (painted - named) + w.edges * named
    more = F.interpolate(more, (side, side), mode="bilinear")
    terms: dict[str, torch.Tensor] = {}
    l1 = masked = squared = outside = moved = source.y.new_zeros(())
    for plane, weight in (("y", 1.0), ("c", 1.0)):
        a, b, s = getattr(result, plane), getattr(target, plane), getattr(source, plane)
        f = free if plane == "y" else F.avg_pool2d(free, 2)
        error = (a - b).abs() * f
        wanted = ((b - s).abs().amax(1, keepdim=True) * 255.0 / 8.0).clamp(max=1.0)
        l1 = l1 + weight * error.mean()
        count = wanted.sum() * a.shape[1] + 50.0
        masked = masked + weight * (error * wanted).sum() / count
        squared = squared + weight * (error.square() * wanted).sum() / count
        still = ((b - s).abs().amax(1, keepdim=True) < 1.5 / 255.0).float() * f
        still = still * (1 + (more if plane == "y" else F.avg_pool2d(more, 2)))
        outside = outside + weight * ((a - s).abs() * still).mean()
        moved = moved + weight * ((a - s).square() * still).mean()
    terms |= {"l1": w.l1 * l1, "masked": w.masked * masked, "squared": w.squared * squared}
    terms |= {"outside": w.outside * outside, "moved": w.moved * moved}
    if perception is not None and w.perceptual > 0:
        half = min(side, 128) // 2
        box = (side // 2 - half, side // 2 - half, side // 2 + half, side // 2 + half)
        some = slice(0, max(1, source.y.shape[0] // 2))
        seen, wished = (p.rgb(box)[some] for p in (result, target))
        terms["perceptual"] = w.perceptual * perception.distance(seen, wished)
    return terms


def mask_loss(out: FrameOutput, batch: dict[str, torch.Tensor], w: Weights) -> torch.Tensor:
    """Equation 7, |M_s - M_gt|, where M_gt is what is to change, at most as much as was asked for; also over the union
    of the two, which makes it 1 - Soft-IoU: a mask that is too wide costs as much as one that misses."""
    changed = batch["changed"][:, None].float() / 255.0
    request = F.interpolate(batch["request"], changed.shape[-2:], mode="bilinear")
    truth = torch.minimum(changed, request.amax(1, keepdim=True))
    away = batch["look_away"][:, None].float() / 255.0
    free = 1 - away * (truth < 0.02).float()
    error = ((out.mask - truth).abs() * free).sum((1, 2, 3))
    either = (torch.maximum(out.mask, truth) * free).sum((1, 2, 3))
    return w.mask * ((error / (either + 10.0)).mean() + 2.0 * error.mean() / truth[0].numel())


def steadiness_loss(
    out: FrameOutput, again: FrameOutput, cells: tuple[int, int], w: Weights
) -> torch.Tensor:
    """Equivariance |N(T x) - T N(x)|: what flickers when the picture moves by whole cells, trembles or is coded anew.

    Args:
        out: of the crops.
        again: of the crops moved, regained and noisy.
        cells: how far they were moved, columns and rows of the layer.
    """
    dx, dy = cells
    edge = 4

    def middle(x: torch.Tensor, right: int, down: int) -> torch.Tensor:
        rows = slice(edge + down, x.shape[-2] - edge + down)
        return x[..., rows, edge + right : x.shape[-1] - edge + right]

    def edit(o: FrameOutput) -> torch.Tensor:
        return torch.cat((o.layer[:, :1], o.layer[:, 1:] / 32.0), 1) * o.mask

    mask = (middle(again.mask, dx, dy) - middle(out.mask, 0, 0)).abs().mean()
    return w.steady * (mask + (middle(edit(again), dx, dy) - middle(edit(out), 0, 0)).abs().mean())


def embed_loss(e: Embedding, classes_BKR: torch.Tensor, w: Weights) -> torch.Tensor:
    """Equation 8: cross-entropy of the response tokens, the plan read back from f_r."""
    logits = e.response.flatten(0, 2)
    truth = classes_BKR.flatten()
    plain = F.cross_entropy(logits, truth, reduction="none")
    named = (truth > 0).float()
    return w.embed * (
        (plain * named).sum() / (named.sum() + 1.0)
        + (plain * (1 - named)).sum() / (1 - named).sum()
    )
