"""`engines.speech.features` for batches, in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.speech.features import (
    DEEPEST_DB,
    FFT,
    HOP,
    LEAST,
    SCALE_DB,
    VOICE_DB,
    filters,
    window,
)


def energies(samples: Tensor) -> Tensor:
    """(B, T, BANDS) energy of (B, N) samples of 16 kHz."""
    shape = torch.from_numpy(window())
    spectrum = torch.stft(samples, FFT, HOP, FFT, shape, return_complex=True)
    return spectrum.abs().square().transpose(1, 2) @ torch.from_numpy(filters())


def seen(energy: Tensor) -> Tensor:
    """(B, T, BANDS) input of the sound model from energies of the same shape."""
    loud = 10 * torch.log10(energy + LEAST)
    loud = loud.clamp(min=loud.amax((1, 2), keepdim=True) - DEEPEST_DB)
    frames = loud.mean(2, keepdim=True)
    voice = (frames > frames.amax(1, keepdim=True) - VOICE_DB).to(loud)
    mean = (loud * voice).sum(1, keepdim=True) / voice.sum(1, keepdim=True)
    return (loud - mean) / SCALE_DB
