"""Trains the landmarker: ``python -m training.landmarks --shared ../shared --out DIR --minutes
15``.

Writes ``landmarks.safetensors`` (folded, fp16) and ``landmarks.json`` (what it is, what it was
trained on, figures) to DIR, at every evaluation. The held-out persons are measured, never trained
on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn

from engines.landmark_net import LandmarkNet, folded
from stream_retouch.engine import LANDMARKS
from stream_retouch.media.loose_crop import LOOSE_POINTS
from training.landmark_samples import Sample, Sampler, Source, load_source
from training.splits import portraits

EYES = (LANDMARKS.index(33), LANDMARKS.index(263))
CROP_EYES_PX = float(LOOSE_POINTS[EYES[1], 0] - LOOSE_POINTS[EYES[0], 0])


@dataclass(frozen=True, slots=True)
class Config:
    """One training run."""

    out: Path
    minutes: float = 15.0
    """How long to train; the learning rate falls to nothing at its end."""
    steps: int | None = None
    """Ends the run after so many steps whatever the time; the schedule then counts steps."""
    batch: int = 64
    learning_rate: float = 2e-3
    presence_weight: float = 0.15
    """Weight of the presence loss, in outer-eye distances of mean landmark error per nat."""
    workers: int = 1
    seed: int = 0
    evaluate_every_s: float = 150.0
    evaluate_draws: int = 600
    """Augmented samples of held-out persons that an evaluation looks at."""


class Batches(torch.utils.data.IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Batches of samples, made in the worker; each worker has a seed of its own."""

    def __init__(self, sources: list[Source], config: Config) -> None:
        self._sources, self._config = sources, config

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        sampler = Sampler(self._sources, self._config.seed + 1000 * (info.id if info else 0))
        while True:
            yield stacked([sampler.draw() for _ in range(self._config.batch)])


def stacked(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 1, H, W) luma as float, (B, K, 2) points, (B,) presence."""
    luma = torch.from_numpy(np.stack([s.luma for s in samples]))[:, None].float()
    points = torch.from_numpy(np.stack([s.points for s in samples]))
    return luma, points, torch.tensor([float(s.face) for s in samples])


def load_sources(shared: Path, heldout: bool) -> list[Source]:
    """The portraits of one side of the split, shrunk."""
    return [
        load_source(p.file, np.column_stack([p.landmarks, p.depth]))
        for p in portraits(shared, heldout)
    ]


def train(sources: list[Source], held: list[Source], config: Config) -> dict[str, float]:
    """Trains, saves, and returns the last figures."""
    torch.manual_seed(config.seed)
    net = LandmarkNet()
    net.start_from(LOOSE_POINTS)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=1e-3)
    loader = torch.utils.data.DataLoader(
        Batches(sources, config),
        batch_size=None,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    start = evaluated = time.monotonic()
    for step, batch in enumerate(loader):
        passed = (time.monotonic() - start) / (60 * config.minutes)
        done = step / config.steps if config.steps else passed
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(done, step)
        points_loss, presence_loss = losses(net, *batch)
        optimiser.zero_grad(set_to_none=True)
        (points_loss + config.presence_weight * presence_loss).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(net)
        if step % 50 == 0:
            print(f"step {step} done {done:.3f} points {points_loss.item():.4f} "
                  f"presence {presence_loss.item():.4f}", flush=True)  # fmt: skip
        if time.monotonic() - evaluated > config.evaluate_every_s:
            evaluated = time.monotonic()
            finish(average.module, held, config, step)
    return finish(average.module, held, config, step)


def schedule(done: float, step: int) -> float:
    """Share of the full learning rate: up over 100 steps, then down a cosine."""
    return min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def losses(
    net: LandmarkNet, luma_B1HW: Tensor, points_BK2: Tensor, face_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean landmark distance in outer-eye distances over the faces, and the presence
    cross-entropy."""
    luma_B1HW = luma_B1HW.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        features_BCHW = net.features(luma_B1HW)
    found_BK2, presence_B = net.head(features_BCHW.float())
    across_B11 = (points_BK2[:, EYES[1]] - points_BK2[:, EYES[0]]).norm(dim=-1)[:, None, None]
    # a yawed face has a short eye distance: do not let it shout
    unit_B11 = across_B11.clamp(min=0.7 * CROP_EYES_PX)
    error_BK = torch.sqrt((((found_BK2 - points_BK2) / unit_B11) ** 2).sum(dim=-1) + 1e-6)
    points_loss = (error_BK.mean(dim=1) * face_B).sum() / face_B.sum().clamp(min=1)
    presence_loss = nn.functional.binary_cross_entropy_with_logits(presence_B, face_B)
    return points_loss, presence_loss


