"""A floor of noise below a voice: Opus returns near silence in pauses, on which the recogniser does worse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.speech.local import SAMPLE_HZ

SNR_DB = 25.0
"""The floor is so far below the voice: tried on sentences that are in no test, where 15 and 18 did worse."""
DITHER_RMS = 20.0
"""White noise beside it, for the high bands, of 32,767: tried likewise, where 5 and 80 did worse."""
_CORNER_HZ = 80.0
"""Above it the floor falls by 6 dB an octave, as a room's noise does."""
_LOUD = 0.02
"""Samples above this share of the loudest one are the voice."""
_FRAME = SAMPLE_HZ // 40
"""Samples of the frames in which the noise that is there already is looked for."""
_QUIET = 0.1
"""The quietest share of the frames holds noise only."""


class Floor:
    """Adds the noise; two objects add the same to the same clips."""

    def __init__(self) -> None:
        """Seeds the noise."""
        self._rng = np.random.default_rng(0)

    def under(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """(N,) samples with noise at the floor; what is there already counts. At least _FRAME samples."""
        noise = self._rng.normal(0.0, DITHER_RMS, len(samples))
        wanted = _voice(samples) * 10 ** (-SNR_DB / 10)
        lacking = max(wanted - _noise(samples), 0.0)
        noise += np.sqrt(lacking) * _low(self._rng, len(samples))
        return np.clip(np.rint(samples + noise), -32_768, 32_767).astype(np.int16)


def _voice(samples: NDArray[np.int16]) -> float:
    """Mean power of the loud samples."""
    power = samples.astype(np.float64) ** 2
    return float(power[power >= _LOUD**2 * power.max()].mean())


def _noise(samples: NDArray[np.int16]) -> float:
    """Power of the quiet frames."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return float(np.quantile(frames.astype(np.float64).var(axis=1), _QUIET))


def _low(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(count,) noise of power 1, most of it low."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.hypot(1.0, np.fft.rfftfreq(count, 1 / SAMPLE_HZ) / _CORNER_HZ)
    low = np.fft.irfft(spectrum, count)
    return np.asarray(low / low.std())
