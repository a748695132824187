"""What the sound model sees: bands of the mel scale, whatever the loudness and the microphone."""

from __future__ import annotations

import numpy as np

from engines.speech.features import BANDS, HOP, Floats, energies, seen


def tone(hz: float, samples: int = 16_000) -> Floats:
    return np.sin(np.arange(samples) * (2 * np.pi * hz / 16_000)).astype(np.float32)


def test_a_tone_is_loudest_in_the_band_of_its_frequency() -> None:
    bands = [int(energies(tone(hz))[50].argmax()) for hz in (200.0, 1000.0, 3000.0, 7000.0)]
    assert bands == sorted(set(bands)) and 0 < bands[0] and bands[-1] < BANDS


def test_there_are_a_hundred_frames_a_second() -> None:
    assert energies(np.zeros(16_000, np.float32)).shape == (16_000 // HOP + 1, BANDS)


def test_neither_loudness_nor_the_microphone_is_seen() -> None:
    energy = energies(np.random.default_rng(1).standard_normal(16_000).astype(np.float32))
    colour = np.linspace(0.2, 5.0, BANDS, dtype=np.float32) * np.float32(0.01)
    assert np.allclose(seen(energy), seen(energy * colour), atol=1e-3)


def test_silence_is_a_number() -> None:
    assert np.isfinite(seen(energies(np.zeros(4_000, np.float32)))).all()
