"""How far the edit lies off the mark it removes while the head turns: ``slip_px``, pixels of a 720p frame.

A held-out person's portrait with painted moles turns in depth (`turning`). In the frames whose yaw is AT_DEG to within
NEAR_DEG, each mole's true place is the centroid of what it darkens, and the edit's place the centroid of what the
retouched frame has lighter than the frame that came in, both within WINDOW_PX of the mesh point. Moles that the filter
leaves (lightened by less than EDITED codes) have no edit that could lie off; they are counted.

``layer_slip_px`` is what smoothing alone does to the layer: how far the centroid of the layer's own strength lies from
that of the frame's own layer. A layer that covers more than the mole may lie off without being seen to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.stability.clips import spread
from benchmarks.stability.turning import HEIGHT, WIDTH, sweep
from benchmarks.stability.ways import BothWays, Parts, Step
from stream_retouch.media.affine import Affine, compose, crop_from_grid
from stream_retouch.media.edits import FLATTEN, OFFSET, Edit, edit_of
from stream_retouch.media.frames import usual_crop
from stream_retouch.media.smoothing import LayerSmoother
from training.splits import Portrait, portraits

AT_DEG, NEAR_DEG = 15.0, 2.0
PERSONS = 6
WINDOW_PX = 9
EDITED = 8.0
"""Luma codes: camera noise is far below in an edit, which is a difference of two frames with the same noise."""
CONTRAST = 60.0
"""Luma codes, of a dark mole."""
FLOOR = 0.25
"""Of the peak: what is weaker does not count for a centroid."""

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Slips:
    """Distances, pixels, one a mole and frame."""

    smoothed: list[float] = field(default_factory=list)
    per_frame: list[float] = field(default_factory=list)
    layer: list[float] = field(default_factory=list)
    left_alone: int = 0

    def figures(self) -> dict[str, float | int | None]:
        """Median and 95th percentile with smoothing, and without."""
        found: dict[str, float | int | None] = {
            "slip_moles": len(self.smoothed),
            "slip_left_alone": self.left_alone,
        }
        kinds = {"slip_px": self.smoothed, "slip_px_per_frame": self.per_frame}
        for name, values in (kinds | {"layer_slip_px": self.layer}).items():
            for part, q in (("", 50), ("_p95", 95)):
                figure = round(float(np.percentile(values, q)), 3) if values else None
                found[f"{name}{part}"] = figure
        return found


def people(shared: Path, most: int | None) -> list[Portrait]:
    """One portrait of each of a few held-out persons."""
    first = {p.person_id: p for p in reversed(portraits(shared, heldout=True))}
    return spread(list(first.values())[::-1], min(most or PERSONS, PERSONS))


def measure(persons: Sequence[Portrait], parts: Parts, tell: Callable[[int], None]) -> Slips:
    """All distances of all persons; `tell` gets the number of those done."""
    slips = Slips()
    for number, person in enumerate(persons):
        ways, smoother = BothWays(parts), LayerSmoother()
        for turned in sweep(person, number, AT_DEG, NEAR_DEG):
            step = ways.apply(turned.frame)
            if step.layers:
                raw = edit_of(step.layers[0])
                smooth = smoother.apply(raw, usual_crop(step.job.crops[0]), step.job.pts_s)
                if turned.mark_luma is not None:
                    place = step.job.subjects[0].transform
                    add(slips, turned.marks, turned.mark_luma, step)
                    add_layers(slips, turned.marks, strength(smooth, place), strength(raw, place))
        tell(number + 1)
    return slips


def add(slips: Slips, marks: NDArray[np.float64], darker: Floats, step: Step) -> None:
    """The moles of one frame: at (N, 2) `marks`, (H, W) `darker` by so much luma."""
    source = step.source.y.astype(np.float32)
    smoothed, per_frame = (p.y.astype(np.float32) - source for p in (step.smoothed, step.per_frame))
    for x, y in marks:
        truth = centroid(darker, x, y)
        with_smoothing, without = (centroid(d, x, y) for d in (smoothed, per_frame))
        if truth is None:
            continue
        if with_smoothing is None or without is None:
            slips.left_alone += 1
            continue
        slips.smoothed.append(float(np.hypot(*(with_smoothing - truth))))
        slips.per_frame.append(float(np.hypot(*(without - truth))))


def add_layers(
    slips: Slips, marks: NDArray[np.float64], smoothed: Floats, per_frame: Floats
) -> None:
    """The same of the layers' strengths, both (H, W) as `strength` gives them."""
    for x, y in marks:
        places = [centroid(layer, x, y) for layer in (smoothed, per_frame)]
        if places[0] is not None and places[1] is not None:
            slips.layer.append(float(np.hypot(*(places[0] - places[1]))))


def strength(edit: Edit, transform: Affine) -> Floats:
    """(HEIGHT, WIDTH) how strongly the layer acts at each place of the frame, about in luma codes: what it would do to
    a mark that differs from the skin by CONTRAST."""
    flatten, offset = edit.shares[FLATTEN], edit.shares[OFFSET]
    acts = (CONTRAST * flatten + np.abs(offset)).astype(np.float32)
    to_frame = compose(transform, crop_from_grid(acts.shape[0]))
    return np.asarray(cv2.warpAffine(acts, to_frame, (WIDTH, HEIGHT)), np.float32)


def centroid(change: Floats, x: float, y: float) -> NDArray[np.float64] | None:
    """(2,) x, y of the middle of a positive change near a point; None if it peaks below EDITED."""
    column, row = round(float(x)), round(float(y))
    top, left = max(row - WINDOW_PX, 0), max(column - WINDOW_PX, 0)
    near = change[top : row + WINDOW_PX + 1, left : column + WINDOW_PX + 1]
    peak = float(near.max(initial=0.0))
    if peak < EDITED:
        return None
    weight = np.maximum(near - FLOOR * peak, 0.0)
    rows, columns = np.mgrid[: near.shape[0], : near.shape[1]]
    place = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    return np.asarray(place + [left, top], np.float64)
