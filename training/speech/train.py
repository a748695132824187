"""Trains the recogniser's sound model: ``python -m training.speech.train runs/recordings --out runs/sound``.

Writes ``sound.safetensors`` (the moving average, fp16) and ``sound.json`` (sizes, figures) to OUT once a minute. Every
hundredth recording is measured, never trained on: `phone_errors`, phones put in, left out or changed over those said,
without a word model. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.speech.phones import BLANK
from engines.speech.sound_model import SoundConfig
from training.distance import distance
from training.muon import Muon, groups
from training.pace import learning_rate
from training.speech.batched import energies, seen
from training.speech.recordings import Recordings
from training.speech.rooms import elsewhere, hidden
from training.speech.sound_net import SoundNet
from training.speech.sound_weights import load, save
from training.stopping import Stopping

BATCH = 32
_AVERAGE = 0.998
_DECAY = 0.05
_MOST_GRADIENT = 5.0
_MIXED_SAMPLES = 4000.0
"""Recordings of about this difference in length share batches."""
_MOVED = 0.1
"""Share of a batch's length by which `rooms.elsewhere` may move an utterance's end."""
_SHOWN_S = 60.0
_FULL = 32768.0


class Batch(NamedTuple):
    """Recordings, padded with silence to the longest."""

    samples: Tensor
    """(B, N), full scale 1."""
    shares: Tensor
    """(B,) of N that each one has."""
    phones: list[Tensor]
    """(P,) classes of each."""


def batch_of(recordings: Recordings, places: Sequence[int]) -> Batch:
    """Those recordings."""
    found = [recordings.samples(i) for i in places]
    samples = torch.zeros(len(found), max(map(len, found)))
    for row, one in zip(samples, found, strict=True):
        row[: len(one)] = torch.from_numpy(one.astype(np.float32) / _FULL)
    lengths = torch.tensor([len(one) for one in found])
    phones = [torch.from_numpy(recordings.phones[i]) for i in places]
    return Batch(samples, lengths / samples.shape[1], phones)


def batches(recordings: Recordings, places: NDArray[np.int64], seed: int) -> Iterator[Batch]:
    """Without end: all recordings again and again, those of about one length together."""
    rng = np.random.default_rng(seed)
    lengths = recordings.lengths()[places]
    while True:
        order = places[np.argsort(lengths + rng.normal(0, _MIXED_SAMPLES, len(places)))]
        begins = rng.permutation(max(len(order) // BATCH, 1)) * BATCH
        for begin in begins:
            yield batch_of(recordings, order[begin : begin + BATCH].tolist())


def loss_of(net: SoundNet, shown: Tensor, batch: Batch) -> Tensor:
    """CTC's loss of a batch, whose input is `shown`."""
    with torch.autocast("cpu", torch.bfloat16):
        logs = net(shown)
    shares = batch.shares + _MOVED  # an uneven pace moves the end; silence after it is blank
    frames = (shares * logs.shape[1]).ceil().long().clamp(max=logs.shape[1])
    counts = torch.tensor([len(one) for one in batch.phones])
    found: Tensor = nn.functional.ctc_loss(
        logs.transpose(0, 1), torch.cat(batch.phones), frames, counts, BLANK, zero_infinity=True
    )
    return found


@torch.inference_mode()
def phone_errors(net: SoundNet, recordings: Recordings, places: NDArray[np.int64]) -> float:
    """Phones put in, left out or changed, over those that were said: of the likeliest class of each frame."""
    wrong = said = 0
    for i in places.tolist():
        batch = batch_of(recordings, [i])
        classes = net(seen(energies(batch.samples)))[0].argmax(-1)
        heard = [c for c in torch.unique_consecutive(classes).tolist() if c != BLANK]
        wrong += distance(batch.phones[0].tolist(), heard)
        said += len(batch.phones[0])
    return wrong / max(said, 1)


def train(
    recordings: Recordings,
    out: Path,
    minutes: float,
    net: SoundNet,
    rate: float = 2e-3,
    seed: int = 1,
    steps: int | None = None,
) -> dict[str, float]:
    """Trains, saves, and gives the figures; an interrupt ends it early, saved.

    Raises:
        OSError: OUT cannot be written.
    """
    held = np.flatnonzero(recordings.held)
    given = batches(recordings, np.flatnonzero(~np.array(recordings.held)), seed)
    random = torch.Generator().manual_seed(seed)
    optimiser = Muon(groups(net, _DECAY, without=("begin", "end")), lr=rate)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(_AVERAGE)
    )
    out.mkdir(parents=True, exist_ok=True)
    began = shown = time.monotonic()
    step, loss_sum, loss_steps, figures = 0, 0.0, 0, dict[str, float]()
    with Stopping() as stopping:
        while True:
            by_step = 0.0 if steps is None else step / max(steps, 1)
            share = max((time.monotonic() - began) / 60 / minutes, by_step)
            is_over = share >= 1 or stopping.wanted
            if is_over or time.monotonic() - shown > _SHOWN_S:
                errors = phone_errors(average.module, recordings, held)
                figures = {"steps": step, "phone_errors": round(errors, 4)}
                save(average.module, out, figures)
                bar = f"[{'#' * round(20 * min(share, 1)):<20}] {min(share, 1):4.0%}"
                told = {"loss": round(loss_sum / max(loss_steps, 1), 4)} | figures
                print(f"{bar} {json.dumps(told)}", flush=True)
                shown, loss_sum, loss_steps = time.monotonic(), 0.0, 0
            if is_over:
                return figures
            for group in optimiser.param_groups:
                group["lr"] = rate * learning_rate(share)
            batch = next(given)
            with torch.no_grad():
                heard = hidden(seen(elsewhere(energies(batch.samples), random)), random)
            loss = loss_of(net, heard, batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), _MOST_GRADIENT)
            optimiser.step()
            average.update_parameters(net)
            step, loss_sum, loss_steps = step + 1, loss_sum + loss.item(), loss_steps + 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="train the recogniser's sound model")
    parser.add_argument(
        "recordings", type=Path, nargs="+", metavar="DIR", help="of training.speech.recordings"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/sound"), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, help="stop after so many at most")
    parser.add_argument("--init", type=Path, metavar="DIR", help="folder of weights to go on from")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    try:
        recordings = Recordings(args.recordings)
    except FileNotFoundError as problem:
        folder = Path(problem.filename).parent
        told = f"{problem.filename} is not there; python -m training.speech.recordings {folder}"
        print(told, file=sys.stderr)
        return 1
    net = SoundNet(SoundConfig()) if args.init is None else load(args.init)
    sizes = asdict(net.config)
    print(f"{len(recordings)} recordings, {json.dumps(sizes)}", flush=True)
    found = train(recordings, args.out, args.minutes, net, args.rate, args.seed, args.steps)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
