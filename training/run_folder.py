"""What a training keeps in its folder, so that it can go on: written beside the old files first, then put in place.

``last.pt`` holds everything to go on from; ``weights.safetensors`` with its JSON is the moving average of the weights,
which ships; ``config.toml`` is the recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from engines.retouchgpt.checkpoint import save
from engines.retouchgpt.model import RetouchGPT
from stream_retouch.errors import MediaError, SettingsError, WeightsError

WEIGHTS = "weights.safetensors"
_STATE = "last.pt"
_RECIPE = "config.toml"


class Average:
    """Exponential moving average of parameters and buffers, which is what ships."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Moves towards the model; faster at the start, `step` 0."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value.detach(), 1 - keep)
            else:
                self.state[name].copy_(value)

    def model(self, like: RetouchGPT) -> RetouchGPT:
        """A network with the averaged weights, in eval mode."""
        averaged = RetouchGPT(like.config)
        averaged.load_state_dict(self.state)
        return averaged.to(next(like.parameters()).device).eval()


class RunFolder:
    """The folder of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, recipe_text: str, resume: bool) -> None:
        """Makes the folder and writes the recipe.

        Raises:
            SettingsError: another training lies there.
            MediaError: nothing can be written there.
        """
        there = (self.path / _STATE).exists()
        if there and not resume:
            raise SettingsError(
                f"{self.path} holds a training; go on with --resume or name another folder with --out"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / _RECIPE).write_text(recipe_text, encoding="utf-8")
        except OSError as problem:
            raise _unwritten(self.path, problem) from problem

    def load(self) -> dict[str, Any] | None:
        """What `save` wrote last; None if nothing.

        Raises:
            WeightsError: it cannot be read.
        """
        path = self.path / _STATE
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        except Exception as problem:  # torch raises whatever its unpickler does
            raise WeightsError(str(path), f"no training's state ({problem})") from problem
        return state

    def save(self, state: dict[str, Any], averaged: RetouchGPT) -> None:
        """Writes everything; what was there stays whole until all of the new is on the disk.

        Raises:
            MediaError: it could not be written, for example because the disk is full.
        """
        new, weights = self.path / "last.tmp", self.path / "new.safetensors"
        try:
            torch.save(state, new)
            save(averaged, weights)
            new.replace(self.path / _STATE)
            weights.with_suffix(".json").replace((self.path / WEIGHTS).with_suffix(".json"))
            weights.replace(self.path / WEIGHTS)
        except (OSError, RuntimeError, SafetensorError) as problem:
            for part in (new, weights, weights.with_suffix(".json")):
                part.unlink(missing_ok=True)
            raise _unwritten(self.path, problem) from problem


def _unwritten(path: Path, problem: Exception) -> MediaError:
    why = getattr(problem, "strerror", None) or str(problem).partition("\n")[0]
    return MediaError(
        str(path), f"nothing could be saved ({why}); free some space and go on with --resume"
    )
