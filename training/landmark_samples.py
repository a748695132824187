"""Endless augmented samples for the landmarker, from still portraits with 3-D landmarks.

A portrait is turned in depth (its own mesh says how far each point is from the plane), rolled,
scaled and shifted, then lit, covered, blurred and compressed like a bad webcam. A part of the
samples holds no face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LANDMARK_CROP_SIZE, LANDMARKS
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.regions import MIRROR

SIZE = LANDMARK_CROP_SIZE
SOURCE_EYES_PX = 72.0
"""Portraits are kept at this distance of the outer eye corners, twice that in a crop."""
NEGATIVE_SHARE = 0.22

Luma = NDArray[np.uint8]
Floats = NDArray[np.float64]
_EYES = (LANDMARKS.index(33), LANDMARKS.index(263))
_CROP_EYES_PX = float(np.hypot(*(LOOSE_POINTS[_EYES[1]] - LOOSE_POINTS[_EYES[0]])))
_CROP_CENTRE = LOOSE_POINTS.mean(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One portrait, shrunk."""

    luma: Luma
    """(H, W)."""
    mesh: Floats
    """(478, 3): x, y in pixels of `luma`, z towards the back in the same unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One crop. `points` mean nothing where `face` is False."""

    luma: Luma
    """(SIZE, SIZE)."""
    points: NDArray[np.float32]
    """(K, 2) in crop pixels."""
    face: bool


def load_source(picture: Path, mesh: NDArray[np.floating]) -> Source:
    """One portrait with its (478, 3) landmarks in pixels, shrunk by area to SOURCE_EYES_PX."""
    luma = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    if luma is None:
        raise FileNotFoundError(picture)
    scale = SOURCE_EYES_PX / float(np.hypot(*(mesh[263] - mesh[33])[:2]))
    small = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ratio = np.array([small.shape[1] / luma.shape[1], small.shape[0] / luma.shape[0], scale])
    shift = np.array([0.5, 0.5, 0.0])
    return Source(
        np.asarray(small, np.uint8), (np.asarray(mesh, np.float64) + shift) * ratio - shift
    )


