"""Trains the landmarker: ``python -m training.landmarks --shared ../shared --out DIR --minutes
15``.

``--init FILE`` goes on from weights such as ``engines/weights/landmarks.safetensors``.

Writes ``landmarks.safetensors`` (folded, fp16) and ``landmarks.json`` (what it is, what it was
trained on, figures) to DIR, at every evaluation. The held-out persons are measured, never trained
on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

from engines.folding import renormalise
from engines.landmark_net import LandmarkNet
from stream_retouch.media.loose_crop import LOOSE_POINTS
from training.face_relief import Source, load_source
from training.face_weights import save
from training.landmark_figures import CROP_EYES_PX, EYES, Examination, stacked
from training.landmark_samples import Sample, Sampler
from training.scene_crops import SceneCrops
from training.splits import portraits

CROPS_SHARE, CROPS_FACES = 0.45, 0.5
"""Share of the samples that come out of whole scenes where there are any, and of faces among them."""
PRECISE = 0.04
"""An error, in outer-eye distances, that counts half as much as a tiny one if it grows."""
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""(B, 1, H, W) luma as float, (B, K, 2) points, (B,) presence, (B, K) visibility; the second half
shows the first half's crops again; (B/2,) whether through the same camera."""

TRAINED_ON = (
    "stills of the London, Canada and Congress portrait sets, labelled with MediaPipe landmarks"
)


@dataclass(frozen=True, slots=True)
class Config:
    """One training run."""

    out: Path
    minutes: float = 15.0
    """How long to train; the learning rate falls to nothing at its end."""
    steps: int | None = None
    """Ends the run after so many steps whatever the time; the schedule then counts steps."""
    batch: int = 64
    """Even: every crop comes twice."""
    learning_rate: float = 2e-3
    presence_weight: float = 0.15
    """Weight of the presence loss, in outer-eye distances of mean landmark error per nat."""
    visibility_weight: float = 0.06
    """The same of the visibility loss."""
    steadiness_weight: float = 0.5
    """Of the distance between the answers to two frames of one camera."""
    hidden_weight: float = 0.4
    """Of a point that is hidden, against one that is seen."""
    init: Path | None = None
    """Weights to go on from; None for random ones."""
    crops: Path | None = None
    """Crops out of whole scenes (`training.scene_crops`), to be mixed in."""
    shared: Path | None = None
    """The shared data folder, for its semi-synthetic clips; None measures without them."""
    workers: int = 1
    seed: int = 0
    evaluate_every_s: float = 300.0
    evaluate_draws: int = 600
    """Augmented samples of held-out persons that an evaluation looks at."""


