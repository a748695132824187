"""One voice, as other throats, rooms and microphones would have made it: changes of its energies in mel bands.

All of it happens on energies, (B, T, BANDS), so that an utterance is transformed once however often it is heard.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.speech.features import BANDS, edges

SLOWEST, FASTEST = 0.85, 1.2
UNEVEN = 0.3
"""Standard deviation of the pace's natural logarithm within an utterance."""
SHORTEST, LONGEST = 0.82, 1.22
"""Of the vocal tract: factors on frequencies (N. Jaitly and G. Hinton, 2013, "Vocal tract length perturbation")."""
ECHOING, LONGEST_RT60_S = 0.5, 0.7
"""Share of utterances in a room, and how long its echo takes to fall by 60 dB."""
NOISY, LEAST_SNR_DB, MOST_SNR_DB = 0.7, 5.0, 40.0
TILT_DB = 8.0
"""Standard deviation of the microphone's slope and bend over all bands."""
MOST_BLUR = 0.3
"""Share of its energy that a band gives to each neighbour, at most: harmonics tell voices apart, not phones."""
_PACE_WAVES = 6
_HIDDEN_BANDS, _HIDDEN_FRAMES = 12, 8
_SPECKLE = 3.0
"""Shape of the gamma distribution of noise in a band and frame: the samples of the spectrum that it sums."""


def elsewhere(energy: Tensor, random: torch.Generator) -> Tensor:
    """(B, T', BANDS) the utterances elsewhere, from (B, T, BANDS); T' is one for all."""
    energy = _at_pace(energy, random)
    energy = torch.stack([_throat(one, random) for one in energy])
    energy = _blurred(energy, random)
    energy = _room(energy, random)
    energy = _noise(energy, random)
    return energy * _microphone(len(energy), random)


def hidden(seen: Tensor, random: torch.Generator) -> Tensor:
    """The input of the sound model with a few bands and moments at their mean (D. Park et al., 2019, SpecAugment)."""
    shown = torch.ones_like(seen)
    for one in shown:
        for _ in range(2):
            width, begin = _whole(_HIDDEN_BANDS + 1, random), _whole(BANDS, random)
            one[:, begin : begin + width] = 0
            width, begin = _whole(_HIDDEN_FRAMES + 1, random), _whole(seen.shape[1], random)
            one[begin : begin + width] = 0
    return seen * shown


def _at_pace(energy: Tensor, random: torch.Generator) -> Tensor:
    """Faster or slower as a whole, and now and then within: people's pace is less even than a machine's."""
    count, before, _ = energy.shape
    frames = round(before / _between(SLOWEST, FASTEST, random))
    waves = torch.arange(1, _PACE_WAVES + 1)
    sizes = torch.randn(count, _PACE_WAVES, 1, generator=random) * UNEVEN / _PACE_WAVES**0.5
    begins = torch.rand(count, _PACE_WAVES, 1, generator=random)
    turns = waves[:, None] * torch.linspace(0, 1, frames) + begins
    passed = torch.exp((sizes * torch.sin(2 * torch.pi * turns)).sum(1)).cumsum(1)
    at = (passed - passed[:, :1]) / (passed[:, -1:] - passed[:, :1]) * (before - 1)
    below = at.floor().long().clamp(max=before - 2)
    share = (at - below)[..., None]
    rows = torch.arange(count)[:, None]
    return energy[rows, below] * (1 - share) + energy[rows, below + 1] * share


def _throat(energy: Tensor, random: torch.Generator) -> Tensor:
    factor = _between(SHORTEST, LONGEST, random)
    middles = torch.from_numpy(edges()[1:-1]).float()
    hz = 700.0 * torch.expm1(middles / 1127.0) * factor
    at = (1127.0 * torch.log1p(hz / 700.0) - middles[0]) / (middles[1] - middles[0])
    at = at.clamp(0, BANDS - 1)
    below = at.floor().long().clamp(max=BANDS - 2)
    share = at - below
    return energy[:, below] * (1 - share) + energy[:, below + 1] * share


def _blurred(energy: Tensor, random: torch.Generator) -> Tensor:
    share = MOST_BLUR * torch.rand(len(energy), 1, 1, generator=random)
    share = share * (torch.rand(len(energy), 1, 1, generator=random) < 0.5)
    padded = torch.nn.functional.pad(energy, (1, 1), mode="replicate")
    return energy * (1 - 2 * share) + (padded[..., :-2] + padded[..., 2:]) * share


def _room(energy: Tensor, random: torch.Generator) -> Tensor:
    frames = 50
    after = torch.arange(1, frames + 1) / 100.0
    kernels = torch.zeros(len(energy), 1, frames + 1)
    kernels[:, 0, -1] = 1
    for kernel in kernels:
        if float(torch.rand((), generator=random)) < ECHOING:
            rt60 = _between(0.1, LONGEST_RT60_S, random)
            share = 10 ** (_between(-25, -8, random) / 10)
            kernel[0, :-1] = (share * 10 ** (-6 * after / rt60)).flip(0)
    padded = torch.nn.functional.pad(energy.permute(2, 0, 1), (frames, 0))  # BANDS, B, T
    return torch.nn.functional.conv1d(padded, kernels, groups=len(energy)).permute(1, 2, 0)


def _noise(energy: Tensor, random: torch.Generator) -> Tensor:
    count, frames, _ = energy.shape
    shape = _microphone(count, random, 3 * TILT_DB)
    speckle = torch.zeros(count, frames, BANDS)
    for _ in range(round(_SPECKLE)):
        speckle -= torch.log(torch.rand(speckle.shape, generator=random) + 1e-9) / _SPECKLE
    noise = shape * speckle
    loudest = energy.sum(2).quantile(0.9, 1)
    snr = LEAST_SNR_DB + (MOST_SNR_DB - LEAST_SNR_DB) * torch.rand(count, generator=random)
    share = 10 ** (-snr / 10) * (torch.rand(count, generator=random) < NOISY)
    gain = loudest / noise.sum(2).mean(1) * share
    return energy + noise * gain[:, None, None]


def _microphone(count: int, random: torch.Generator, strength_db: float = TILT_DB) -> Tensor:
    """(count, 1, BANDS) factors: a slope, a bend and a wave over the bands."""
    at = torch.linspace(-1, 1, BANDS)
    curves = torch.stack([at, 1.5 * at**2 - 0.5, torch.sin(3 * at), torch.cos(5 * at)])
    sizes = torch.randn(count, 4, generator=random) * strength_db * torch.tensor([1, 0.6, 0.3, 0.3])
    return 10 ** ((sizes @ curves)[:, None] / 10)


def _between(low: float, high: float, random: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=random))


def _whole(count: int, random: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=random))
