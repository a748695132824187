"""Loose crops without a face, and what stands behind one: textures, pieces of portraits, things
that look like faces."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LANDMARKS
from training.face_relief import Source
from training.face_turn import PIXELS, SIZE, Turn, render

Luma = NDArray[np.uint8]
Plane = NDArray[np.float32]
Floats = NDArray[np.float64]


class Backdrops:
    """Draws pictures without a face; some are made from the portraits."""

    def __init__(self, sources: list[Source], rng: np.random.Generator) -> None:
        self._sources, self._rng = sources, rng

    def texture(self) -> Plane:
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
            wave = PIXELS @ rng.normal(0, 0.4, 2) + rng.uniform(0, 6)
            return (rng.uniform(60, 190) + rng.uniform(10, 60) * np.sin(wave)).astype(np.float32)
        return self._piece().astype(np.float32)

    def negative(self) -> Luma:
        """(SIZE, SIZE) a crop that holds no face."""
        kind = self._rng.random()
        if kind < 0.45:
            return _codes(self.texture())
        if kind < 0.7:
            return self._look_alike()
        if kind < 0.78:
            return self._blank_head()
        luma = self._portrait(
            self._rng.uniform(110, 250) if kind < 0.88 else self._rng.normal(0, 10)
        )
        return luma if kind < 0.88 else self._shuffled(luma)

    def behind(self, luma: Luma, mesh: Floats) -> Luma:
        """The crop with another background around the head."""
        oval = mesh[list(FACE_OVAL)]
        head = oval.mean(axis=0) + (oval - oval.mean(axis=0)) * self._rng.uniform(1.1, 1.5)
        mask = np.zeros((SIZE, SIZE), np.float32)
        cv2.fillPoly(mask, [np.rint(head).astype(np.int32)], 1.0)
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), self._rng.uniform(0.5, 3)))
        return _codes(luma * mask + self.texture() * (1 - mask))

    def _source(self) -> Source:
        return self._sources[self._rng.integers(len(self._sources))]

    def _portrait(self, roll: float) -> Luma:
        rng = self._rng
        x, y = (rng.normal(0, 0.03, 2) * SIZE).tolist()
        turn = Turn(rng.normal(0, 10), 0.0, roll, rng.uniform(0.8, 1.2), (x, y))
        return render(self._source(), turn).luma

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

    def _shuffled(self, luma: Luma) -> Luma:
        """The parts of a face in the wrong places."""
        cut = SIZE // int(self._rng.choice([2, 3, 4]))
        starts = range(0, SIZE, cut)
        tiles = [luma[y : y + cut, x : x + cut] for y in starts for x in starts]
        order = self._rng.permutation(len(tiles)).reshape(len(starts), len(starts))
        return np.vstack([np.hstack([tiles[j] for j in row]) for row in order])

    def _blank_head(self) -> Luma:
        """A head whose face is hair or skin all over: seen from behind, or bent far down."""
        rng = self._rng
        turn = Turn(rng.normal(0, 10), 0.0, rng.normal(0, 12), rng.uniform(0.8, 1.2))
        head = render(self._source(), turn)
        oval = head.mesh[list(FACE_OVAL)]
        mask = np.zeros((SIZE, SIZE), np.float32)
        grown = oval.mean(axis=0) + (oval - oval.mean(axis=0)) * rng.uniform(0.95, 1.1)
        cv2.fillPoly(mask, [np.rint(grown).astype(np.int32)], 1.0)
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 3)))
        source = self._source()
        x, y = source.mesh[10 if rng.random() < 0.6 else 50, :2] + rng.normal(0, 8, 2)
        side = int(rng.uniform(12, 30))
        left, top = (
            int(np.clip(v, 0, n - side - 1))
            for v, n in ((x, source.luma.shape[1]), (y - side, source.luma.shape[0]))
        )
        patch = source.luma[top : top + side, left : left + side]
        size = (SIZE, SIZE)
        cloth = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_CUBIC), np.float32)
        return _codes(head.luma * (1 - mask) + cloth * mask)

    def _look_alike(self) -> Luma:
        """Something round or boxy with two marks above and one below: a socket, a smiley, a car's
        front, a helmet, a doll drawn by a child."""
        rng = self._rng
        picture = self.texture()
        if rng.random() < 0.5:
            picture = np.full((SIZE, SIZE), rng.uniform(20, 235), np.float32)
        level = rng.uniform(20, 235)
        centre = (SIZE / 2 + rng.normal(0, 4, 2)).round().astype(int).tolist()
        half = (int(rng.uniform(20, 40)), int(rng.uniform(24, 44)))
        if rng.random() < 0.7:
            if rng.random() < 0.7:
                cv2.ellipse(picture, centre, half, 0, 0, 360, level, -1)
            else:
                corners = [[c - h for c, h in zip(centre, half, strict=True)]]
                corners.append([c + h for c, h in zip(centre, half, strict=True)])
                cv2.rectangle(picture, corners[0], corners[1], level, -1)
        mark = level + float(rng.choice([-1, 1])) * rng.uniform(30, 150)
        apart, up = rng.uniform(9, 20), rng.uniform(2, 16)
        size = (int(rng.uniform(2, 8)), int(rng.uniform(1, 8)))
        for sign in (-1, 1):
            at = [round(centre[0] + sign * apart), round(centre[1] - up)]
            cv2.ellipse(picture, at, size, 0, 0, 360, mark, -1 if rng.random() < 0.7 else 2)
        below = [centre[0], round(centre[1] + rng.uniform(6, 22))]
        wide = (int(rng.uniform(3, 18)), int(rng.uniform(1, 9)))
        ends = (0, 180) if rng.random() < 0.5 else (0, 360)
        thick = -1 if rng.random() < 0.4 else int(rng.integers(1, 4))
        cv2.ellipse(picture, below, wide, 0, *ends, mark, thick)
        if rng.random() < 0.5:
            picture = picture + np.float32(rng.normal(0, 8) / 128) * self.texture()
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.5))
        slope = (PIXELS / SIZE - 0.5) @ rng.normal(0, 60, 2)
        turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.normal(0, 15), 1.0)
        return _codes(
            cv2.warpAffine(blurred, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT) + slope
        )


def _codes(picture: NDArray[np.floating]) -> Luma:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)
