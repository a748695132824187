"""Training of the sound model: a few steps on made-up sounds make it better, and are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.speech.sound_model import SoundConfig
from training.speech import recordings
from training.speech.batched import energies, seen
from training.speech.recordings import Recordings
from training.speech.sound_net import SoundNet
from training.speech.sound_weights import load
from training.speech.train import batch_of, loss_of, main, train

TONES = {1: 400.0, 2: 1200.0, 3: 3000.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty recordings, in which each phone is a tone."""
    path, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(1)
    rows, sounds = [], []
    for _ in range(40):
        phones = rng.permutation(3)[: rng.integers(1, 4)] + 1
        tones = [np.sin(np.arange(3200) * (2 * np.pi * TONES[int(p)] / 16_000)) for p in phones]
        sound = np.concatenate(tones) * 8000 + rng.normal(0, 5, 3200 * len(phones))
        sounds.append(sound.astype("<i2"))
        rows.append((len(sound), "said", phones.tolist()))
    np.concatenate(sounds).tofile(path / recordings.SAMPLES)
    (path / recordings.INDEX).write_text(json.dumps(rows))
    return path


def small() -> SoundNet:
    torch.manual_seed(1)
    return SoundNet(SoundConfig(width=32, blocks=1))


def test_a_few_steps_bring_the_loss_down_and_are_kept(folder: Path, tmp_path: Path) -> None:
    found, net = Recordings([folder]), small()
    batch = batch_of(found, range(16))
    shown = seen(energies(batch.samples))
    before = float(loss_of(net, shown, batch).detach())
    figures = train(found, tmp_path, 10.0, net, rate=4e-3, steps=40)
    assert float(loss_of(net, shown, batch).detach()) < 0.6 * before
    assert figures["steps"] == 40 and 0 <= figures["phone_errors"]
    assert load(tmp_path).config == net.config


def test_batches_are_padded_with_silence(folder: Path) -> None:
    batch = batch_of(Recordings([folder]), [0, 1, 2, 3])
    for samples, share in zip(batch.samples, batch.shares, strict=True):
        assert not samples[round(float(share) * len(samples)) :].any()
    assert float(batch.shares.max()) == 1.0


def test_a_folder_without_recordings_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "python -m training.speech.recordings" in capsys.readouterr().err
