"""The One-Euro filter: steady when still, quick when moving (Casiez, Roussel and Vogel, CHI
2012)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

SPEED_CUTOFF_HZ = 1.5
"""Cut-off of the low pass on the speed itself."""


class OneEuro:
    """Smooths rows of numbers; each row (a point, or all parameters of a pose) has one speed and
    one cut-off.

    Args:
        still_hz: cut-off when nothing moves; lower is steadier.
        per_unit: Hz added for each unit per second of speed. When a row moves steadily it lags by
            about
            1 / (2 pi per_unit) units, so this bounds the slip.
    """

    def __init__(self, still_hz: float, per_unit: float) -> None:
        self._still_hz, self._per_unit = still_hz, per_unit
        self._last: Rows | None = None
        self._rate: Rows | None = None

    def reset(self) -> None:
        """Forgets everything; the next rows pass as they are."""
        self._last = self._rate = None

    def __call__(self, rows: Rows, dt_s: float, unit: float = 1.0) -> Rows:
        """The smoothed rows.

        Args:
            rows: (N, D).
            dt_s: seconds since the last call, more than 0.
            unit: length of one unit in the rows' own measure.
        """
        if self._last is None or self._rate is None:
            self._last, self._rate = rows, np.zeros_like(rows)
            return rows
        rate = (rows - self._last) / (dt_s * unit)
        self._rate = self._rate + _share(SPEED_CUTOFF_HZ, dt_s) * (rate - self._rate)
        speed = np.linalg.norm(self._rate, axis=1, keepdims=True)
        cutoff = self._still_hz + self._per_unit * speed
        turn = 2 * math.pi * cutoff * dt_s
        self._last = self._last + turn / (1 + turn) * (rows - self._last)
        return self._last


def _share(cutoff_hz: float, dt_s: float) -> float:
    """How far a first-order low pass goes towards a new value in one step."""
    turn = 2 * math.pi * cutoff_hz * dt_s
    return turn / (1 + turn)
