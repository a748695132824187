"""The sound model's weights from torch to the files that `engines.speech.sound_model` reads, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import float32

from engines.speech.sound_model import ABOUT, WEIGHTS, SoundModel
from training.speech.sound_net import SoundNet


def save(net: SoundNet, folder: Path, figures: Mapping[str, float]) -> None:
    """Writes both files; the weights whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    halves = {name: value.half().contiguous() for name, value in net.state_dict().items()}
    part = folder / f"{WEIGHTS}.part"
    save_file(halves, part)
    part.replace(folder / WEIGHTS)
    about = {**asdict(net.config), "figures": dict(figures)}
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> SoundNet:
    """The network in a folder.

    Raises:
        SpeechError: a file is missing, or is not of this network.
    """
    net = SoundNet(SoundModel(folder).config)
    halves = load_file(folder / WEIGHTS)
    net.load_state_dict({name: value.to(float32) for name, value in halves.items()})
    return net.eval()
