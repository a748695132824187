"""The network in torch and the one that serves, in numpy, are one; so is what both see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engines.speech import features
from engines.speech.reader import FOLDER
from engines.speech.sound_model import WEIGHTS, SoundConfig, SoundModel
from training.speech.batched import energies, seen
from training.speech.sound_net import SoundNet
from training.speech.sound_weights import load, save


def sounds() -> np.ndarray:
    """(3, N) noise that swells."""
    noise = np.random.default_rng(4).standard_normal((3, 20_000)) * np.linspace(0.001, 0.3, 20_000)
    return noise.astype(np.float32)


def test_both_see_the_same() -> None:
    one = np.stack([features.seen(features.energies(sound)) for sound in sounds()])
    assert np.allclose(one, seen(energies(torch.from_numpy(sounds()))).numpy(), atol=2e-3)


def test_both_hear_the_same_with_the_weights_that_ship() -> None:
    with torch.inference_mode():
        batch = load(FOLDER)(seen(energies(torch.from_numpy(sounds())))).numpy()
    for sound, wanted in zip(sounds(), batch, strict=True):
        assert np.allclose(SoundModel(FOLDER).classes(sound), wanted, atol=0.05)


def test_what_ships_is_small() -> None:
    assert 1_000_000 < (FOLDER / WEIGHTS).stat().st_size < 5_000_000


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = SoundNet(SoundConfig(width=16, blocks=1))
    save(net, tmp_path, {"phone_errors": 0.5})
    assert load(tmp_path).config == net.config
    given = torch.randn(1, 30, 80)
    assert torch.allclose(load(tmp_path)(given), net.eval()(given), atol=0.02)
