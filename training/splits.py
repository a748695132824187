"""Who is trained on and who is held out: the portraits with their landmarks, split by person.

Reads the folder layout of the project's shared data: ``faces/portraits/`` with ``manifest.csv``
(one row a picture) and ``landmarks.npz`` (``files``, ``landmarks`` (N, 478, 3) in pixels of the
picture).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import MediaError

HELDOUT_PERSONS: frozenset[str] = frozenset(
    f"london_{number:03d}" for number in (2, 7, 32, 44, 64, 67, 68, 69, 70, 92, 107, 127, 129, 130)
)
"""A quarter of the London persons, balanced by ethnicity and gender. Never trained on, never
averaged."""

VALIDATION_PERSONS: frozenset[str] = frozenset(
    f"london_{number:03d}" for number in (33, 66, 82, 86, 119, 120)
)
"""Persons of the London set that the retoucher is not trained on, so that settings can be chosen on them and the
held-out persons stay unseen by every choice. The face networks may learn from them."""

SOURCE_WEIGHTS: dict[str, float] = {"london": 1.0, "canada": 0.6, "congress": 0.2}
"""How often a source is drawn, per picture. London is unretouched and sharp; Congress is graded and
partly smoothed."""


ETHNICITY_WEIGHTS: dict[str, float] = {"black": 2.0, "west_asian": 1.2, "east_asian": 1.2}
"""Drawn more often than their few pictures would be, that dark skin is not learned last; others count 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One picture of one person."""

    file: Path
    """The JPEG."""
    person_id: str
    source: str
    """``london``, ``canada`` or ``congress``."""
    landmarks: NDArray[np.float32]
    """(478, 2) in pixels of the picture, x then y, in MediaPipe's order."""
    depth: NDArray[np.float32]
    """(478,) z of the landmarks in the same unit, away from the camera."""
    expression: str
    gender: str
    """As the source gives it; empty where it gives nothing, as is `ethnicity`."""
    ethnicity: str
    weight: float
    """From SOURCE_WEIGHTS."""


def portraits(shared: Path, heldout: bool) -> list[Portrait]:
    """The held-out portraits, or all the others, in the manifest's order.

    Args:
        shared: the shared data folder, which holds ``faces/portraits``.

    Raises:
        MediaError: the folder, its manifest or its landmarks are missing or do not belong together.
    """
    folder = shared / "faces" / "portraits"
    rows, points = _manifest(folder / "manifest.csv"), _landmarks(folder / "landmarks.npz")
    chosen = [row for row in rows if (row["person_id"] in HELDOUT_PERSONS) == heldout]
    lost = next((row["file"] for row in chosen if row["file"] not in points), None)
    if lost is not None:
        raise MediaError(str(folder), f"landmarks.npz does not know {lost}; copy the folder again")
    return [_portrait(folder, row, points[row["file"]]) for row in chosen]


def _manifest(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))
    except OSError as error:
        raise MediaError(str(path), "no portraits here; name their folder with --shared") from error


def _landmarks(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(path) as data:
            return {
                str(file): points.astype(np.float32)
                for file, points in zip(data["files"], data["landmarks"], strict=True)
            }
    except (OSError, KeyError, ValueError) as error:
        raise MediaError(str(path), "no landmarks here; name the folder with --shared") from error


def _portrait(folder: Path, row: dict[str, str], landmarks: NDArray[np.float32]) -> Portrait:
    source = row["person_id"].split("_")[0]
    source = source if source in SOURCE_WEIGHTS else "congress"
    return Portrait(
        file=folder / row["file"],
        person_id=row["person_id"],
        source=source,
        landmarks=landmarks[:, :2],
        depth=landmarks[:, 2],
        expression=row["expression"],
        gender=row["gender"],
        ethnicity=row["ethnicity"],
        weight=SOURCE_WEIGHTS[source],
    )
