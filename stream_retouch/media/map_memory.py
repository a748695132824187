"""The region maps of one face from frame to frame, drawn anew only where that would show.

Drawing them takes a millisecond of every frame, and a face that looks at its camera hardly changes
its shape in crop coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.regions import FaceMaps, face_maps

MOVED_PX = 0.6
"""Crop pixels by which a landmark may have moved before the maps are drawn again: a thirteenth of
one of their cells."""


class MapMemory:
    """Remembers the latest maps. One thread at a time."""

    def __init__(self) -> None:
        self._maps: FaceMaps | None = None
        self._shape: NDArray[np.float64] = np.empty((0, 2))
        self._skin: NDArray[np.float32] | None = None

    def of(self, shape: NDArray[np.float64], skin: NDArray[np.float32] | None) -> FaceMaps:
        """As `face_maps`; the very maps of the last call while nothing that they show has changed.

        Args:
            shape: (K, 2) landmarks in crop pixels.
            skin: as there; other evidence is another array.
        """
        if (
            self._maps is None
            or skin is not self._skin
            or float(np.abs(shape - self._shape).max()) > MOVED_PX
        ):
            self._maps, self._shape, self._skin = face_maps(shape, skin), shape, skin
        return self._maps
