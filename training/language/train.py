"""Trains the planner's network: python -m training.language.train --out runs/planner --minutes 120

The tokenizer is learned from the corpus first. Then the network learns from sentences drawn without end, and every few
minutes it plays the development set, turn by turn, through the dialogue that serves; what does best there is kept as
``planner.safetensors`` with its JSON and tokenizer. Ctrl-C saves and ends; ``--resume`` goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader

from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.saved import TOKENIZER, WEIGHTS, load, load_pieces, save, save_pieces
from engines.language.tokens import INDEX, PAD
from stream_retouch.errors import SettingsError, StreamRetouchError
from training import team
from training.language.played import accuracy
from training.language.sentences import Batch, Sentences, learn_pieces
from training.muon import Muon, groups
from training.pace import Log, Pace, learning_rate
from training.recipe import Stage
from training.run_folder import Average
from training.stopping import Stopping

_AVERAGED = 0.998
_MOST_GRADIENT = 1.0
_AS_IT_CAME = (
    "sentence.bert.embeddings.",
    "sentence.bert.encoder.layer.0.",
    "sentence.bert.encoder.layer.1.",
)
"""What of it is not trained at all: a third of the time of a step for what hardly changes."""
_LOG_S, _SAVE_S = 60.0, 300.0
_STATE = "last.pt"
_GENTLY = {"sentence.bert.": 0.05}
"""Share of the learning rate for what comes trained from elsewhere and is to be kept."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training."""

    out: Path
    minutes: float = 120.0
    steps: int | None = None
    """At most so many."""
    batch: int = 64
    lr: float = 2.5e-3
    seed: int = 1
    processes: int = 1
    workers: int = 1
    """Processes of each that draw sentences; 0 draws between the steps."""
    init: Path | None = None
    """Folder of a planner to start from; its tokenizer is kept."""
    resume: bool = False
    bf16: bool = False
    every: int = 3
    """One item of the development set in so many is played at a save; all of them at the end."""


def loss(model: PlannerNet, batch: Batch) -> torch.Tensor:
    """Cross-entropy of every next token of the programs (equation 8)."""
    words_BT, program_BS = batch
    logits = model(words_BT, program_BS[:, :-1])
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        program_BS[:, 1:].flatten(),
        ignore_index=INDEX[PAD],
        label_smoothing=0.02,
    )


def run(job: Job) -> None:
    """Trains as told.

    Raises:
        SettingsError: the folder holds a training already, or none to resume.
        WeightsError: there is no planner in `init`.
    """
    held = (job.out / _STATE).is_file()
    if held and not job.resume:
        raise SettingsError(f"{job.out} holds a training; --resume it, or name another --out")
    if job.resume and not held:
        raise SettingsError(f"{job.out} holds no training; leave --resume out")
    job.out.mkdir(parents=True, exist_ok=True)
    if job.init is not None:
        save_pieces(load(job.init)[1], job.out)
    if not (job.out / TOKENIZER).is_file():
        learn_pieces(job.out, PlannerConfig(), job.seed)
    if job.processes > 1:
        team.start(job.processes, member, (job,))
    else:
        member(0, job)


def member(rank: int, job: Job) -> None:
    """The work of one process."""
    torch.set_num_threads(1)
    trainer = Trainer(rank, job)
    with Stopping() as stop:
        while not team.agreed(trainer.ended or stop.wanted):
            trainer.step()
            if rank == 0:
                trainer.report()
    if rank == 0:
        trainer.save(1 if job.steps is None else job.every)


class Trainer:
    """The network in training."""

    def __init__(self, rank: int, job: Job) -> None:
        torch.manual_seed(job.seed)
        self.rank, self.job, self.done, self.best = rank, job, 0, -1.0
        self.model = self._network()
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not name.startswith(_AS_IT_CAME))
        self.average = Average(self.model, _AVERAGED)
        parameters = groups(self.model, 0.03, without=("response", *_GENTLY), paces=_GENTLY)
        self.optimizer = Muon(parameters, job.lr)
        spent = self._restored() if job.resume else 0.0
        self.pace = Pace(Stage("planner", job.minutes, job.steps), spent)
        self.log, self._saved_s = Log(job.out, self.done), time.monotonic()
        sentences = Sentences(job.out, self.model.config, job.batch, (job.seed, rank, self.done))
        self.batches = iter(DataLoader(sentences, batch_size=None, num_workers=job.workers))

    @property
    def ended(self) -> bool:
        """Whether time or steps are used up."""
        return self.pace.ended(self.done)

    def step(self) -> None:
        """One step."""
        for group in self.optimizer.param_groups:
            share = self.pace.share(self.done)
            group["lr"] = self.job.lr * learning_rate(share) * group["pace"]
        self.model.train()
        # for turns this short the plain way back is half as long as flash attention's on a CPU
        plain = sdpa_kernel(SDPBackend.MATH)
        with plain, torch.autocast("cpu", torch.bfloat16, enabled=self.job.bf16):
            found = loss(self.model, next(self.batches))
        self.optimizer.zero_grad(set_to_none=True)
        found.backward()  # type: ignore[no-untyped-call]
        team.mean_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), _MOST_GRADIENT)
        self.optimizer.step()
        self.average.update(self.model, self.done)
        self.done += 1
        self.log.add({"loss": float(found.detach())})

    def report(self) -> None:
        """Shows and saves what is due."""
        if self.log.is_time(_LOG_S):
            eta, sentences = self.pace.minutes_left(self.done), self.job.batch * self.job.processes
            self.log.show(self.done, sentences, self.pace.share(self.done), eta, {})
        if time.monotonic() - self._saved_s >= _SAVE_S:
            self.save(self.job.every)

    def save(self, every: int = 1) -> None:
        """Writes what is needed to go on; plays the development set, and keeps the average if nothing was better."""
        averaged = PlannerNet(self.model.config)
        averaged.load_state_dict(self.average.state)
        pieces = load_pieces(self.job.out)
        figures = accuracy(averaged.eval(), pieces, every)
        self.log.validated(self.done, self.job.batch * self.job.processes, figures)
        if every != self.job.every and (self.job.out / WEIGHTS).is_file():
            # another share of the set is another measure
            self.best = accuracy(*load(self.job.out), every)["all"]
        if figures["all"] >= self.best:
            self.best = figures["all"]
            save(averaged, pieces, self.job.out)
        state = {
            "config": dataclasses.asdict(self.model.config),
            "model": self.model.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
            "best": self.best,
            "spent_s": self.pace.spent_s,
        }
        beside = self.job.out / (_STATE + ".new")
        torch.save(state, beside)
        beside.replace(self.job.out / _STATE)
        self._saved_s = time.monotonic()

    def _network(self) -> PlannerNet:
        if self.job.resume:
            return PlannerNet(PlannerConfig(**self._state()["config"]))
        return load(self.job.init)[0] if self.job.init else PlannerNet(PlannerConfig())

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(self.job.out / _STATE, weights_only=True)
        return state

    def _restored(self) -> float:
        state = self._state()
        self.model.load_state_dict(state["model"])
        self.average.state = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.done, self.best = state["done"], state["best"]
        return float(state["spent_s"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("runs/planner"))
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--steps", type=int, help="at most so many")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="that train together, a core each")
    parser.add_argument("--workers", type=int, default=1, help="of each process, drawing sentences")
    parser.add_argument("--init", type=Path, help="folder of a planner to start from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument(
        "--bf16", action="store_true", help="half as many bits, nearly twice as fast"
    )
    try:
        run(Job(**vars(parser.parse_args(arguments))))
    except StreamRetouchError as problem:
        print(problem)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
