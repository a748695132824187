"""The floor of noise below a voice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.speech.floor import DITHER_RMS, SNR_DB, Floor
from engines.speech.local import SAMPLE_HZ

PAUSE = SAMPLE_HZ // 2


def clip(noise_rms: float = 0.0) -> NDArray[np.int16]:
    """(N,) a second of a loud tone between two pauses, with white noise."""
    at = np.arange(SAMPLE_HZ) / SAMPLE_HZ
    tone = np.concatenate((np.zeros(PAUSE), 8000 * np.sin(2 * np.pi * 300 * at), np.zeros(PAUSE)))
    noise = np.random.default_rng(1).normal(0.0, noise_rms, len(tone))
    return np.rint(tone + noise).astype(np.int16)


def added(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """What the floor adds."""
    return Floor().under(samples).astype(np.float64) - samples


def test_the_floor_is_as_far_below_the_voice_as_it_says() -> None:
    ratio = 10 * np.log10(8000**2 / 2 / np.mean(added(clip()) ** 2))
    assert abs(ratio - SNR_DB) < 1


def test_most_of_it_is_low() -> None:
    power = np.abs(np.fft.rfft(added(clip()))) ** 2
    assert power[: len(power) // 8].sum() > 0.9 * power.sum()


def test_noise_that_is_there_counts() -> None:
    there = 2 * 8000 / np.sqrt(2) * 10 ** (-SNR_DB / 20)
    assert added(clip(there)).std() == pytest.approx(DITHER_RMS, rel=0.05)


def test_silence_gets_little_and_loudness_does_not_wrap() -> None:
    assert added(np.zeros(SAMPLE_HZ, np.int16)).std() == pytest.approx(DITHER_RMS, rel=0.05)
    loudest = np.full(SAMPLE_HZ, 32_767, np.int16)
    assert Floor().under(loudest).min() > 0


def test_two_of_them_add_the_same() -> None:
    np.testing.assert_array_equal(Floor().under(clip()), Floor().under(clip()))
