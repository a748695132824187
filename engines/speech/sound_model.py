"""The sound model: which phone an utterance holds, every 30 ms.

Convolutions over bands of the mel scale, trained with connectionist temporal classification (A. Graves et al., ICML
2006). In numpy: the recogniser's process then holds a fifth of a gigabyte less than with torch, in which
``training/speech/sound_net.py`` has the same network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from engines.speech.features import BANDS, Floats, energies, seen
from engines.speech.phones import CLASSES
from stream_retouch.errors import SpeechError

WEIGHTS, ABOUT = "sound.safetensors", "sound.json"
"""Weights in fp16; sizes and figures."""
STRIDE = 3
"""Frames of the input to one of the output."""
_TINY = 1e-5


@dataclass(frozen=True, slots=True)
class SoundConfig:
    """Sizes."""

    width: int = 256
    blocks: int = 8
    kernel: int = 9
    """Output frames that one block sees."""
    expansion: int = 2


class SoundModel:
    """Weights, and what they make of an utterance."""

    def __init__(self, folder: Path) -> None:
        """Reads both files.

        Raises:
            SpeechError: one is missing, or is not of this network.
        """
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            about.pop("figures", None)
            self.config = SoundConfig(**about)
            halves = load_file(folder / WEIGHTS)
            self._weights = {name: value.astype(np.float32) for name, value in halves.items()}
            self._check()
        except (OSError, ValueError, TypeError, AttributeError, SafetensorError) as problem:
            raise SpeechError(
                f"the sound model in {folder} cannot be read; name another folder with --speech-dir "
                "or reinstall stream-retouch"
            ) from problem

    def classes(self, sound: Floats) -> Floats:
        """(ceil(T / STRIDE), CLASSES) log probabilities of (N,) samples of 16 kHz, full scale 1; T as in `energies`."""
        x = _gelu(self._begin(seen(energies(sound))))
        for i in range(self.config.blocks):
            x = x + self._block(x, f"blocks.{i}.")
        scores = self._linear(self._normed(x, "norm."), "end.")
        scores = scores - scores.max(1, keepdims=True)
        logs: Floats = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        return logs

    def _begin(self, x: Floats) -> Floats:
        kernel = self._weights["begin.weight"]  # width, BANDS, taps
        side = kernel.shape[2] // 2
        padded = np.pad(x, ((side, side), (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2], 0)[::STRIDE]
        found: Floats = views.reshape(len(views), -1) @ kernel.reshape(len(kernel), -1).T
        return found + self._weights["begin.bias"]

    def _block(self, x: Floats, name: str) -> Floats:
        taps = self._weights[f"{name}along.weight"][:, 0].T  # kernel, width
        padded = np.pad(x, ((len(taps) // 2,) * 2, (0, 0)))
        along = sum(padded[i : i + len(x)] * tap for i, tap in enumerate(taps))
        y = self._normed(along + self._weights[f"{name}along.bias"], f"{name}norm.")
        return self._linear(_gelu(self._linear(y, f"{name}wide.")), f"{name}narrow.")

    def _normed(self, x: Floats, name: str) -> Floats:
        x = x - x.mean(1, keepdims=True)
        x = x / np.sqrt((x**2).mean(1, keepdims=True) + _TINY)
        return x * self._weights[f"{name}weight"] + self._weights[f"{name}bias"]

    def _linear(self, x: Floats, name: str) -> Floats:
        found: Floats = x @ self._weights[f"{name}weight"].T + self._weights[f"{name}bias"]
        return found

    def _check(self) -> None:
        """Raises ValueError where a tensor is missing or of another shape."""
        width, wide = self.config.width, self.config.width * self.config.expansion
        wanted = {
            "begin.weight": (width, BANDS, 2 * STRIDE + 1),
            "end.weight": (CLASSES, width),
            "norm.weight": (width,),
        }
        for i in range(self.config.blocks):
            wanted |= {
                f"blocks.{i}.along.weight": (width, 1, self.config.kernel),
                f"blocks.{i}.norm.weight": (width,),
                f"blocks.{i}.wide.weight": (wide, width),
                f"blocks.{i}.narrow.weight": (width, wide),
            }
        for name, shape in wanted.items():
            bias = self._weights.get(name.replace("weight", "bias"))
            if bias is None or bias.shape != shape[:1] or self._weights[name].shape != shape:
                raise ValueError(f"{name} is not of shape {shape}")


def _gelu(x: Floats) -> Floats:
    """Its usual approximation (D. Hendrycks and K. Gimpel, 2016), as in training."""
    found: Floats = (
        0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x**3)))
    )
    return found
