"""Trains RetouchGPT: ``python -m training.retouch --config training/configs/retouch-256.toml``.

Reads top to bottom: what is said, data, model, loop, checkpoint. The recipe (`training.recipe`) says the rest.
Everything is trained together (equation 13 gives each part its own loss; here every loss reaches what it touches). A
schedule follows the clock or the steps, whichever is further, so a stage of any length ends with a small learning
rate. What is random is seeded by the number of the step: a training that goes on with --resume makes the step it
would have made.

Writes to OUT: ``weights.safetensors`` with its JSON (the moving average, which ships), ``last.pt``, ``config.toml``,
``log.jsonl`` and ``curves.png``. Ctrl-C ends it after the step in hand and saves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from engines.retouchgpt.model import RetouchGPT
from stream_retouch.errors import MediaError, SettingsError, StreamRetouchError, WeightsError
from training import ffhqr, portrait_cache, team, validation
from training.batches import Batches
from training.curves import curves
from training.grown import grow
from training.muon import Muon, groups
from training.norms import to_training
from training.pace import Log, Pace, learning_rate
from training.perception import SlimVGG
from training.portrait_cache import PortraitCache
from training.recipe import Recipe, Stage, read, shortened
from training.reinforce import Judge, Value, reinforced
from training.run_folder import Average, RunFolder
from training.step import annealed, answered, figures, terms
from training.stopping import Stopping

_MOST_GRADIENT = 1.0
_OWN_MARKS_UNKNOWN = (
    "the portraits' own marks are not known, so the network will learn to leave real ones alone: "
    "run python -m training.found_marks {cache} --weights {init} first"
)
"""Measured: after 56,000 faces so .73 of real marks' energy is left on validation persons instead of .61."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training and where its things lie."""

    recipe: Recipe
    text: str
    """The recipe as it was written."""
    out: Path
    cache: Path | None
    """Folder of the portrait cache; None where every example comes from FFHQR."""
    perception: Path
    """The slim VGG's weights; without the file there is no perceptual loss."""
    pairs: ffhqr.FFHQR | None = None
    tests: ffhqr.FFHQR | None = None
    """FFHQR's own test pairs, measured beside the validation persons."""
    resume: bool = False


def run(job: Run) -> None:
    """Trains as told, in as many processes as the recipe says."""
    RunFolder(job.out).begin(job.text, job.resume)
    if job.recipe.processes > 1:
        team.start(job.recipe.processes, member, (job,))
    else:
        member(0, job)


def member(rank: int, job: Run) -> None:
    """The work of one process."""
    recipe = job.recipe
    torch.set_num_threads(recipe.threads)
    cv2.setNumThreads(1)
    trainer = Trainer(job, rank)
    if trainer.ended:
        print(f"{job.out} holds a training that has come to its end", flush=True)
        return
    with Stopping() as stop:
        while not trainer.ended:
            trainer.begin_stage()
            batches = trainer.batches()
            while not team.agreed(trainer.stage_ended or stop.wanted):
                trainer.step(next(batches))
                if rank == 0:
                    trainer.report()
            if team.agreed(stop.wanted):
                break
            trainer.end_stage()
    if rank == 0:
        trainer.save(last=True)


