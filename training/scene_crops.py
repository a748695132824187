"""Loose crops out of whole scenes: what the landmarker is really shown, faces and what the finder takes for faces.

``python -m training.scene_crops --shared ../shared --out crops.npz`` runs the finder over composed scenes of persons
who are not held out. A box on a face gives a crop with its landmarks, a box on anything else a hard "no".
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.face_finder import NetFinder
from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, FaceBox
from stream_retouch.media.affine import Affine, compose
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_TO_CROP, loose_crop
from stream_retouch.media.pose import apart, is_upright, size_px, transform_of_box
from stream_retouch.media.regions import MIRROR, alignment, into_crop
from training.progress import progress
from training.scenes.compose import Composer
from training.scenes.portraits import Portrait, load
from training.scenes.scene import Scene, SceneFace

WIDTH, HEIGHT = 1280, 768
"""Scenes are as large as a camera's pictures: the crop is taken from these, the finder sees them shrunk."""
DIFFICULTIES = (0.3, 0.6, 0.85, 1.0)
SURE = 0.12
"""Score from which a box is taken: far below what serves, so that near misses are learnt too."""
SMALLEST_PX = 22.0
LARGEST_SHARE_HIDDEN = 0.55
OWN = 0.35
"""A box so near a face, in its sizes, shows it."""
NEITHER = 1.0
"""A box nearer than this to a face it does not show is left out: part of a face is in the crop."""

Rng = np.random.Generator
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class SceneCrops:
    """N loose crops with their truth."""

    luma: NDArray[np.uint8]
    """(N, SIZE, SIZE)."""
    points: NDArray[np.float32]
    """(N, K, 2) crop pixels; mean nothing where `face` is False."""
    visible: NDArray[np.bool_]
    """(N, K)."""
    face: NDArray[np.bool_]
    """(N,)."""

    def draw_twice(
        self, rng: Rng, face_share: float
    ) -> tuple[Pair, NDArray[np.float32], NDArray[np.bool_], bool]:
        """One crop as two frames of a camera, with its points, their visibility, and whether it is a face."""
        face = bool(rng.random() < face_share)
        (choices,) = np.nonzero(self.face == face)
        i = int(choices[rng.integers(len(choices))])
        luma, points, visible = self.luma[i], self.points[i], self.visible[i]
        if rng.random() < 0.5:
            luma, visible = luma[:, ::-1], visible[MIRROR]
            points = points[MIRROR] * np.float32([-1, 1]) + np.float32([LANDMARK_CROP_SIZE - 1, 0])
        gain, offset = float(np.exp(rng.normal(0, 0.15))), rng.normal(0, 10)
        noise = abs(rng.normal(0, 3))
        one, two = (
            (luma * gain + offset + rng.normal(0, noise, luma.shape)).clip(0, 255).astype(np.uint8)
            for _ in range(2)
        )
        return (one, two), points, visible, face

    def save(self, path: Path) -> None:
        np.savez(path, luma=self.luma, points=self.points, visible=self.visible, face=self.face)

    @classmethod
    def load(cls, path: Path) -> SceneCrops:
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["luma"], stored["points"], stored["visible"], stored["face"])


class Finder(Protocol):
    """What is asked for boxes; `engines.face_finder.NetFinder` is one."""

    def find(self, luma: NDArray[np.uint8], sure: float) -> list[FaceBox]: ...


class Miner:
    """Gathers crops from scenes."""

    def __init__(self, finder: Finder, seed: int) -> None:
        self._finder, self._rng = finder, np.random.default_rng(seed)
        self._found: list[
            tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_], bool]
        ] = []

    def look(self, scene: Scene) -> None:
        """Takes all crops of one scene."""
        luma = scene.picture.reshape(scene.picture.shape[:2])
        half = np.zeros((1, 1), np.uint8)
        picture = Picture(luma, half, half, True, "bt601", "center")
        small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        places = [(face, alignment(face.points)) for face in scene.faces]
        for box in self._finder.find(np.asarray(small, np.uint8), SURE):
            place = transform_of_box(box, 2.0)
            if size_px(place) < SMALLEST_PX or not is_upright(place):
                continue
            near = sorted((apart(place, truth)[0], i) for i, (_, truth) in enumerate(places))
            if near and near[0][0] < NEITHER:
                distance, i = near[0]
                if distance < OWN and apart(place, places[i][1])[1] < 1.6:
                    self._face(picture, place, places[i][0])
            else:
                self._put(picture, place, None)
        for face, truth in places:
            if size_px(truth) >= SMALLEST_PX:
                self._face(picture, self._shaken(truth), face)
        if not scene.faces:
            self._put(picture, self._somewhere(), None)

    def crops(self) -> SceneCrops:
        """All taken so far."""
        luma, points, visible, face = zip(*self._found, strict=True)
        return SceneCrops(np.stack(luma), np.stack(points), np.stack(visible), np.array(face))

    def _face(self, picture: Picture, place: Affine, face: SceneFace) -> None:
        if not face.ignore and np.mean(~face.visibility) < LARGEST_SHARE_HIDDEN:
            self._put(picture, place, face)

    def _put(self, picture: Picture, place: Affine, face: SceneFace | None) -> None:
        loose = compose(place, LOOSE_TO_CROP)
        luma = loose_crop(picture, loose)
        if face is None:
            nothing = np.zeros((len(LANDMARKS), 2), np.float32)
            self._found.append((luma, nothing, np.zeros(len(LANDMARKS), np.bool_), False))
            return
        points = into_crop(face.points, loose).astype(np.float32)
        inside = ((points > -0.5) & (points < LANDMARK_CROP_SIZE - 0.5)).all(axis=1)
        self._found.append((luma, points, face.visibility & inside, True))

    def _shaken(self, truth: Affine) -> Affine:
        """As when following: a little off."""
        rng = self._rng
        angle, scale = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.05))
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([127.5, 127.5])
        shift = middle - turn @ middle + rng.normal(0, 5, 2)
        return compose(truth, np.column_stack([turn, shift]))

    def _somewhere(self) -> Affine:
        rng = self._rng
        scale = np.exp(rng.uniform(np.log(0.15), np.log(2.5)))
        middle = rng.uniform(0, 1, 2) * [WIDTH, HEIGHT]
        return np.column_stack([scale * np.eye(2), middle - scale * 127.5])


def mine(portraits: Sequence[Portrait], finder: Finder, scenes: int, seed: int) -> SceneCrops:
    """Crops of so many scenes with faces and as many without, of every difficulty."""
    miner = Miner(finder, seed)
    composers = [
        Composer(portraits, seed=seed + i, width=WIDTH, height=HEIGHT, difficulty=difficulty)
        for i, difficulty in enumerate(DIFFICULTIES)
    ]
    for i in range(scenes):
        composer = composers[i % len(composers)]
        miner.look(composer.scene())
        miner.look(composer.empty())
        progress("scenes", i + 1, scenes)
    return miner.crops()


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="training.scene_crops", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="shared data folder")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--scenes", type=int, default=3000, help="scenes with faces (3000)")
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument(
        "--finder", type=Path, default=None, help="finder weights (those that ship)"
    )
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    portraits = load(options.shared, heldout=False, colour=False)
    crops = mine(
        portraits, NetFinder.load(finder_weights=options.finder), options.scenes, options.seed
    )
    crops.save(options.out)
    print(f"{len(crops.face)} crops, {int(crops.face.sum())} of faces: {options.out}")


if __name__ == "__main__":
    main()
