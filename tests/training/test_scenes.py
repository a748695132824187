"""Composed frames: seeds, sizes, and labels that keep their promises."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.engine import LANDMARKS
from tests.training.scene_people import drawn
from training.scenes.compose import Composer
from training.scenes.scene import HIDDEN_SHARE_IGNORED, Scene

MADE = 40
"""Enough for every kind of frame to occur."""


def composer(colour: bool = False, **options: float) -> Composer:
    return Composer([drawn(seed, colour) for seed in range(3)], colour=colour, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    made = composer(seed=5)
    return [made.scene() for _ in range(MADE)]


def test_a_seed_and_an_index_fix_the_frame(scenes: list[Scene]) -> None:
    again = composer(seed=5)
    for index in (7, 3, 20):  # in any order, whatever came before
        other = again.scene_at(index)
        np.testing.assert_array_equal(other.picture, scenes[index].picture)
        assert other.conditions == scenes[index].conditions
        assert len(other.faces) == len(scenes[index].faces)
        for one, two in zip(other.faces, scenes[index].faces, strict=True):
            np.testing.assert_array_equal(one.points, two.points)
            np.testing.assert_array_equal(one.visibility, two.visibility)
    np.testing.assert_array_equal(again.empty().picture, again.empty_at(0).picture)
    assert (composer(seed=6).scene_at(3).picture != scenes[3].picture).any()


def test_frames_have_the_shape_and_kind_asked_for() -> None:
    assert composer().scene().picture.shape == (384, 640, 1)
    tall = composer(width=384, height=640, seed=2)
    assert all(tall.scene().picture.shape == (640, 384, 1) for _ in range(3))
    colour = composer(True, width=320, height=180).scene().picture
    assert colour.shape == (180, 320, 3) and colour.dtype == np.uint8


def test_an_empty_frame_has_no_face() -> None:
    made = composer(seed=1)
    empty = [made.empty() for _ in range(20)]
    assert not any(scene.faces for scene in empty)
    assert all("empty" in scene.conditions for scene in empty)
    assert np.mean([scene.picture.std() for scene in empty]) > 10


def test_landmarks_beyond_the_frame_are_hidden(scenes: list[Scene]) -> None:
    beyond = 0
    for scene in scenes:
        height, width = scene.picture.shape[:2]
        for face in scene.faces:
            place = np.rint(face.points)
            outside = ((place < 0) | (place >= [width, height])).any(axis=1)
            assert not face.visibility[outside].any()
            assert ("at_edge" in face.conditions) == outside.any()
            beyond += int(outside.sum())
    assert beyond > 20


def test_a_face_that_is_mostly_hidden_or_turned_away_is_ignored(scenes: list[Scene]) -> None:
    faces = [face for scene in scenes for face in scene.faces]
    for face in faces:
        hidden = 1 - face.visibility.mean()
        beyond = abs(face.yaw_deg) > 70 or abs(face.roll) > np.radians(95)
        assert face.ignore or not (hidden > HIDDEN_SHARE_IGNORED or beyond)
        assert face.points.shape == (len(LANDMARKS), 2) and hidden < 0.97
    assert 0 < sum(face.ignore for face in faces) < 0.3 * len(faces)


def test_faces_come_in_all_sizes_rolls_and_yaws(scenes: list[Scene]) -> None:
    faces = [face for scene in scenes for face in scene.faces if not face.ignore]
    sizes = [face.size for face in faces]
    assert min(sizes) < 14 and max(sizes) > 200
    assert max(abs(np.degrees(face.roll)) for face in faces) > 25
    yaws = [face.yaw_deg for face in faces]
    assert min(yaws) < -25 and max(yaws) > 25
    small = [face for face in faces if "small" in face.conditions]
    assert small and all(face.size < 30 for face in small)


def test_luma_and_colour_frames_have_the_same_people_in_the_same_places(
    scenes: list[Scene],
) -> None:
    coloured = composer(True, seed=5)
    for index in range(12):
        luma, colour = scenes[index], coloured.scene_at(index)
        assert luma.conditions == colour.conditions
        assert [f.person for f in luma.faces] == [f.person for f in colour.faces]
        for one, two in zip(luma.faces, colour.faces, strict=True):
            np.testing.assert_allclose(one.points, two.points, atol=0.01)
            assert (one.visibility == two.visibility).mean() > 0.97
        grey = colour.picture @ np.array([0.114, 0.587, 0.299])
        assert abs(grey.mean() - luma.picture.mean()) < 12


def test_difficulty_hides_and_dims_more() -> None:
    easy, hard = composer(seed=9, difficulty=0.0), composer(seed=9, difficulty=1.0)

    def trouble(made: Composer) -> int:
        scenes = [made.scene_at(i) for i in range(25)]
        return sum(
            len(scene.conditions) + sum("occluded" in face.conditions for face in scene.faces)
            for scene in scenes
        )

    assert trouble(hard) > 1.4 * trouble(easy)


def test_a_composer_without_fit_portraits_or_of_too_large_frames_says_so() -> None:
    with pytest.raises(ValueError, match="all in colour or all in luma; load them so"):
        Composer([drawn(0, True)], colour=False)
    with pytest.raises(ValueError, match="scenes need portraits"):
        Composer([])
    with pytest.raises(ValueError, match="at most 1408 px a side; make it smaller"):
        Composer([drawn(0, False)], width=1920, height=1080)
