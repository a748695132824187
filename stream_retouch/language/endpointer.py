"""Where a spoken instruction begins and ends: from the button pressed to the voice fallen silent after its release.

Pure: time is counted in samples, so the same blocks give the same utterance at any speed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_HZ = 16_000
"""Samples a second of everything here; mono, 16 bits."""
MAX_UTTERANCE_S = 20.0
"""Longest utterance, seconds: what is said later is not heard."""
TAIL_S = 0.6
"""Longest time that is still listened to once the button is let go, seconds."""
HUSH_S = 0.2
"""Silence that ends the tail, seconds."""
FAINTEST_RMS = 60.0
"""Root mean square of a block, in steps of 16 bits, below which nobody speaks."""
OVER_FLOOR = 3.0
"""How much louder than the quietest part of an utterance a voice is."""
_PIECE = SAMPLE_HZ // 50


class Endpointer:
    """Collects one utterance at a time."""

    def __init__(self, max_s: float = MAX_UTTERANCE_S) -> None:
        self._most = round(max_s * SAMPLE_HZ)
        self._blocks: list[NDArray[np.int16]] = []
        self._levels: list[float] = []
        self._size = 0
        self._released_at: int | None = None
        self._open = False

    @property
    def collecting(self) -> bool:
        """Whether an utterance is under way: the button is held, or its tail is awaited."""
        return self._open

    @property
    def seconds(self) -> float:
        """Length of what was collected so far."""
        return self._size / SAMPLE_HZ

    def press(self) -> None:
        """The button is held down: a new utterance begins; one under way is dropped."""
        self._blocks, self._levels, self._size = [], [], 0
        self._released_at, self._open = None, True

    def release(self) -> None:
        """The button is let go: the utterance ends with the voice, at most TAIL_S later."""
        if self._open and self._released_at is None:
            self._released_at = self._size

    def push(self, block: NDArray[np.int16]) -> NDArray[np.int16] | None:
        """Takes (N,) samples; gives the whole utterance, (M,), when they end it."""
        if not self._open:
            return None
        block = block[: self._most - self._size]
        self._blocks.append(block)
        self._size += len(block)
        self._levels += [_rms(block[i : i + _PIECE]) for i in range(0, len(block), _PIECE)]
        if self._size >= self._most or self._tail_is_over():
            return self.finish()
        return None

    def so_far(self) -> NDArray[np.int16]:
        """(N,) what was collected, for a first guess at the words."""
        return np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int16)

    def has_voice(self) -> bool:
        """Whether anything in it is louder than its own quietest part and than FAINTEST_RMS."""
        return bool(self._levels) and max(self._levels) > self._voice_rms()

    def finish(self) -> NDArray[np.int16] | None:
        """Ends the utterance now; (N,) its samples, empty when nobody spoke, None when none was under way."""
        if not self._open:
            return None
        self._open = False
        return self.so_far() if self.has_voice() else np.zeros(0, np.int16)

    def cancel(self) -> None:
        """Forgets the utterance."""
        self._open = False
        self._blocks, self._levels, self._size = [], [], 0

    def _tail_is_over(self) -> bool:
        if self._released_at is None:
            return False
        tail = self._size - self._released_at
        if tail >= TAIL_S * SAMPLE_HZ:
            return True
        hush = round(HUSH_S * SAMPLE_HZ / _PIECE)
        quiet = tail >= HUSH_S * SAMPLE_HZ
        return quiet and max(self._levels[-hush:]) <= self._voice_rms()

    def _voice_rms(self) -> float:
        return max(FAINTEST_RMS, OVER_FLOOR * float(np.percentile(self._levels, 10)))


def _rms(piece: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(np.square(piece, dtype=np.float64)))) if len(piece) else 0.0