class Batches(torch.utils.data.IterableDataset[Batch]):
    """Batches of samples, made in the worker; each worker has a seed of its own."""

    def __init__(self, sources: list[Source], config: Config) -> None:
        self._sources, self._config = sources, config
        self._crops = None if config.crops is None else SceneCrops.load(config.crops)

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        seed = self._config.seed + 1000 * (info.id if info else 0)
        sampler, rng = Sampler(self._sources, seed), np.random.default_rng(seed)
        while True:
            first, second, steady = zip(
                *(self._draw(sampler, rng) for _ in range(self._config.batch // 2)), strict=True
            )
            yield *stacked([*first, *second]), torch.tensor(steady)

    def _draw(self, sampler: Sampler, rng: np.random.Generator) -> tuple[Sample, Sample, bool]:
        if self._crops is None or rng.random() >= CROPS_SHARE:
            return sampler.draw_twice()
        lumas, points, visible, face = self._crops.draw_twice(rng, CROPS_FACES)
        one, two = (Sample(luma, points, visible, face) for luma in lumas)
        return one, two, True


def load_sources(shared: Path, heldout: bool) -> list[Source]:
    """The portraits of one side of the split, shrunk."""
    return [
        load_source(p.file, np.column_stack([p.landmarks, p.depth]))
        for p in portraits(shared, heldout)
    ]


def train(sources: list[Source], held: list[Source], config: Config) -> dict[str, float]:
    """Trains, saves, and returns the last figures."""
    torch.manual_seed(config.seed)
    examination = Examination(held, config.evaluate_draws, config.shared)
    net = start(config, next(iter(Batches(sources, config)))[0])
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
    began = evaluated = time.monotonic()
    for step, batch in enumerate(loader):
        passed = (time.monotonic() - began) / (60 * config.minutes)
        done = step / config.steps if config.steps else passed
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(done, step)
        parts = losses(net, *batch, hidden_weight=config.hidden_weight)
        optimiser.zero_grad(set_to_none=True)
        total(parts, config).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(net)
        if step % 50 == 0:
            told = " ".join(f"{name} {loss.item():.4f}" for name, loss in parts.items())
            print(f"step {step} done {done:.3f} {told}", flush=True)
        if time.monotonic() - evaluated > config.evaluate_every_s:
            evaluated = time.monotonic()
            finish(average.module, examination, config, step)
    return finish(average.module, examination, config, step)


def start(config: Config, luma_B1HW: Tensor) -> LandmarkNet:
    """The net to train: a random one, or the one of `config.init` normalised for these crops."""
    if config.init is None:
        net = LandmarkNet()
        net.start_from(LOOSE_POINTS)
    else:
        net = LandmarkNet.from_folded(load_file(config.init))
        renormalise(net, luma_B1HW)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.train()


def schedule(done: float, step: int) -> float:
    """Share of the full learning rate: up over 100 steps, then down a cosine."""
    return min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def losses(
    net: LandmarkNet,
    luma_B1HW: Tensor,
    points_BK2: Tensor,
    face_B: Tensor,
    visible_BK: Tensor,
    steady_P: Tensor,
    *,
    hidden_weight: float,
) -> dict[str, Tensor]:
    """Over the faces, in outer-eye distances: the mean distance of the landmarks, large ones counted
    less, and, ``steady``, of the answers to two frames of one camera; and the cross-entropies of
    presence and visibility."""
    luma_B1HW = luma_B1HW.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        features_BCHW = net.features(luma_B1HW)
    found_BK2, presence_B, seen_BK = net.head(features_BCHW.float())
    across_B11 = (points_BK2[:, EYES[1]] - points_BK2[:, EYES[0]]).norm(dim=-1)[:, None, None]
    # a yawed face has a short eye distance: do not let it shout
    unit_B11 = across_B11.clamp(min=0.7 * CROP_EYES_PX)
    weight_BK = face_B[:, None] * (hidden_weight + (1 - hidden_weight) * visible_BK)
    error_BK = _distance((found_BK2 - points_BK2) / unit_B11)
    pairs = len(found_BK2) // 2
    apart_PK = _distance((found_BK2[:pairs] - found_BK2[pairs:]) / unit_B11[:pairs])
    pair_PK = (face_B[:pairs] * steady_P)[:, None].expand_as(apart_PK)
    entropy = nn.functional.binary_cross_entropy_with_logits
    seen_BK = entropy(seen_BK, visible_BK, reduction="none")
    return {
        # the logarithm lets clear pictures say more than hopeless ones, as Wing loss (Feng 2018)
        "points": _mean(PRECISE * torch.log1p(error_BK / PRECISE), weight_BK),
        "presence": entropy(presence_B, face_B),
        "visibility": _mean(seen_BK, face_B[:, None].expand_as(seen_BK)),
        "steady": _mean(apart_PK, pair_PK),
    }


def total(parts: dict[str, Tensor], config: Config) -> Tensor:
    """The loss that is minimised."""
    return (
        parts["points"]
        + config.presence_weight * parts["presence"]
        + config.visibility_weight * parts["visibility"]
        + config.steadiness_weight * parts["steady"]
    )


def _distance(off: Tensor) -> Tensor:
    return torch.sqrt((off**2).sum(dim=-1) + 1e-6)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)


def finish(net: nn.Module, examination: Examination, config: Config, step: int) -> dict[str, float]:
    """Measures and saves the net as it is now."""
    assert isinstance(net, LandmarkNet)
    net.eval()
    figures = examination.of(net) | {"steps": float(step)}
    save(net, config.out, "landmarks", TRAINED_ON, figures)
    print(json.dumps(figures), flush=True)
    return figures


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="training.landmarks", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and figures")
    parser.add_argument("--minutes", type=float, default=15.0, help="training time (15)")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many steps instead")
    parser.add_argument("--init", type=Path, help="weights to go on from instead of random ones")
    parser.add_argument("--crops", type=Path, help="crops to mix in, see training.scene_crops")
    parser.add_argument("--lr", type=float, default=2e-3, help="highest learning rate (2e-3)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = Config(
        options.out,
        options.minutes,
        options.steps,
        learning_rate=options.lr,
        seed=options.seed,
        init=options.init,
        crops=options.crops,
        shared=options.shared,
    )
    train(
        load_sources(options.shared, heldout=False),
        load_sources(options.shared, heldout=True),
        config,
    )


if __name__ == "__main__":
    main()
