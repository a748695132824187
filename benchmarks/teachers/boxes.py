"""From a detector's own box to the oval that we count by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot


class Teacher(Protocol):
    """A detector in a row beside ours."""

    name: str

    def find(self, bgr: NDArray[np.uint8]) -> list[Spot]:
        """Faces in a (H, W, 3) BGR picture, by our oval."""
        ...


@dataclass(frozen=True, slots=True)
class BoxMapping:
    """Constants of one detector, medians over the portraits that are not held out."""

    down: float
    """From the box's centre towards the chin to the oval's centre, in box sizes (root of the area)."""
    scale: float
    """Size of the oval over size of the box."""

    def spot(
        self, box: tuple[float, float, float, float], roll: float | None, score: float
    ) -> Spot:
        """The oval of a box (x, y, width, height); `roll` radians clockwise, None counts as upright."""
        x, y, width, height = box
        size = float(np.sqrt(max(width * height, 0.0)))
        lean = roll or 0.0
        return Spot(
            float(x + width / 2 - np.sin(lean) * self.down * size),
            float(y + height / 2 + np.cos(lean) * self.down * size),
            self.scale * size,
            roll,
            score,
        )


def measured(box: Spot, truth: Spot) -> BoxMapping:
    """What the constants would be for this one face; `box` as the mapping (0, 1) gives it."""
    lean = truth.roll or 0.0
    down = (truth.y - box.y) * np.cos(lean) - (truth.x - box.x) * np.sin(lean)
    return BoxMapping(float(down) / box.size, truth.size / box.size)
