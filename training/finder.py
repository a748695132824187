"""Trains the finder: ``python -m training.finder --shared ../shared --out DIR --minutes 60``.

Writes ``finder.safetensors`` (folded, fp16) and ``finder.json`` (what it is, what it was trained on, figures) to DIR
at every evaluation, and ``last.pt`` to go on from (``--resume``). The held-out persons are measured on scenes of their
own, never trained on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

from engines.finder_cells import faces_of
from engines.finder_net import FinderNet
from engines.folding import renormalise, unfold
from stream_retouch.media.regions import CANONICAL_OVAL, alignment
from training.face_weights import save
from training.finder_targets import FinderLoss, Truth, targets
from training.scenes.compose import Composer
from training.scenes.portraits import Portrait, load
from training.scenes.scene import Scene, SceneFace

ROWS, COLUMNS = 384, 640
EMPTY_SHARE = 0.25
"""Scenes without a face."""
DIFFICULTIES = (0.3, 0.6, 0.85, 1.0)
"""Of the scenes' light, noise, blur and covers; each as often."""
BATCH = 8
EVALUATION_SEED = 987_654
NEAR = 0.35
"""A face counts as found when a box's middle is nearer than this, in the face's sizes, ..."""
ALIKE = 1.8
"""... and its size differs by no more than this factor."""

_OVAL_MIDDLE = (CANONICAL_OVAL[0] + CANONICAL_OVAL[1]) / 2
_OVAL_SIZE = float(np.sqrt(np.prod(CANONICAL_OVAL[1] - CANONICAL_OVAL[0])))

TRAINED_ON = "scenes composed from the London, Canada and Congress portrait sets (training.scenes)"


@dataclass(frozen=True, slots=True)
class Config:
    """One training run."""

    out: Path
    minutes: float = 60.0
    """How long to train; the learning rate falls to nothing at its end."""
    steps: int | None = None
    """Ends the run after so many steps whatever the time; the schedule then counts steps."""
    learning_rate: float = 2e-3
    workers: int = 1
    seed: int = 0
    evaluate_every_s: float = 420.0
    evaluate_scenes: int = 150
    init: Path | None = None
    """Folded weights to start from."""
    resume: Path | None = None
    """A last.pt to go on from, with its optimiser."""


def truth_of(face: SceneFace) -> Truth:
    """Where the aligned crop's oval lies: what the tracker wants of a box."""
    transform = alignment(face.points)
    x, y = transform[:, :2] @ _OVAL_MIDDLE + transform[:, 2]
    scale, roll = float(np.hypot(*transform[:, 0])), math.atan2(transform[1, 0], transform[0, 0])
    return Truth(float(x), float(y), scale * _OVAL_SIZE, roll, face.ignore)