def finish(net: nn.Module, held: list[Source], config: Config, step: int) -> dict[str, float]:
    """Measures and saves the net as it is now."""
    assert isinstance(net, LandmarkNet)
    net.eval()
    figures = evaluate(net, held, config.evaluate_draws) | {"steps": float(step)}
    save(net, config.out, figures)
    print(json.dumps(figures), flush=True)
    return figures


@torch.no_grad()
def evaluate(net: LandmarkNet, held: list[Source], draws: int) -> dict[str, float]:
    """Figures on augmented samples of the held-out persons, the same ones every time."""
    if not held:
        return {}
    sampler = Sampler(held, seed=12345)
    luma, points, face = stacked([sampler.draw() for _ in range(draws)])
    found, presence = net(luma)
    error = inter_ocular_error(found.numpy(), points.numpy())[face.numpy() > 0.5]
    right = (presence > 0) == (face > 0.5)
    plain = [sampler.plain(source) for source in held for _ in range(4)]
    luma, points, _ = stacked(plain)
    found, _ = net(luma)
    return {
        "nme_heldout_augmented": round(float(error.mean()), 5),
        "nme_heldout_upright": round(
            float(inter_ocular_error(found.numpy(), points.numpy()).mean()), 5
        ),
        "presence_accuracy": round(float(right.float().mean()), 5),
    }


def inter_ocular_error(
    found: NDArray[np.floating], wanted: NDArray[np.floating]
) -> NDArray[np.floating]:
    """(N,) mean landmark distance over the distance of the outer eye corners, the usual NME."""
    across = np.linalg.norm(wanted[:, EYES[1]] - wanted[:, EYES[0]], axis=-1)
    return np.asarray(np.linalg.norm(found - wanted, axis=-1).mean(axis=1) / across)


def save(net: LandmarkNet, out: Path, figures: dict[str, float]) -> None:
    """Writes the folded weights and the JSON beside them."""
    out.mkdir(parents=True, exist_ok=True)
    weights = folded(net)
    save_file(weights, out / "landmarks.safetensors")
    about = {
        "model": "engines.landmark_net:LandmarkNet, batch norms folded, fp16",
        "parameters": sum(w.size for w in weights.values()),
        "trained_on": "stills of the London, Canada and Congress portrait sets, labelled with "
        "MediaPipe landmarks; the persons of training.splits.HELDOUT_PERSONS held out",
        "attribution": [
            "DeBruine, L. & Jones, B. (2017). Face Research Lab London Set. CC BY 4.0",
            "DeBruine, L. & Jones, B. (2017). Young Adult White Faces with Manipulated Versions. "
            "CC BY 4.0",
            "Official portraits of the U.S. Congress, public domain in the U.S.",
        ],
        "date": datetime.date.today().isoformat(),
        "figures": figures,
    }
    (out / "landmarks.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="training.landmarks", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and figures")
    parser.add_argument("--minutes", type=float, default=15.0, help="training time (15)")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many steps instead")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = Config(options.out, options.minutes, options.steps, seed=options.seed)
    train(
        load_sources(options.shared, heldout=False),
        load_sources(options.shared, heldout=True),
        config,
    )


if __name__ == "__main__":
    main()
