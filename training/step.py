"""One training step: the loss terms of a batch, and rough figures of it.

Shapes: B batch, S crop side.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch.nn import functional as F

from engines.retouchgpt.model import FrameOutput, RetouchGPT
from engines.retouchgpt.prompt import Embedding
from training.losses import (
    Weights,
    embed_loss,
    evidence_loss,
    mask_loss,
    retouch_loss,
    steadiness_loss,
)
from training.paste import CELLS, Planes, paste
from training.perception import SlimVGG

_SEEN = 0.75
"""Share of the crops that are their own key frame; for the others the words stand alone."""
_STEADY = 0.3
"""Share of the steps that also ask for steadiness, which costs a second look."""


@dataclass(frozen=True)
class Answer:
    """What the network said about a batch of crops (B, 3, S, S) 0..1."""

    x: torch.Tensor
    words: torch.Tensor
    """(B, T), without what is padding in all of them."""
    out: FrameOutput
    """In fp32."""
    embedding: Embedding


def annealed(start: Weights, progress: float) -> Weights:
    """Positive evidence counts less and untouched skin more as training goes on (0..1)."""
    return replace(
        start,
        positive=start.positive * (1 - 0.8 * progress),
        outside=start.outside * (0.1 + 0.9 * min(1.0, progress * 1.5)),
    )


def answered(
    model: RetouchGPT, batch: dict[str, torch.Tensor], rng: np.random.Generator, bf16: bool
) -> Answer:
    """Both parts of the network on a batch of `collate`."""
    x = crops(batch)
    seen = torch.from_numpy(rng.random(x.shape[0]) < _SEEN).float().to(x.device)
    words = batch["words"][:, : max(4, int((batch["words"] > 0).sum(1).max()))]
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
        out, embedding = model(x, batch["request"], words, seen)
    out = replace(out, layer=out.layer.float(), mask=out.mask.float(), logits=out.logits.float())
    return Answer(x, words, out, embedding)


def crops(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The batch's crops (B, 3, S, S), RGB 0..1."""
    return batch["crop"].permute(0, 3, 1, 2).float() / 255.0


def terms(
    model: RetouchGPT,
    perception: SlimVGG | None,
    batch: dict[str, torch.Tensor],
    answer: Answer,
    weights: Weights,
    rng: np.random.Generator,
    bf16: bool,
) -> dict[str, torch.Tensor]:
    """The loss terms of equations 7 to 9 and of steadiness, weighed, by name."""
    out = answer.out
    jitter = round(2 * batch["source"].shape[1] / (CELLS * 5)) if rng.random() < 0.5 else 0
    dx, dy = (int(v) for v in rng.integers(-jitter, jitter + 1, 2))
    found = retouch_loss(out, batch, (dx, dy), perception, weights)
    found["evidence"] = evidence(out, batch, weights)
    found["mask"] = mask_loss(out, batch, weights)
    found["embed"] = embed_loss(answer.embedding, batch["classes"], weights)
    if rng.random() < _STEADY:
        found["steady"] = _steady(model, batch, answer, weights, rng, bf16)
    return found


def evidence(out: FrameOutput, batch: dict[str, torch.Tensor], weights: Weights) -> torch.Tensor:
    """`evidence_loss` of the examples whose kinds are known: no other may claim one."""
    known = batch["labelled"].bool()
    # evidence may be coarser than half the layer: see engines.retouchgpt.finer
    step = batch["masks"].shape[-1] // out.logits.shape[-1]
    # divided when they are small: of a batch they are the largest tensor
    masks = F.avg_pool2d(batch["masks"][known].float(), step) / 255.0
    away = F.avg_pool2d(batch["look_away"][known][:, None].float(), step) / 255.0
    return evidence_loss(out.logits[known], masks, away, weights)


def _steady(
    model: RetouchGPT,
    batch: dict[str, torch.Tensor],
    answer: Answer,
    weights: Weights,
    rng: np.random.Generator,
    bf16: bool,
) -> torch.Tensor:
    """A third of the crops once more, as another frame might show them."""
    few = slice(0, max(1, answer.x.shape[0] // 3))
    cells = (int(rng.integers(-1, 2)), int(rng.integers(-1, 2)))
    e = answer.embedding
    given = (batch["request"][few], e.f_txt[few], e.alpha[few], e.beta[few], e.gamma[few])
    with torch.autocast(answer.x.device.type, torch.bfloat16, enabled=bf16):
        again = model.frame(_again(answer.x[few], cells, rng), *given)
    again = replace(again, layer=again.layer.float(), mask=again.mask.float())
    return steadiness_loss(part(answer.out, few), again, cells, weights)


def part(out: FrameOutput, few: slice) -> FrameOutput:
    """The answer for some crops of the batch."""
    return FrameOutput(*(getattr(out, f.name)[few] for f in fields(out)))


def _again(x_B3SS: torch.Tensor, cells: tuple[int, int], rng: np.random.Generator) -> torch.Tensor:
    """The crops moved by whole cells of the layer, regained, noisy."""
    moved = torch.roll(x_B3SS, (2 * cells[1], 2 * cells[0]), (2, 3))
    gain = 1.0 + 0.015 * torch.randn(x_B3SS.shape[0], 1, 1, 1, device=x_B3SS.device)
    noise = float(rng.uniform(0.0, 2.5)) / 255.0 * torch.randn_like(x_B3SS)
    return (moved * gain + noise).clamp(0, 1)


@torch.no_grad()
def figures(model: RetouchGPT, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Rough figures on the training batch in hand, eval mode: gain and clean PSNR (luma, dB), share removed."""
    model.eval()
    x = crops(batch)
    out, _ = model(x, batch["request"], batch["words"], torch.ones(x.shape[0], device=x.device))
    model.train()
    source, target = (
        Planes.of(batch[n].permute(0, 3, 1, 2).float() / 255.0) for n in ("source", "target")
    )
    x0, y0 = (int(v) for v in batch["window"])
    result = paste(
        source, out.layer, out.mask, out.skin_luma, (x0, y0), texture_Btt=batch["texture"]
    )
    wanted = (target.y - source.y).abs() > 6 / 255
    still = (target.y - source.y).abs() < 1 / 255

    def psnr(a: torch.Tensor, where: torch.Tensor) -> float:
        error = ((a - target.y).square() * where).sum() / where.sum().clamp(min=1)
        return float(-10 * torch.log10(error.clamp(min=1e-9)))

    left = ((result.y - target.y).abs() * wanted).sum()
    there = ((source.y - target.y).abs() * wanted).sum().clamp(min=1e-6)
    return {
        "gain_db": psnr(result.y, wanted) - psnr(source.y, wanted),
        "clean_db": psnr(result.y, still),
        "removed": float(1 - left / there),
    }
