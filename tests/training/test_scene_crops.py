"""Crops out of whole scenes, for the landmarker."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, FaceBox
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.regions import MIRROR
from tests.training.scene_people import drawn
from training.scene_crops import SceneCrops, mine
from training.scenes.compose import Composer
from training.scenes.portraits import Portrait
from training.scenes.scene import upright_oval


@pytest.fixture(scope="module")
def people() -> list[Portrait]:
    return [drawn(seed, colour=False) for seed in range(3)]


class Oracle:
    """Knows where the faces of the scenes lie, and takes a corner of each picture for one too."""

    def __init__(self, people: list[Portrait], seed: int) -> None:
        composer = Composer(people, seed=seed, width=1280, height=768, difficulty=0.3)
        self._scenes = [composer.scene(), composer.empty()]
        self.asked: list[float] = []

    def find(self, luma: NDArray[np.uint8], sure: float) -> list[FaceBox]:
        scene = self._scenes[len(self.asked)]
        self.asked.append(sure)
        boxes = [FaceBox(10, 340, 60, 383, 0.0, 0.2)]
        for face in scene.faces:
            (x, y), (width, height) = upright_oval(face.points, face.roll)
            low, high = (x - width / 2, y - height / 2), (x + width / 2, y + height / 2)
            boxes.append(FaceBox(low[0] / 2, low[1] / 2, high[0] / 2, high[1] / 2, face.roll, 0.9))
        return boxes


def test_boxes_on_faces_give_faces_where_the_points_say_and_others_give_none(
    people: list[Portrait],
) -> None:
    finder = Oracle(people, 7)
    crops = mine(people, finder, scenes=1, seed=7)
    assert len(finder.asked) == 2 and max(finder.asked) < 0.3
    assert crops.luma.shape[1:] == (LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE)
    assert crops.face.any() and not crops.face.all()
    off = np.abs(crops.points[crops.face] - LOOSE_POINTS).mean(axis=(1, 2))
    assert off.max() < 0.2 * LANDMARK_CROP_SIZE
    assert not crops.visible[~crops.face].any()


def some_crops() -> SceneCrops:
    """One face and one wall."""
    luma = np.zeros((2, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE), np.uint8)
    luma[:, :, :30] = 120
    points = np.stack([LOOSE_POINTS, LOOSE_POINTS]).astype(np.float32)
    visible = np.ones((2, len(LANDMARKS)), np.bool_)
    visible[0, 0:36] = False
    return SceneCrops(luma, points, visible, np.array([True, False]))


def test_a_crop_comes_twice_alike_and_mirrored_half_of_the_time() -> None:
    rng, mirrored = np.random.default_rng(0), 0
    for _ in range(40):
        (one, two), points, visible, face = some_crops().draw_twice(rng, face_share=1.0)
        assert face and one.dtype == np.uint8 and one.shape == two.shape
        assert np.abs(one.astype(float).mean() - two.astype(float).mean()) < 3
        flipped = one[:, :30].mean() < one[:, -30:].mean()
        mirrored += flipped
        wanted = LOOSE_POINTS[MIRROR] * [-1, 1] + [LANDMARK_CROP_SIZE - 1, 0]
        assert points == pytest.approx(wanted if flipped else LOOSE_POINTS, abs=1e-3)
        assert visible.sum() == len(LANDMARKS) - 36
    assert 8 < mirrored < 32


def test_faces_are_drawn_as_often_as_asked_for() -> None:
    rng = np.random.default_rng(1)
    drawn_faces = [some_crops().draw_twice(rng, face_share=0.25)[3] for _ in range(200)]
    assert 30 < sum(drawn_faces) < 70


def test_crops_come_back_from_the_disk_as_they_were(tmp_path: Path) -> None:
    crops = some_crops()
    crops.save(tmp_path / "crops.npz")
    again = SceneCrops.load(tmp_path / "crops.npz")
    assert (again.luma == crops.luma).all() and (again.face == crops.face).all()
    assert (again.points == crops.points).all() and (again.visible == crops.visible).all()
