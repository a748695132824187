"""When a detection is a face: the matching rule, and what is counted by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LANDMARKS

NEAR = 0.35
"""A detection is a face if its centre lies within so many face sizes of the oval's centre ..."""
RATIO = 1.8
"""... and its size is at most so many times the oval's, and no less than that part of it."""
COUNTED_PX = 40.0
"""Faces of at least this size make up `recall`."""
SMALLEST_PX = 24.0
"""Smaller faces count neither way."""
SIZE_BINS = (24.0, 40.0, 80.0, 160.0)

_OVAL = slice(0, len(FACE_OVAL))
_EYES = LANDMARKS.index(33), LANDMARKS.index(263)


@dataclass(frozen=True, slots=True)
class Spot:
    """A face, true or detected, by its oval turned upright."""

    x: float
    """Centre of the oval's upright box, pixels of the frame."""
    y: float
    size: float
    """Square root of that box's area, pixels."""
    roll: float | None = None
    """Radians clockwise in the picture; None where a detector does not tell."""
    score: float = 1.0
    """0..1, of a detection."""


@dataclass(slots=True)
class Tally:
    """How many of how many."""

    found: int = 0
    total: int = 0

    def add(self, found: bool) -> None:
        """One more."""
        self.found += int(found)
        self.total += 1

    @property
    def share(self) -> float:
        """0..1; 1 where there was nothing to find."""
        return self.found / self.total if self.total else 1.0

    def row(self) -> dict[str, float | int]:
        """For the JSON."""
        return {"recall": round(self.share, 4), "faces": self.total}


@dataclass(slots=True)
class Counts:
    """What one detector did in all scenes."""

    recall: Tally = field(default_factory=Tally)
    """Faces of at least COUNTED_PX."""
    groups: dict[str, Tally] = field(default_factory=dict)
    """By condition, size, roll and yaw."""
    persons: dict[str, Tally] = field(default_factory=dict)
    false: int = 0
    """Detections that are no face."""

    def add(self, found: bool, size: float, groups: Sequence[str], person: str) -> None:
        """One face that counts. Small ones count in their size's group only."""
        self.groups.setdefault(size_group(size), Tally()).add(found)
        if size < COUNTED_PX:
            return
        self.recall.add(found)
        self.persons.setdefault(person, Tally()).add(found)
        for group in groups:
            self.groups.setdefault(group, Tally()).add(found)


def size_group(size: float) -> str:
    """The size's bin, as the table names it."""
    bins = [*SIZE_BINS, None]
    at = max(int(np.searchsorted(SIZE_BINS, size, side="right")) - 1, 0)
    low, high = bins[at], bins[at + 1]
    return f"size {low:.0f}-{high:.0f} px" if high is not None else f"size {low:.0f} px and more"


def angle_group(name: str, degrees: float) -> str:
    """``yaw 15-30`` and so on, whichever way it turns."""
    size = abs(degrees)
    for low, high in ((0, 15), (15, 30), (30, 45)):
        if size < high:
            return f"{name} {low}-{high}"
    return f"{name} 45 and more"


def oval_of(points: NDArray[np.floating]) -> Spot:
    """The oval of (K, 2) landmarks, turned upright by the line through the outer eye corners."""
    across = points[_EYES[1]] - points[_EYES[0]]
    roll = float(np.arctan2(across[1], across[0]))
    c, s = np.cos(roll), np.sin(roll)
    upright = points[_OVAL] @ np.array([[c, -s], [s, c]])
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    return Spot(float(x), float(y), float(np.sqrt(np.prod(high - low))), roll)


def match(truths: Sequence[Spot], detections: Sequence[Spot]) -> list[int | None]:
    """For each truth the detection that found it; nobody is taken twice, the nearest pairs first."""
    pairs = []
    for t, truth in enumerate(truths):
        for d, seen in enumerate(detections):
            away = float(np.hypot(seen.x - truth.x, seen.y - truth.y)) / truth.size
            ratio = seen.size / truth.size
            if away <= NEAR and 1 / RATIO <= ratio <= RATIO:
                pairs.append((away, t, d))
    found: list[int | None] = [None] * len(truths)
    used: set[int] = set()
    for _, t, d in sorted(pairs):
        if found[t] is None and d not in used:
            found[t] = d
            used.add(d)
    return found


def judge(
    truths: Sequence[Spot], detections: Sequence[Spot], ignored: Sequence[bool]
) -> tuple[list[int | None], list[int]]:
    """What found each truth, and which detections are false.

    An ignored truth may take a detection that no counted one needs; it is missed by nobody.
    """
    counted = [i for i, skip in enumerate(ignored) if not skip]
    rest = [i for i, skip in enumerate(ignored) if skip]
    found: list[int | None] = [None] * len(truths)
    for i, d in zip(counted, match([truths[i] for i in counted], detections), strict=True):
        found[i] = d
    left = [d for d in range(len(detections)) if d not in found]
    taken = match([truths[i] for i in rest], [detections[d] for d in left])
    for i, at in zip(rest, taken, strict=True):
        found[i] = None if at is None else left[at]
    return found, [d for d in left if d not in found]
