"""What the sound model sees of an utterance: the energy in bands of the mel scale, in decibels.

In numpy, as `engines.speech.sound_model` is; ``training/speech/batched.py`` does the same to batches in torch.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engines.speech.local import SAMPLE_HZ

BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
HOP = 160
"""Samples from one frame to the next: 100 frames a second."""
WINDOW, FFT = 400, 512
DEEPEST_DB = 60.0
"""Below the loudest band of the utterance nothing counts: Opus makes pauses more silent than any room."""
VOICE_DB = 30.0
"""Frames so far below the loudest one are no voice."""
SCALE_DB = 15.0
LEAST = 1e-10
"""Energy of digital silence."""
Floats = NDArray[np.float32]


def energies(samples: Floats) -> Floats:
    """(T, BANDS) energy of (N,) samples of 16 kHz, full scale 1, a frame every HOP samples; N is at least FFT."""
    padded = np.pad(samples, FFT // 2, mode="reflect")
    spectrum = np.fft.rfft(sliding_window_view(padded, FFT)[::HOP] * window())
    return (np.abs(spectrum) ** 2).astype(np.float32) @ filters()


def seen(energy: Floats) -> Floats:
    """(T, BANDS) input of the sound model from energies of the same shape: what the microphone adds is taken out.

    That is the mean of each band over the frames that are voice.
    """
    loud = 10 * np.log10(energy + LEAST)
    loud = np.maximum(loud, loud.max() - DEEPEST_DB)
    frames = loud.mean(1)
    mean = loud[frames > frames.max() - VOICE_DB].mean(0)
    found: Floats = ((loud - mean) / SCALE_DB).astype(np.float32)
    return found


def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies on the mel scale (S. Stevens et al., 1937; as HTK writes it)."""
    return 1127.0 * np.log1p(hz / 700.0)


def edges() -> NDArray[np.float64]:
    """(BANDS + 2,) mel: where bands begin, have their middle and end, each two further than the one before."""
    low, high = mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    return np.linspace(low, high, BANDS + 2)


@cache
def window() -> Floats:
    """(FFT,) Hann's, of WINDOW samples, in the middle."""
    side = (FFT - WINDOW) // 2
    return np.pad(np.hanning(WINDOW), side).astype(np.float32)


@cache
def filters() -> Floats:
    """(FFT // 2 + 1, BANDS) triangles."""
    at = mel(np.linspace(0, SAMPLE_HZ / 2, FFT // 2 + 1))[:, None]
    points = edges()
    up = (at - points[:-2]) / (points[1:-1] - points[:-2])
    down = (points[2:] - at) / (points[2:] - points[1:-1])
    return np.maximum(np.minimum(up, down), 0).astype(np.float32)
