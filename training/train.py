"""Trains RetouchGPT on painted portraits: ``python -m training.train --shared ../shared --minutes 70``.

Reads top to bottom: data, model, loop, checkpoint. Everything is trained together (equation 13 gives each part its own
loss; here every loss reaches what it touches). The clock sets the schedule, so a run of any length ends with a small
learning rate. Writes ``last.pt`` (to go on with --resume), ``weights.safetensors`` with its JSON, and ``log.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from engines.retouchgpt.checkpoint import load, save
from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.model import RetouchGPT
from training import portrait_cache
from training.examples import Batches
from training.losses import Weights, embed_loss, evidence_loss, mask_loss, retouch_loss
from training.paste import CELLS, Planes, paste
from training.perception import SlimVGG


class Average:
    """Exponential moving average of parameters and buffers, which is what ships."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Moves towards the model; faster at the start."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value.detach(), 1 - keep)
            else:
                self.state[name].copy_(value)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    args = arguments(argv)
    run(args, portrait_cache.build(args.shared, args.cache))


def run(args: argparse.Namespace, cache: Path) -> None:
    """One training on the portraits of a cache folder; `args` as `arguments` returns them."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    args.out.mkdir(parents=True, exist_ok=True)
    loader = DataLoader(
        Batches(cache, args.batch, args.seed), batch_size=None, num_workers=args.workers
    )
    model = load(args.init) if args.init else RetouchGPT(RetouchGPTConfig())
    model = model.to(device).train()
    perception = _perception(args.shared / "weights" / "vgg19_slim16x_5SE.npz", device)
    optimizer = torch.optim.AdamW(_groups(model), lr=args.lr, betas=(0.9, 0.98))
    average = Average(model, args.average)
    step, spent = 0, 0.0
    if args.resume and (args.out / "last.pt").exists():
        state = torch.load(args.out / "last.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.state = state["average"]
        step, spent = int(state["step"]), float(state["spent_s"])
    progress_log = Progress(args, step, spent)
    rng = np.random.default_rng(args.seed + step)
    batches = iter(loader)
    last_saved = spent
    while not progress_log.ended(step):
        share = progress_log.share(step)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * _schedule(share)
        batch = {k: v.to(device) for k, v in next(batches).items()}
        weights = _annealed(1.0 if args.settled else share, args.outside)
        terms = _step(model, perception, batch, weights, rng, args.bf16)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step)
        step += 1
        if progress_log.add(terms, step):
            progress_log.show(_figures(model, batch), step)
        if progress_log.spent_s - last_saved > args.save_s:
            last_saved = progress_log.spent_s
            _save(args.out, model, average, optimizer, step, last_saved)
    _save(args.out, model, average, optimizer, step, progress_log.spent_s)


class Progress:
    """How far a run has come by the clock or by its steps, whichever is further, and what it has to show."""

    def __init__(self, args: argparse.Namespace, step: int, spent_s: float) -> None:
        self._args, self._start = args, time.monotonic() - spent_s
        self._sums: dict[str, float] = {}
        self._shown_step, self._shown_s = step, spent_s

    @property
    def spent_s(self) -> float:
        """Seconds of training so far, those before --resume included."""
        return time.monotonic() - self._start

    def share(self, step: int) -> float:
        """0..1."""
        return min(1.0, max(self.spent_s / (self._args.minutes * 60), step / self._args.steps))

    def ended(self, step: int) -> bool:
        """Whether time or steps are used up."""
        return self.share(step) >= 1.0

    def add(self, terms: dict[str, torch.Tensor], step: int) -> bool:
        """Sums the terms of a step; true when it is time to show them."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        return self.spent_s - self._shown_s > self._args.log_s

    def show(self, figures: dict[str, float], step: int) -> None:
        """Prints the mean terms since the last time and the rough figures, and appends them to the log."""
        count, share, spent = step - self._shown_step, self.share(step), self.spent_s
        row: dict[str, float] = {k: round(v / count, 4) for k, v in self._sums.items()}
        rate = count * self._args.batch / (spent - self._shown_s)
        row |= {"step": step, "min": round(spent / 60, 1), "images_s": round(rate, 1)}
        row |= {k: round(v, 3) for k, v in figures.items()}
        bar, eta = "#" * round(20 * share), spent / max(share, 1e-3) * (1 - share) / 60
        print(f"[{bar:<20}] {share:4.0%} eta {eta:4.0f} min {json.dumps(row)}", flush=True)
        with (self._args.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
        self._sums, self._shown_step, self._shown_s = {}, step, spent


def _perception(path: Path, device: torch.device) -> SlimVGG | None:
    if not path.is_file():
        print(f"training without the perceptual loss: {path.name} is not in --shared", flush=True)
        return None
    return SlimVGG(path).to(device)


def _groups(model: RetouchGPT) -> list[dict[str, object]]:
    """No decay for norms, biases and positions; none for what shapes the layer (shrinkage ruins it)."""
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim > 1 and "decoder.gates" not in name and "position" not in name
        (decayed if plain else free).append(parameter)
    return [{"params": decayed, "weight_decay": 1e-4}, {"params": free, "weight_decay": 0.0}]


def _schedule(progress: float) -> float:
    warm = 0.04
    if progress < warm:
        return max(progress / warm, 0.02)
    return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) * 0.99 + 0.01


