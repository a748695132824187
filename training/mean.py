"""The mean of weights: ``python -m training.mean OUT FIRST=SHARE SECOND=SHARE ...``.

Trainings that began at the same weights end on different sides of them; what lies between is often better than each
(M. Wortsman and others, "Model soups", ICML 2022). All files must hold the same network; shares sum to 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError

from engines.retouchgpt.checkpoint import load, save
from engines.retouchgpt.model import RetouchGPT
from stream_retouch.errors import MediaError, SettingsError, StreamRetouchError, WeightsError


def mean(parts: Sequence[tuple[Path, float]]) -> RetouchGPT:
    """The network whose weights and statistics are the weighted mean of those of the files.

    Raises:
        SettingsError: the shares do not sum to 1.
        WeightsError: a file cannot be used, or holds another network than the first.
    """
    whole = sum(share for _, share in parts)
    if not parts or abs(whole - 1) > 1e-6:
        raise SettingsError(f"the shares sum to {whole:g}; give shares that sum to 1")
    models = [load(path) for path, _ in parts]
    for (path, _), model in zip(parts, models, strict=True):
        if model.config != models[0].config:
            remedy = f"give weights of the network of {parts[0][0]}"
            raise WeightsError(str(path), "holds another network than the first", remedy)
    states = [model.state_dict() for model in models]
    for name, value in states[0].items():  # of the model itself, not copies
        if value.is_floating_point():
            shares = [share * s[name].double() for (_, share), s in zip(parts, states, strict=True)]
            value.copy_(torch.stack(shares).sum(0))
    return models[0]


def _write(model: RetouchGPT, out: Path) -> None:
    try:
        save(model, out)
    except (OSError, SafetensorError) as problem:
        why = getattr(problem, "strerror", None) or str(problem).partition("\n")[0]
        raise MediaError(str(out), f"cannot be written ({why}); name another place") from problem


def _part(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition("=")
    if not path:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no FILE=SHARE; write such as a.safetensors=.5"
        )
    try:
        return Path(path), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"the share {share!r} is no number; write such as .5"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.mean", description=__doc__)
    parser.add_argument("out", type=Path, help="weights to write, with their JSON beside them")
    parser.add_argument("parts", type=_part, nargs="+", metavar="FILE=SHARE")
    args = parser.parse_args(argv)
    try:
        model = mean(args.parts)
        _write(model, args.out)
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