class Batches(torch.utils.data.IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Batches of scenes, made in the worker; each worker has a seed of its own."""

    def __init__(self, portraits: Sequence[Portrait], seed: int) -> None:
        self._portraits, self._seed = portraits, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        seed = self._seed + 1000 * (info.id if info else 0)
        composers = [
            Composer(self._portraits, seed + i, COLUMNS, ROWS, difficulty=difficulty)
            for i, difficulty in enumerate(DIFFICULTIES)
        ]
        rng = np.random.default_rng(seed)
        while True:
            drawn = [composers[i] for i in rng.integers(len(composers), size=BATCH)]
            scenes = [c.empty() if rng.random() < EMPTY_SHARE else c.scene() for c in drawn]
            yield stacked(scenes)


def stacked(scenes: Sequence[Scene]) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 1, H, W) luma 0..255 uint8, (B, N) face and (B, N, 4) place targets."""
    answers = [targets(map(truth_of, s.faces), ROWS, COLUMNS) for s in scenes]
    luma = np.stack([s.picture.reshape(1, ROWS, COLUMNS) for s in scenes])
    face, place = np.stack([a.face for a in answers]), np.stack([a.place for a in answers])
    return torch.from_numpy(luma), torch.from_numpy(face), torch.from_numpy(place)


def train(
    portraits: Sequence[Portrait], held: Sequence[Portrait], config: Config
) -> dict[str, float]:
    """Trains, saves, and returns the last figures."""
    torch.manual_seed(config.seed)
    net = FinderNet()
    if config.init is not None:
        unfold(net, load_file(config.init))
        luma, _, _ = next(iter(Batches(portraits, config.seed + 1)))
        renormalise(net, luma.float())
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=1e-3)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    first = _resume(config.resume, net, average, optimiser)
    loss_of = FinderLoss(ROWS, COLUMNS)
    loader = torch.utils.data.DataLoader(
        Batches(portraits, config.seed + first),
        batch_size=None,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    start = evaluated = time.monotonic()
    step = first
    for step, (luma, face, place) in enumerate(loader, first):
        passed = (time.monotonic() - start) / (60 * config.minutes)
        done = (step - first) / config.steps if config.steps else passed
        if done >= 1:
            break
        for group in optimiser.param_groups:
            warm, fall = min(1.0, (step - first + 1) / 100), 0.5 * (1 + math.cos(math.pi * done))
            group["lr"] = config.learning_rate * warm * fall
        x = luma.float().contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            cells = net(x)
        face_loss, place_loss = loss_of(cells, face, place)
        optimiser.zero_grad(set_to_none=True)
        (face_loss + place_loss).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(net)
        if step % 50 == 0:
            minutes = (time.monotonic() - start) / 60
            print(f"step {step} done {done:.3f} min {minutes:.1f} face {face_loss.item():.4f} "
                  f"place {place_loss.item():.4f}", flush=True)  # fmt: skip
        if time.monotonic() - evaluated > config.evaluate_every_s:
            finish(average.module, held, config, step)
            state = {"net": net, "average": average, "optimiser": optimiser}
            torch.save({k: v.state_dict() for k, v in state.items()} | {"step": step},
                       config.out / "last.pt")  # fmt: skip
            evaluated = time.monotonic()
    return finish(average.module, held, config, step)


def _resume(
    path: Path | None, net: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> int:
    """The step to go on from; 0 without a path."""
    if path is None:
        return 0
    stored: dict[str, Any] = torch.load(path, weights_only=True)
    net.load_state_dict(stored["net"])
    average.load_state_dict(stored["average"])
    optimiser.load_state_dict(stored["optimiser"])
    return int(stored["step"]) + 1


def finish(net: nn.Module, held: Sequence[Portrait], config: Config, step: int) -> dict[str, float]:
    """Measures and saves the net as it is now."""
    net.eval()
    figures = evaluate(net, held, config.evaluate_scenes) | {"steps": float(step)}
    save(net, config.out, "finder", TRAINED_ON, figures)
    print(json.dumps(figures), flush=True)
    return figures


@torch.no_grad()
def evaluate(net: nn.Module, held: Sequence[Portrait], scenes: int) -> dict[str, float]:
    """Figures on scenes of held-out persons, the same ones every time; faces from 20 canvas pixels."""
    if not held:
        return {}
    composer = Composer(held, EVALUATION_SEED, COLUMNS, ROWS, difficulty=0.75)
    wanted = found = alarms = 0
    off: list[float] = []
    turn: list[float] = []
    for _ in range(scenes):
        scene = composer.scene()
        boxes = list(_faces(net, scene))
        for truth in (truth_of(face) for face in scene.faces):
            near = [
                box
                for box in boxes
                if math.hypot(box[0] - truth.x, box[1] - truth.y) < NEAR * truth.size
                and 1 / ALIKE < box[2] / truth.size < ALIKE
            ]
            if truth.ignore or truth.size < 20:
                continue
            wanted += 1
            if near:
                found += 1
                best = near[0]
                off.append(math.hypot(best[0] - truth.x, best[1] - truth.y) / truth.size)
                turn.append(abs(math.remainder(best[3] - truth.roll, 2 * math.pi)))
    for _ in range(scenes):
        alarms += len(_faces(net, composer.empty()))
    return {
        "recall_heldout": round(found / max(wanted, 1), 4),
        "false_per_1000_raw": round(1000 * alarms / scenes, 1),
        "middle_off": round(float(np.mean(off)) if off else 1.0, 4),
        "roll_off_degrees": round(math.degrees(float(np.mean(turn))) if turn else 180.0, 2),
    }


def _faces(net: nn.Module, scene: Scene) -> np.ndarray[Any, Any]:
    luma = torch.from_numpy(scene.picture.reshape(1, 1, ROWS, COLUMNS)).float()
    return faces_of([level[0].numpy() for level in net(luma)])


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="training.finder", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and figures")
    parser.add_argument("--minutes", type=float, default=60.0, help="training time (60)")
    parser.add_argument("--steps", type=int, default=None, help="stop after so many steps instead")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=1, help="processes that compose scenes (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, default=None, help="folded weights to start from")
    parser.add_argument("--resume", type=Path, default=None, help="a last.pt to go on from")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = Config(
        options.out,
        options.minutes,
        options.steps,
        learning_rate=options.learning_rate,
        workers=options.workers,
        seed=options.seed,
        init=options.init,
        resume=options.resume,
    )
    config.out.mkdir(parents=True, exist_ok=True)
    train(
        load(options.shared, heldout=False, colour=False),
        load(options.shared, heldout=True, colour=False),
        config,
    )


if __name__ == "__main__":
    main()
