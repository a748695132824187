"""The region maps of one face from frame to frame, kept while the face hardly changes its shape.

Drawing them takes a millisecond of every frame, and a face that looks at its camera stays much the
same in crop coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.regions import FaceMaps, face_maps

MOVED_PX = 0.6
"""Crop pixels by which a landmark may have moved to the side, or up or down, before the maps are drawn
again. A cell is 8 px; on the borders of regions kept maps differ from new ones by up to 0.3, by 0.1
on the average, and the smoothing of edits spreads that step over several frames."""


class MapMemory:
    """Remembers the latest maps. One thread at a time."""

    def __init__(self) -> None:
        self._maps: FaceMaps | None = None
        self._shape: NDArray[np.float64] = np.empty((0, 2))
        self._skin: NDArray[np.float32] | None = None

    def of(self, shape: NDArray[np.float64], skin: NDArray[np.float32] | None) -> FaceMaps:
        """As `face_maps`; the very maps of the last call while no landmark has moved by MOVED_PX since
        they were drawn.

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
