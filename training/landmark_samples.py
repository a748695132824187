"""Endless augmented samples for the landmarker, from still portraits with 3-D landmarks.

A portrait's face moves (`face_motion`), takes on a little of another's build, turns (`face_turn`),
gets something before it (`face_covers`) and is seen by a bad webcam (`crop_camera`), twice, so that
training can ask for the same answer. A part of the samples holds no face (`not_faces`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.regions import MIRROR
from training.crop_camera import conditions, photograph
from training.face_covers import covered
from training.face_motion import expression
from training.face_relief import Luma, Source
from training.face_turn import SIZE, Turn, render
from training.not_faces import Backdrops

NEGATIVE_SHARE = 0.22
CALM_SHARE = 0.35
"""Faces that look at the screen, in a decent picture: the tracker sees little else."""
MOST_HIDDEN = 0.6
"""A face of which more is covered is not drawn: nobody could say whether it counts as one."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One crop. `points` and `visible` mean nothing where `face` is False."""

    luma: Luma
    """(SIZE, SIZE)."""
    points: NDArray[np.float32]
    """(K, 2) in crop pixels; hidden ones lie where they would be seen."""
    visible: Bools
    """(K,) not behind a thing, the head or the frame's edge."""
    face: bool


class Sampler:
    """Draws samples from portraits; the seed fixes everything."""

    def __init__(self, sources: list[Source], seed: int) -> None:
        self._sources = sources
        self._rng = np.random.default_rng(seed)
        self._backdrops = Backdrops(sources, self._rng)

    def draw(self) -> Sample:
        """One sample."""
        return self.draw_twice()[0]

    def draw_twice(self) -> tuple[Sample, Sample, bool]:
        """One crop twice, and whether one camera saw it in two frames, or two cameras did."""
        rng = self._rng
        calm = rng.random() < CALM_SHARE
        luma, points, visible, face = self._scene(calm)
        if rng.random() < 0.5:
            luma = luma[:, ::-1]
            points = points[MIRROR] * [-1, 1] + [SIZE - 1, 0]
            visible = visible[MIRROR]
        first = conditions(rng, calm)
        steady = rng.random() < 0.5
        second = first if steady else conditions(rng, calm)
        placed = points.astype(np.float32)
        one, two = (
            Sample(photograph(luma, seen, rng), placed, visible, face) for seen in (first, second)
        )
        return one, two, steady

    def plain(self, source: Source) -> Sample:
        """A portrait as the tracker would see it: upright but for a few degrees, nothing else done
        to it."""
        rng = self._rng
        roll, scale, shift = rng.normal(0, 4), rng.normal(1, 0.04), rng.normal(0, 0.015, 2) * SIZE
        turn = Turn(0.0, 0.0, roll, scale, (float(shift[0]), float(shift[1])))
        face = render(source, turn)
        return Sample(face.luma, face.points.astype(np.float32), ~face.hidden, True)

    def turned(self, source: Source, yaw: float) -> Sample:
        """As `plain`, turned by `yaw` degrees."""
        rng = self._rng
        shift = rng.normal(0, 0.015, 2) * SIZE
        turn = Turn(
            yaw, rng.normal(0, 4), rng.normal(0, 4), 1.0, (float(shift[0]), float(shift[1]))
        )
        face = render(source, turn)
        return Sample(face.luma, face.points.astype(np.float32), ~face.hidden, True)

    def _source(self) -> Source:
        return self._sources[self._rng.integers(len(self._sources))]

    def _scene(self, calm: bool) -> tuple[Luma, Floats, Bools, bool]:
        if self._rng.random() < NEGATIVE_SHARE:
            nothing = np.zeros(len(LOOSE_POINTS), np.bool_)
            return self._backdrops.negative(), LOOSE_POINTS, nothing, False
        while True:
            luma, points, visible = self._face(calm)
            if np.mean(visible) > 1 - MOST_HIDDEN:
                return luma, points, visible, True

    def _face(self, calm: bool) -> tuple[Luma, Floats, Bools]:
        rng, source = self._rng, self._source()
        moved = expression(source.mesh[:, :2], rng) if rng.random() < 0.7 else None
        shape = rng.uniform(0.0, 0.7) * (self._source().head - source.head)
        mouth = (rng.uniform(8, 60), rng.uniform(15, 110))
        if rng.random() < 0.35:  # teeth
            mouth = (rng.uniform(110, 220), rng.uniform(10, 60))
        face = render(source, self._turn(calm), moved, shape if rng.random() < 0.6 else None, mouth)
        luma, points, visible = face.luma, face.points, ~face.hidden
        if rng.random() < 0.35:
            luma = self._backdrops.behind(luma, face.mesh)
        if not calm and rng.random() < 0.6:
            luma, hidden = covered(luma, points, self._backdrops.texture, rng)
            visible = visible & ~hidden
        if not calm and rng.random() < 0.16:
            luma, lost = _cut(luma, points, rng)
            visible = visible & ~lost
        return luma, points, visible & (points > -0.5).all(1) & (points < SIZE - 0.5).all(1)

    def _turn(self, calm: bool) -> Turn:
        """About frontal and well placed, as when following, if calm; else as when acquiring too."""
        rng = self._rng
        hard = 0.0 if calm else rng.random()
        if hard < 0.4:
            roll, scale, shift = rng.normal(0, 5), rng.normal(1, 0.045), rng.normal(0, 0.02, 2)
        elif hard < 0.87:
            roll, scale = rng.uniform(-24, 24), np.exp(rng.uniform(-0.27, 0.27))
            shift = rng.uniform(-0.11, 0.11, 2)
        else:
            roll, scale = rng.uniform(-45, 45), np.exp(rng.uniform(-0.3, 0.3))
            shift = rng.uniform(-0.13, 0.13, 2)
        kind = 0.0 if calm else rng.random()
        yaw = rng.normal(0, 6) if kind < 0.3 else rng.uniform(-36, 36)
        yaw = rng.uniform(-52, 52) if kind > 0.78 else yaw
        pitch = rng.uniform(-25, 25) if kind > 0.0 and rng.random() < 0.5 else rng.normal(0, 5)
        x, y = (shift * SIZE).tolist()
        return Turn(yaw, pitch, roll, float(scale), (x, y), rng.uniform(-0.02, 0.15))


def _cut(luma: Luma, points: Floats, rng: np.random.Generator) -> tuple[Luma, Bools]:
    """The face at the frame's edge, and which points lie beyond: there the last row or column is
    repeated, as the tracker does."""
    lost = int(rng.uniform(0.08, 0.42) * SIZE)
    axis, far = int(rng.integers(2)), rng.random() < 0.5
    padding = [(0, 0), (0, 0)]
    padding[axis] = (0, lost) if far else (lost, 0)
    kept = luma[
        padding[0][0] : SIZE - padding[0][1],
        padding[1][0] : SIZE - padding[1][1],
    ]
    along = points[:, 1 - axis]
    beyond = along > SIZE - lost - 0.5 if far else along < lost - 0.5
    return np.pad(kept, padding, mode="edge"), beyond
