"""How much of a change a returned picture shows.

The clip repeats, so the same frame of it is known under the look before and under the look after.
A returned frame lies between the two: its level is its share of the way, by projection on their
difference, over the cells of the picture that change. 0 is the look before, 1 the one after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float16]
CELL = 8
"""Side of a cell, pixels: single code values of noise average out, a change of a face does not."""
CHANGING = 0.25
"""Cells whose mean change is at least this share of the greatest (99.9th percentile) count."""
NEIGHBOURS = 4
"""The change of a frame is the mean of that of so many frames before and after it: the face moves by
less than a cell meanwhile, and the codec's noise averages out. Not of the frame itself, whose noise
would count as change."""


def cells(frame: Any) -> Cells:
    """Means over cells of Y, Cb and Cr of a yuv420p frame: (3, H // CELL, W // CELL)."""
    size = (frame.width // CELL, frame.height // CELL)
    found = []
    for plane in frame.planes[:3]:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        whole = rows[: plane.height, : plane.width].astype(np.float32)
        found.append(cv2.resize(whole, size, interpolation=cv2.INTER_AREA))
    return np.stack(found).astype(np.float16)


class Looks:
    """Every frame of the clip under every look, as means of what came back."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], tuple[NDArray[np.float32], int]] = {}

    def add(self, look: str, number: int, picture: Cells) -> None:
        """One returned frame of a steady look; `number` is its place in the clip."""
        whole, count = self._sums.get((look, number), (np.zeros(picture.shape, np.float32), 0))
        self._sums[look, number] = whole + picture, count + 1

    def frame(self, look: str, number: int) -> NDArray[np.float32] | None:
        """That frame of the clip under that look; None when it never came back."""
        found = self._sums.get((look, number))
        return None if found is None else found[0] / np.float32(found[1])

    def numbers(self) -> set[int]:
        """Frames of the clip that are known under any look."""
        return {number for _, number in self._sums}


class Change:
    """From one look to another."""

    def __init__(self, looks: Looks, before: str, after: str) -> None:
        starts: dict[int, NDArray[np.float32]] = {}
        steps: dict[int, NDArray[np.float32]] = {}
        for number in looks.numbers():
            start, end = looks.frame(before, number), looks.frame(after, number)
            if start is not None and end is not None:
                starts[number], steps[number] = start, end - start
        self._ends: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        for number, start in starts.items():
            near = [steps[n] for n in _around(number) if n in steps]
            if near:
                self._ends[number] = start, np.mean(near, axis=0)
        self._where = _changing(list(steps.values()))

    def level(self, number: int, picture: Cells) -> float | None:
        """The share of the change that this returned frame shows; None when its place in the clip
        is not known under both looks."""
        if number not in self._ends:
            return None
        start, step = self._ends[number]
        way = step[:, self._where]
        length = float((way**2).sum())
        gone = picture.astype(np.float32)[:, self._where] - start[:, self._where]
        return float((gone * way).sum()) / length if length else 0.0

    def codes(self) -> float:
        """Mean change of the cells that count, code values, summed over Y, Cb and Cr."""
        steps = [np.abs(step[:, self._where]).sum(0).mean() for _, step in self._ends.values()]
        return float(np.mean(steps)) if steps else 0.0


def _around(number: int) -> Iterator[int]:
    for away in range(1, NEIGHBOURS + 1):
        yield from (number - away, number + away)


def _changing(steps: Sequence[NDArray[np.float32]]) -> NDArray[np.bool_]:
    """(rows, columns): where the frames of the clip change, on the mean, in which noise is gone."""
    if not steps:
        return np.zeros((0, 0), np.bool_)
    mean = np.abs(np.mean(steps, axis=0)).sum(0)
    return np.asarray(mean >= max(CHANGING * float(np.percentile(mean, 99.9)), 1e-6))
