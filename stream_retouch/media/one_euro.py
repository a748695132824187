"""The One-Euro filter: steady when still, quick when moving (Casiez, Roussel and Vogel, CHI
2012), and never further behind than it is told."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

SPEED_CUTOFF_HZ = 1.0
"""Cut-off of the low pass on the speed itself."""


class OneEuro:
    """Smooths rows of numbers; each row (a point, or an axis of a pose) has one speed and one
    cut-off.

    Args:
        still_hz: cut-off when nothing moves; lower is steadier.
        per_unit: Hz added for each unit per second of speed. When a row moves steadily it lags by
            about 1 / (2 pi per_unit) units.
        quiet: speed in units per second that noise alone makes; it adds nothing to the cut-off.
    """

    def __init__(self, still_hz: float, per_unit: float, quiet: float = 0.0) -> None:
        self._still_hz, self._per_unit, self._quiet = still_hz, per_unit, quiet
        self._last: Rows | None = None
        self._rate: Rows | None = None

    @property
    def rate(self) -> Rows | None:
        """(N, D) smoothed speed of the rows, units per second; None before the first rows.

        It is measured from the smoothed row before, so that adding one step of it to a smoothed
        row of a steady motion gives the next row itself, without the lag.
        """
        return self._rate

    def reset(self) -> None:
        """Forgets everything; the next rows pass as they are."""
        self._last = self._rate = None

    def __call__(self, rows: Rows, dt_s: float, unit: float = 1.0, slip: float = math.inf) -> Rows:
        """The smoothed rows.

        Args:
            rows: (N, D).
            dt_s: seconds since the last call, more than 0.
            unit: length of one unit in the rows' own measure.
            slip: how far a smoothed row may lie from the row given, in the rows' own measure. It
                bounds the lag whatever the motion, a start from rest included.
        """
        if self._last is None or self._rate is None:
            self._last, self._rate = rows, np.zeros_like(rows)
            return rows
        rate = (rows - self._last) / (dt_s * unit)
        self._rate = self._rate + _share(SPEED_CUTOFF_HZ, dt_s) * (rate - self._rate)
        speed = np.sqrt((self._rate * self._rate).sum(axis=1, keepdims=True))
        cutoff = self._still_hz + self._per_unit * np.maximum(speed - self._quiet, 0.0)
        turn = 2 * math.pi * cutoff * dt_s
        behind = (rows - self._last) / (1 + turn)
        if slip < math.inf:
            far = np.sqrt((behind * behind).sum(axis=1, keepdims=True))
            behind *= slip / np.maximum(far, slip)
        self._last = rows - behind
        return self._last


def _share(cutoff_hz: float, dt_s: float) -> float:
    """How far a first-order low pass goes towards a new value in one step."""
    turn = 2 * math.pi * cutoff_hz * dt_s
    return turn / (1 + turn)
