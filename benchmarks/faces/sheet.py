"""The contact sheet of the worst cases: faces that were missed, and what was taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot

CELL = (400, 225)
"""Width and height."""
COLUMNS = 4
MISSED, FALSE = 16, 8
"""Most cells of each kind."""
RED, GREEN, ORANGE = (60, 60, 255), (90, 220, 90), (40, 170, 255)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One cell."""

    weight: float
    """The greatest are shown: the size of the face, or how sure the finder was."""
    label: str
    cell: NDArray[np.uint8]
    """CELL, BGR, frames drawn."""


def case(
    bgr: NDArray[np.uint8],
    weight: float,
    label: str,
    frames: Sequence[tuple[Spot, tuple[int, int, int]]],
) -> Case:
    """A picture shrunk to a cell, with a frame around each spot."""
    height, width = bgr.shape[:2]
    scale = min(CELL[0] / width, CELL[1] / height)
    size = round(width * scale), round(height * scale)
    cell = np.zeros((CELL[1], CELL[0], 3), np.uint8)
    cell[: size[1], : size[0]] = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    for spot, colour in frames:
        at = round(spot.x * scale), round(spot.y * scale)
        half = max(4, round(0.62 * spot.size * scale))
        cv2.rectangle(cell, (at[0] - half, at[1] - half), (at[0] + half, at[1] + half), colour, 2)
    cv2.rectangle(cell, (0, CELL[1] - 15), (CELL[0], CELL[1]), (0, 0, 0), -1)
    where = (4, CELL[1] - 4)
    cv2.putText(cell, label, where, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
    return Case(weight, label, cell)


def write(path: Path, missed: Sequence[Case], false: Sequence[Case]) -> bool:
    """Writes the sheet, the greatest first; nothing and False if there is no case."""
    chosen = [
        *sorted(missed, key=lambda c: -c.weight)[:MISSED],
        *sorted(false, key=lambda c: -c.weight)[:FALSE],
    ]
    if not chosen:
        return False
    cells = [c.cell for c in chosen]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    return bool(cv2.imwrite(str(path), np.vstack(rows)))