class Trainer:
    """A network in training, and all that goes on with it."""

    def __init__(self, job: Run, rank: int = 0) -> None:
        self.job, self.recipe, self.rank = job, job.recipe, rank
        self.device = _device(job.recipe.device, rank)
        torch.manual_seed(job.recipe.seed)
        self.model = RetouchGPT(job.recipe.network)
        if job.recipe.init:
            new = grow(self.model, Path(job.recipe.init))
            if new and rank == 0:
                print(f"new here: {len(new)} tensors, such as {new[0]}", flush=True)
        self.model = self.model.to(self.device).train()
        self.value = Value(job.recipe.network).to(self.device)
        self.learned = nn.ModuleList([self.model, self.value])
        self.perception = _perception(job.perception, self.device)
        self.folder = RunFolder(job.out)
        self.average = Average(self.model, job.recipe.average)
        self.step_count = self.stage_step = self.stage_index = 0
        self.judge: Judge | None = None
        self._state = self.folder.load() if job.resume else None
        if self._state:
            self._restore(self._state)
        if rank == 0:
            self.log = Log(job.out, self.step_count)
            self.scenes = self._scenes()

    @property
    def stage(self) -> Stage:
        """The one in hand."""
        return self.recipe.stages[self.stage_index]

    @property
    def stage_ended(self) -> bool:
        """Whether the stage's time or steps are used up."""
        return self.pace.ended(self.stage_step)

    @property
    def ended(self) -> bool:
        """Whether all stages are over."""
        return self.stage_index >= len(self.recipe.stages)

    def begin_stage(self) -> None:
        """Sets up the next stage, or goes on in the one that was left."""
        stage, state = self.stage, self._state
        self._state = None
        frozen = stage.freeze_llm
        if frozen is None:
            frozen = bool(self.recipe.init) or self.stage_index > 0
        for parameter in self.model.language.llm.parameters():
            parameter.requires_grad_(not frozen)
        self.optimizer = _optimizer(self.model, self.value, stage)
        if state:
            self.optimizer.load_state_dict(state["optimizer"])
        if stage.reinforce:
            self.judge = Judge(self.average.model(self.model), self.recipe.bf16)
            if state and state["judge"]:
                self.judge.model.load_state_dict(state["judge"])
        else:
            self.judge = None
        self.pace = Pace(stage, float(state["spent_s"]) if state else 0.0)
        self._saved_s = self.pace.spent_s

    def end_stage(self) -> None:
        """The next stage starts from the averaged weights."""
        if self.rank == 0:
            self._show()
        self.stage_index, self.stage_step = self.stage_index + 1, 0
        self.model.load_state_dict(self.average.state)
        self.average = Average(self.model, self.recipe.average)
        if self.rank == 0 and not self.ended:
            print(f"stage {self.stage.name!r} begins after {self.step_count} steps", flush=True)

    def batches(self) -> Iterator[dict[str, torch.Tensor]]:
        """Those of the steps to come."""
        source = Batches(
            self.job.cache,
            self.recipe.batch,
            (self.recipe.seed, self.rank),
            self.step_count,
            self.recipe.network.crop_size,
            self.recipe.data,
            self.job.pairs,
        )
        return iter(DataLoader(source, batch_size=None, num_workers=self.recipe.workers))

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        """One step of training."""
        to_training(self.model, self.stage.fixed_norms)
        rng = np.random.default_rng((self.recipe.seed, self.rank, self.step_count, 1))
        torch.manual_seed(int(rng.integers(2**62)))
        share, bf16 = self.pace.share(self.stage_step), self.recipe.bf16
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.lr * group.get("pace", 1.0) * learning_rate(share)
        batch = {k: v.to(self.device) for k, v in batch.items()}
        weights = annealed(self.stage.loss, 1.0 if self.stage.settled else share)
        answer = answered(self.model, batch, rng, bf16)
        found = terms(self.model, self.perception, batch, answer, weights, rng, bf16)
        seen: dict[str, float] = {}
        if self.judge is not None:
            request, how = batch["request"], self.recipe.reinforce
            more, seen = reinforced(self.model, self.judge, self.value, answer, request, how, bf16)
            found |= more
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(found.values())).sum().backward()  # type: ignore[no-untyped-call]
        team.mean_gradients(self.learned)
        nn.utils.clip_grad_norm_(self.learned.parameters(), _MOST_GRADIENT)
        self.optimizer.step()
        self.average.update(self.model, self.stage_step)
        self.step_count, self.stage_step = self.step_count + 1, self.stage_step + 1
        if self.rank == 0:
            self._batch = batch
            self.log.add({k: float(v.detach()) for k, v in found.items()} | seen)

    def report(self) -> None:
        """Shows and saves what is due."""
        if self.log.is_time(self.recipe.log_s):
            self._show()
        if self.pace.spent_s - self._saved_s >= self.recipe.save_s:
            self.save()

    def save(self, last: bool = False) -> None:
        """Writes everything, then measures and draws. A full disk ends the training only if this is its `last` save."""
        if last:
            self._show()
        averaged = self.average.model(self.model)
        try:
            self.folder.save(self.state(), averaged)
        except MediaError as problem:
            if last:
                raise
            print(f"{problem}; the training goes on, what was saved before is whole", flush=True)
        found = validation.measure(averaged, self.scenes[0])
        tests = validation.measure(averaged, self.scenes[1])
        found |= {f"ffhqr_{k}": v for k, v in tests.items() if k != "by_kind"}
        if found:
            self.log.validated(self.step_count, self._images, found)
        curves(self.job.out)
        self._saved_s = self.pace.spent_s

    def state(self) -> dict[str, Any]:
        """Everything to go on from."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state,
            "value": self.value.state_dict(),
            "judge": self.judge.model.state_dict() if self.judge else None,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step_count,
            "stage": self.stage_index,
            "stage_step": self.stage_step,
            "spent_s": self.pace.spent_s,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.model.load_state_dict(state["model"])
            self.value.load_state_dict(state["value"])
            self.average.state = {k: v.to(self.device) for k, v in state["average"].items()}
        except (KeyError, RuntimeError) as problem:
            why = str(problem).partition("\n")[0]
            raise WeightsError(
                str(self.job.out / "last.pt"), f"made with another [network] ({why})"
            ) from problem
        self.step_count, self.stage_step = int(state["step"]), int(state["stage_step"])
        self.stage_index = int(state["stage"])

    def _scenes(self) -> tuple[list[validation.Scene], list[validation.Scene]]:
        count, size = self.recipe.data.validation_scenes, self.recipe.network.crop_size
        cache = PortraitCache(self.job.cache) if self.job.cache else None
        if cache and self.recipe.init and not cache.knows_own_marks:
            print(
                _OWN_MARKS_UNKNOWN.format(cache=self.job.cache, init=self.recipe.init), flush=True
            )
        painted = validation.painted_scenes(cache, count, size) if cache else []
        tests = self.job.tests.scenes(count, size) if self.job.tests else []
        if count and not painted and not tests:
            print("no validation: the portraits hold none of VALIDATION_PERSONS", flush=True)
        return painted, tests

    @property
    def _images(self) -> int:
        """A step, of all processes."""
        return self.recipe.batch * self.recipe.processes

    def _show(self) -> None:
        if not self.log.pending(self.step_count):
            return
        whole = sum(s.minutes for s in self.recipe.stages)
        done = sum(s.minutes for s in self.recipe.stages[: self.stage_index])
        later = sum(s.minutes for s in self.recipe.stages[self.stage_index + 1 :])
        share = (done + self.pace.share(self.stage_step) * self.stage.minutes) / whole
        more = {"stage": self.stage.name, "min": round(self.pace.spent_s / 60, 1)}
        rough = {k: round(v, 3) for k, v in figures(self.model, self._batch).items()}
        eta = self.pace.minutes_left(self.stage_step) + later
        self.log.show(self.step_count, self._images, share, eta, more | rough)


def _device(name: str, rank: int) -> torch.device:
    if not name.startswith("cuda"):
        return torch.device(name)
    if not torch.cuda.is_available():
        raise SettingsError("no CUDA device here; train with --device cpu")
    return torch.device(name if ":" in name else f"cuda:{rank % torch.cuda.device_count()}")


def _perception(path: Path, device: torch.device) -> SlimVGG | None:
    if not path.is_file():
        print(f"training without the perceptual loss: {path.name} is not in --shared", flush=True)
        return None
    return SlimVGG(path).to(device)


_SHAPES_LAYER = ("decoder.gates", "decoder.flatten")


def _optimizer(model: RetouchGPT, value: Value, stage: Stage) -> Muon:
    """No decay for positions, nor for what shapes the layer: shrinkage ruins it."""
    heads = (*_SHAPES_LAYER, "imperfection.evidence", "language.response", "language.control.out")
    positions = [name for name, _ in model.named_parameters() if "position" in name]
    undecayed = (*_SHAPES_LAYER, *positions)
    found = groups(model, 1e-4, heads, undecayed, stage.paces)
    return Muon([*found, {"params": list(value.parameters())}], stage.lr)


def job_of(args: argparse.Namespace) -> Run:
    """The training that the command line asks for, its data found and prepared.

    Raises:
        StreamRetouchError: something is missing or not as it must be.
    """
    recipe = read(args.config)
    flags = ("processes", "device", "seed", "init")
    recipe = replace(recipe, **{n: v for n in flags if (v := getattr(args, n)) is not None})
    for given in args.data:
        name, _, folder = given.partition("=")
        if name != "ffhqr" or not folder:
            raise SettingsError(f"--data {given} is not known; write --data ffhqr=DIR")
        recipe = replace(recipe, data=replace(recipe.data, ffhqr=folder))
    recipe = shortened(recipe, args.minutes, args.steps)
    out = args.out or Path("runs") / args.config.stem
    pairs = tests = None
    if recipe.data.ffhqr:
        pairs, tests = ffhqr.opened(Path(recipe.data.ffhqr), args.cache, out)
    only_pairs = pairs is not None and recipe.data.ffhqr_share >= 1
    return Run(
        recipe,
        args.config.read_text(encoding="utf-8"),
        out,
        None if only_pairs else portrait_cache.build(args.shared, args.cache),
        args.shared / "weights" / "vgg19_slim16x_5SE.npz",
        pairs,
        tests,
        args.resume,
    )


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says; a flag outdoes the recipe."""
    parser = argparse.ArgumentParser(
        prog="python -m training.retouch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="recipe, a TOML file")
    parser.add_argument("--out", type=Path, help="where results go; runs/ and the recipe's name")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/portraits"), help="aligned portraits, made once"
    )
    parser.add_argument(
        "--data", action="append", default=[], metavar="ffhqr=DIR", help="pairs to train on too"
    )
    parser.add_argument("--init", help="start from these weights")
    parser.add_argument("--minutes", type=float, help="of all stages; each keeps its share")
    parser.add_argument("--steps", type=int, help="of all stages, at most")
    parser.add_argument("--processes", type=int, help="that train together")
    parser.add_argument("--device", help="cpu or cuda")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    try:
        run(job_of(arguments(argv)))
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