def _annealed(progress: float, outside: float) -> Weights:
    """Positive evidence counts less and untouched skin more as training goes on."""
    start = Weights(outside=outside)
    return replace(
        start,
        positive=start.positive * (1 - 0.8 * progress),
        outside=start.outside * (0.1 + 0.9 * min(1.0, progress * 1.5)),
    )


def _step(
    model: RetouchGPT,
    perception: SlimVGG | None,
    batch: dict[str, torch.Tensor],
    weights: Weights,
    rng: np.random.Generator,
    bf16: bool,
) -> dict[str, torch.Tensor]:
    """The loss terms of one batch."""
    x = batch["crop"].permute(0, 3, 1, 2).float() / 255.0
    seen = torch.from_numpy(rng.random(x.shape[0]) < 0.75).float().to(x.device)
    words = batch["words"][:, : max(4, int((batch["words"] > 0).sum(1).max()))]
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
        out, embedding = model(x, batch["request"], words, seen)
    out = replace(out, layer=out.layer.float(), mask=out.mask.float(), logits=out.logits.float())
    jitter = round(2 * batch["source"].shape[1] / (CELLS * 5)) if rng.random() < 0.5 else 0
    shift = tuple(int(v) for v in rng.integers(-jitter, jitter + 1, 2))
    terms = retouch_loss(out, batch, (shift[0], shift[1]), perception, weights)
    masks = batch["masks"].float() / 255.0
    away = batch["look_away"][:, None].float() / 255.0
    terms["evidence"] = evidence_loss(out.logits, masks, away, weights)
    terms["mask"] = mask_loss(out, batch, weights)
    terms["embed"] = embed_loss(embedding, batch["classes"], weights)
    return terms


@torch.no_grad()
def _figures(model: RetouchGPT, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Rough figures on the training batch in hand, eval mode."""
    model.eval()
    x = batch["crop"].permute(0, 3, 1, 2).float() / 255.0
    out, _ = model(x, batch["request"], batch["words"], torch.ones(x.shape[0], device=x.device))
    model.train()
    source, target = (
        Planes.of(batch[n].permute(0, 3, 1, 2).float() / 255.0) for n in ("source", "target")
    )
    x0, y0 = (int(v) for v in batch["window"])
    result = paste(source, out.layer, out.mask, out.skin_luma, (x0, y0))
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


def _save(
    folder: Path,
    model: RetouchGPT,
    average: Average,
    optimizer: torch.optim.Optimizer,
    step: int,
    spent: float,
) -> None:
    state = {"model": model.state_dict(), "average": average.state, "step": step}
    state |= {"optimizer": optimizer.state_dict(), "spent_s": spent}
    torch.save(state, folder / "last.tmp")
    (folder / "last.tmp").replace(folder / "last.pt")
    shipped = RetouchGPT(model.config)
    shipped.load_state_dict(average.state)
    save(shipped, folder / "weights.safetensors")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/portraits"), help="aligned portraits"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/first"), help="where results go")
    parser.add_argument("--minutes", type=float, default=70.0, help="length of the run")
    parser.add_argument("--steps", type=int, default=10**9, help="at most this many steps")
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--average", type=float, default=0.999, help="decay of the weight average")
    parser.add_argument("--workers", type=int, default=1, help="painting processes")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--init", type=Path, help="start from these weights")
    parser.add_argument("--outside", type=float, default=80.0, help="weight of the outside term")
    parser.add_argument(
        "--settled",
        action="store_true",
        help="weigh the losses as at the end of a run from the start on, to go on from --init",
    )
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--log-s", type=float, default=60.0, help="seconds between log lines")
    parser.add_argument("--save-s", type=float, default=300.0, help="seconds between checkpoints")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