class Sampler:
    """Draws samples from portraits; the seed fixes everything."""

    def __init__(self, sources: list[Source], seed: int) -> None:
        self._sources = sources
        self._rng = np.random.default_rng(seed)
        y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
        self._grid = np.stack([x, y], axis=-1)
        self._grid_terms = _terms(self._grid.reshape(-1, 2))

    def __iter__(self) -> Iterator[Sample]:
        while True:
            yield self.draw()

    def draw(self) -> Sample:
        """One sample."""
        if self._rng.random() < NEGATIVE_SHARE:
            luma, points, face = self._negative(), LOOSE_POINTS.astype(np.float32), False
        else:
            luma, points, face = *self._face(), True
        if self._rng.random() < 0.5:
            luma = luma[:, ::-1]
            points = (points[MIRROR] * [-1, 1] + [SIZE - 1, 0]).astype(np.float32)
        return Sample(self._camera(luma), points, face)

    def plain(self, source: Source) -> Sample:
        """A portrait as the tracker would see it: upright but for a few degrees, nothing else done
        to it."""
        rng = self._rng
        roll, scale, shift = rng.normal(0, 4), rng.normal(1, 0.04), rng.normal(0, 0.015, 2)
        luma, mesh = self.render(source, roll, 0.0, 0.0, scale, shift * SIZE)
        return Sample(luma, mesh[list(LANDMARKS)].astype(np.float32), True)

    def _source(self) -> Source:
        return self._sources[self._rng.integers(len(self._sources))]

    # ---- geometry

    def _face(self) -> tuple[Luma, NDArray[np.float32]]:
        rng, source = self._rng, self._source()
        hard = rng.random() < 0.4
        roll = rng.uniform(-35, 35) if hard else rng.normal(0, 6)
        yaw = rng.uniform(-38, 38) if rng.random() < 0.5 else rng.normal(0, 5)
        pitch = rng.uniform(-22, 22) if rng.random() < 0.4 else rng.normal(0, 4)
        scale = rng.uniform(0.8, 1.2) if hard else rng.normal(1, 0.05)
        shift = rng.uniform(-0.1, 0.1, 2) if hard else rng.normal(0, 0.02, 2)
        luma, mesh = self.render(source, roll, yaw, pitch, scale, shift * SIZE)
        if rng.random() < 0.3:
            luma = self._other_background(luma, mesh)
        if rng.random() < 0.3:
            luma = self._covered(luma)
        if rng.random() < 0.12:
            luma = self._cut(luma)
        return luma, mesh[list(LANDMARKS)].astype(np.float32)

    def render(
        self, source: Source, roll: float, yaw: float, pitch: float, scale: float, shift: Floats
    ) -> tuple[Luma, Floats]:
        """The portrait turned by the angles (degrees), and its mesh (478, 2), in crop pixels.

        The picture follows a cubic map from crop to portrait fitted to the mesh; around the head it
        runs out into the similarity that fits best. The mesh is then corrected to lie exactly where
        that map puts its points.
        """
        flat = source.mesh[:, :2]
        unit = scale * _CROP_EYES_PX / SOURCE_EYES_PX
        head = source.mesh - source.mesh[list(LANDMARKS)].mean(axis=0)
        turned = head @ _rotation(roll, yaw, pitch).T
        depth = 1 + turned[:, 2:] / (6 * SOURCE_EYES_PX)
        target = turned[:, :2] / depth * unit
        target += _CROP_CENTRE + shift - target[list(LANDMARKS)].mean(axis=0)
        to_source = _similarity(target, flat)
        angle = np.arange(24) * (2 * np.pi / 24)
        rim = target.mean(axis=0) + 1.9 * _CROP_EYES_PX * np.stack(
            [np.cos(angle), np.sin(angle)], 1
        )
        crop = np.vstack([target, np.repeat(rim, 4, axis=0)])
        wanted = np.vstack([flat, np.repeat(_apply(to_source, rim), 4, axis=0)])
        terms = _terms(crop)
        map_ = np.linalg.lstsq(terms, wanted, rcond=None)[0]
        back = np.linalg.inv(to_source[:, :2])
        for _ in range(2):
            target = target + (flat - _terms(target) @ map_) @ back.T
        where = (self._grid_terms @ map_).reshape(SIZE, SIZE, 2).astype(np.float32)
        nothing = np.empty(0, np.float32)  # the second map: `where` holds both
        luma = cv2.remap(
            source.luma, where, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        return np.asarray(luma, np.uint8), target

    # ---- what is around and before the face

    def _texture(self) -> NDArray[np.float32]:
        """(SIZE, SIZE) something without a face: smooth noise, stripes, or a piece of a
        portrait."""
        rng, kind = self._rng, self._rng.random()
        if kind < 0.4:
            cells = int(rng.integers(2, 40))
            noise = rng.normal(rng.uniform(40, 210), rng.uniform(5, 60), (cells, cells))
            return np.asarray(
                cv2.resize(noise.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
            )
        if kind < 0.55:
            wave = self._grid @ rng.normal(0, 0.4, 2) + rng.uniform(0, 6)
            return (rng.uniform(60, 190) + rng.uniform(10, 60) * np.sin(wave)).astype(np.float32)
        return self._piece().astype(np.float32)

    def _piece(self) -> Luma:
        """A piece of a portrait too close, too small or too far off to count as a face."""
        rng, source = self._rng, self._source()
        height, width = source.luma.shape
        kind, centre = rng.random(), source.mesh[list(LANDMARKS), :2].mean(axis=0)
        if kind < 0.45:  # skin, hair, an eye, a mouth, seen close
            side, at = rng.uniform(15, 80), centre + rng.normal(0, 60, 2)
        elif kind < 0.75:  # off to the side
            angle, side = rng.uniform(0, 2 * np.pi), rng.uniform(120, 260)
            at = centre + rng.uniform(0.65, 1.1) * side * np.array([np.cos(angle), np.sin(angle)])
        else:  # the whole head, small
            side, at = (
                rng.uniform(600, 1200),
                np.array([rng.uniform(0, width), rng.uniform(0, height)]),
            )
        turn = rng.uniform(-180, 180) if rng.random() < 0.5 else rng.normal(0, 15)
        matrix = cv2.getRotationMatrix2D((float(at[0]), float(at[1])), turn, SIZE / side)
        matrix[:, 2] += (SIZE - 1) / 2 - at
        border = cv2.BORDER_REPLICATE if kind >= 0.75 else cv2.BORDER_REFLECT
        flags = cv2.INTER_AREA if side > 2 * SIZE else cv2.INTER_LINEAR
        return np.asarray(
            cv2.warpAffine(source.luma, matrix, (SIZE, SIZE), flags=flags, borderMode=border),
            np.uint8,
        )

    def _negative(self) -> Luma:
        rng, kind = self._rng, self._rng.random()
        if kind < 0.65:
            return self._texture().clip(0, 255).astype(np.uint8)
        shift = rng.normal(0, 0.03, 2) * SIZE
        roll = rng.uniform(110, 250) if kind < 0.8 else rng.normal(0, 10)
        luma, _ = self.render(
            self._source(), roll, rng.normal(0, 10), 0.0, rng.uniform(0.8, 1.2), shift
        )
        if kind >= 0.8:  # the parts of a face in the wrong places
            cut = SIZE // int(rng.choice([2, 3, 4]))
            tiles = [
                luma[y : y + cut, x : x + cut]
                for y in range(0, SIZE, cut)
                for x in range(0, SIZE, cut)
            ]
            per_row = SIZE // cut
            order = rng.permutation(len(tiles))
            rows = [
                np.hstack([tiles[j] for j in order[i : i + per_row]])
                for i in range(0, len(tiles), per_row)
            ]
            luma = np.vstack(rows)
        return luma

    def _other_background(self, luma: Luma, mesh: Floats) -> Luma:
        oval = mesh[list(FACE_OVAL)]
        head = oval.mean(axis=0) + (oval - oval.mean(axis=0)) * self._rng.uniform(1.1, 1.5)
        mask = np.zeros((SIZE, SIZE), np.float32)
        cv2.fillPoly(mask, [np.rint(head).astype(np.int32)], 1.0)
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), self._rng.uniform(0.5, 3)))
        return (luma * mask + self._texture() * (1 - mask)).clip(0, 255).astype(np.uint8)

    def _covered(self, luma: Luma) -> Luma:
        """A hand, a microphone or a cup before the face: a few soft blobs with a texture of their
        own."""
        rng, mask = self._rng, np.zeros((SIZE, SIZE), np.float32)
        middle = rng.uniform(0.1, 0.95, 2) * SIZE
        for _ in range(rng.integers(1, 5)):
            centre = middle + rng.normal(0, 7, 2)
            axes = (int(rng.uniform(3, 20)), int(rng.uniform(3, 9)))
            cv2.ellipse(
                mask,
                np.rint(centre).astype(int).tolist(),
                axes,
                rng.uniform(0, 180),
                0,
                360,
                1.0,
                -1,
            )
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.5)))
        blob = self._texture() * 0.3 + rng.uniform(10, 170)
        return (luma * (1 - mask) + blob * mask).clip(0, 255).astype(np.uint8)

    def _cut(self, luma: Luma) -> Luma:
        """The face at the frame's edge: beyond it the last row or column is repeated, as the
        tracker does."""
        lost = int(self._rng.uniform(0.08, 0.42) * SIZE)
        padding = ((lost, 0), (0, lost)) if self._rng.random() < 0.5 else ((0, lost), (lost, 0))
        if self._rng.random() < 0.5:
            rows, columns = padding[0], (0, 0)
        else:
            rows, columns = (0, 0), padding[1]
        kept = luma[rows[0] : SIZE - rows[1], columns[0] : SIZE - columns[1]]
        return np.pad(kept, (rows, columns), mode="edge")

    # ---- light and camera

    def _camera(self, luma: Luma) -> Luma:
        rng = self._rng
        light = luma.astype(np.float32) / 255
        if rng.random() < 0.5:
            light **= float(np.exp(rng.normal(0, 0.4)))
        if rng.random() < 0.4:
            slope = (self._grid / SIZE - 0.5) @ rng.normal(0, 0.9, 2)
            light *= np.clip(1 + slope, 0.15, 2).astype(np.float32)
        light = (light - 0.5) * rng.uniform(0.45, 1.3) + 0.5 + rng.normal(0, 0.12)
        if rng.random() < 0.35:
            small = int(rng.uniform(40, SIZE))
            shrunk = cv2.resize(light, (small, small), interpolation=cv2.INTER_AREA)
            light = np.asarray(cv2.resize(shrunk, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
        if rng.random() < 0.3:
            across, down = rng.uniform(0.4, 1.8, 2)
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), across, sigmaY=down))
        if rng.random() < 0.5:
            light = light + rng.normal(0, rng.uniform(0.005, 0.05), light.shape).astype(np.float32)
        codes = (light * 255).clip(0, 255).astype(np.uint8)
        if rng.random() < 0.3:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(15, 80))]
            stored = cv2.imencode(".jpg", codes, quality)[1]
            return np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)
        return codes


def _rotation(roll: float, yaw: float, pitch: float) -> Floats:
    """(3, 3) from angles in degrees: pitch about x first, then yaw about y, then roll in the
    picture plane."""
    (cr, cy, cp), (sr, sy, sp) = np.cos(r := np.radians([roll, yaw, pitch])), np.sin(r)
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _terms(points: Floats) -> Floats:
    """(N, 10) the cubic's terms at crop pixels."""
    x, y = (points / (SIZE / 2) - 1).T
    return np.stack(
        [np.ones_like(x), x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], 1
    )


def _similarity(source: Floats, target: Floats) -> Floats:
    """(2, 3) rotation, scale and shift that take one set of points to the other, least squares."""
    a, b = (p @ np.array([1, 1j]) for p in (source - source.mean(0), target - target.mean(0)))
    turn = complex(np.vdot(a, b) / np.vdot(a, a).real)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([matrix, target.mean(0) - matrix @ source.mean(0)])


def _apply(transform: Floats, points: Floats) -> Floats:
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])
