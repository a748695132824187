"""FaceTracker on drawn faces, with a finder that knows how they are drawn: no model.

A drawn face is a white disc for the person's right eye and a black one for the left, on grey.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, FaceBox, FaceFinder
from stream_retouch.media.affine import compose
from stream_retouch.media.faces import HELD_S, Face, FaceTracker
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_POINTS, LOOSE_TO_CROP, loose_crop
from stream_retouch.media.one_euro import OneEuro
from stream_retouch.media.regions import CANONICAL_POINTS, alignment

WIDTH, HEIGHT, FPS = 320, 180, 30.0
EYES = [LANDMARKS.index(33), LANDMARKS.index(263)]
Transform = NDArray[np.float64]


def placed(x: float, y: float, scale: float = 0.4, roll: float = 0.0) -> Transform:
    """A crop-to-frame transform that puts the middle of the canonical face at (x, y)."""
    c, s = scale * np.cos(roll), scale * np.sin(roll)
    turn = np.array([[c, -s], [s, c]])
    return np.column_stack([turn, np.array([x, y]) - turn @ CANONICAL_POINTS.mean(axis=0)])


def landmarks_of(transform: Transform) -> NDArray[np.float64]:
    return CANONICAL_POINTS @ transform[:, :2].T + transform[:, 2]


def picture(*faces: Transform, grey: int = 128, full_range: bool = True) -> Picture:
    """A picture of drawn faces."""
    luma = np.full((HEIGHT, WIDTH), grey, np.uint8)
    for face in faces:
        right, left = landmarks_of(face)[EYES]
        radius = round(16 * float(np.hypot(*face[:, 0])) * (1 << 4))
        for eye, level in ((right, 255), (left, 0)):
            at = (round(eye[0] * 16), round(eye[1] * 16))
            cv2.circle(luma, at, radius, level, -1, cv2.LINE_AA, 4)
    half = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Picture(luma, half, half, full_range, "bt601", "center")


def similarity(eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The canonical landmarks moved so that their eyes lie here."""
    now = CANONICAL_POINTS[EYES] @ np.array([1, 1j])
    then = eyes @ np.array([1, 1j])
    turn = (then[1] - then[0]) / (now[1] - now[0])
    moved = (CANONICAL_POINTS @ np.array([1, 1j]) - now[0]) * turn + then[0]
    return np.stack([moved.real, moved.imag], axis=1)


@dataclass
class DrawnFaceFinder:
    """A FaceFinder for drawn faces that counts its calls."""

    noise_px: float = 0.0
    """Standard deviation of the error of all landmarks together, loose crop pixels."""
    phantom: FaceBox | None = None
    """A box that is reported although nothing is there."""
    searches: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        self.searches += 1
        boxes = [self.phantom] if self.phantom else []
        whites, blacks = self._discs(luma > 220), self._discs(luma < 36)
        for right in whites:
            left = min(
                blacks, key=lambda at: float(np.hypot(*(at - right))), default=right + [9, 0]
            )
            oval = similarity(np.stack([right, left]))[:36]
            low, high = oval.min(axis=0), oval.max(axis=0)
            boxes.append(FaceBox(low[0], low[1], high[0], high[1]))
        return boxes

    def landmarks(
        self, crops: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        answers = [self._one(crop) for crop in crops]
        points = np.stack([a for a, _ in answers]).astype(np.float32)
        return points, np.array([p for _, p in answers], np.float32)

    def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        middle = np.full(2, (LANDMARK_CROP_SIZE - 1) / 2)
        eyes = []
        for mask, usual in zip((crop > 220, crop < 36), LOOSE_POINTS[EYES], strict=True):
            discs = self._discs(mask)
            if not discs:
                return LOOSE_POINTS, 0.0
            eyes.append(min(discs, key=lambda disc: float(np.hypot(*(disc - usual)))))
        points = similarity(np.stack(eyes)) + self._rng.normal(0, self.noise_px, 2)
        centred = np.abs(points.mean(axis=0) - middle).max() < 0.25 * LANDMARK_CROP_SIZE
        return points, float(centred)

    @staticmethod
    def _discs(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        _, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        return [c for c, s in zip(centres[1:], stats[1:], strict=True) if s[cv2.CC_STAT_AREA] >= 6]


def run(tracker: FaceTracker, frames: Iterable[Picture], start: int = 0) -> list[list[Face]]:
    results = []
    for i, frame in enumerate(frames):
        results.append(tracker.update(frame, (start + i) / FPS))
        tracker.seek(frame)
    return results


def error_px(face: Face, truth: Transform) -> float:
    return float(np.linalg.norm(face.landmarks - landmarks_of(truth), axis=1).max())


def test_the_fake_is_a_face_finder() -> None:
    finder: FaceFinder = DrawnFaceFinder()
    assert finder.find(picture().y) == []


def test_a_face_is_found_in_the_first_frame_with_its_place_and_regions() -> None:
    truth = placed(160, 90, roll=0.2)
    (face,) = FaceTracker(DrawnFaceFinder()).update(picture(truth), 0.0)
    assert error_px(face, truth) < 0.7
    assert face.transform == pytest.approx(truth, abs=0.6)
    assert face.regions.shape == (12, 32, 32) and face.regions.max() == 1.0
    assert face.landmarks.dtype == np.float32


def test_limited_range_pictures_are_seen_in_full_range() -> None:
    crop = loose_crop(picture(grey=16, full_range=False), placed(160, 90))
    assert crop.max() == 0


def test_a_followed_face_keeps_its_id_and_needs_few_searches() -> None:
    finder = DrawnFaceFinder()
    results = run(FaceTracker(finder), (picture(placed(100 + i, 90)) for i in range(90)))
    assert {face.id for faces in results for face in faces} == {0}
    assert all(len(faces) == 1 for faces in results)
    assert finder.searches <= 4


def test_steady_motion_is_followed_within_two_hundredths_of_the_eye_distance() -> None:
    places = [placed(60 + 2 * i, 90 + i / 4) for i in range(60)]
    results = run(FaceTracker(DrawnFaceFinder()), map(picture, places))
    for (face,), truth in zip(results[20:], places[20:], strict=True):
        assert error_px(face, truth) < 0.02 * 0.4 * 102.4 + 0.3


def test_a_still_face_shakes_less_from_frame_to_frame_than_its_landmarker() -> None:
    finder = DrawnFaceFinder(noise_px=0.1)
    results = run(FaceTracker(finder), [picture(placed(160, 90))] * 90)
    steps = np.diff([faces[0].transform[:, 2] for faces in results[30:]], axis=0)
    raw_px = 0.1 * 0.4 * LOOSE_TO_CROP[0, 0]
    assert np.sqrt((steps**2).mean()) < 0.7 * np.sqrt(2) * raw_px


def test_a_briefly_covered_face_stays_and_a_gone_face_goes() -> None:
    tracker, seen = FaceTracker(DrawnFaceFinder()), picture(placed(160, 90))
    run(tracker, [seen] * 10)
    covered = run(tracker, [picture()] * 10, start=10)
    held = sum(bool(faces) for faces in covered)
    assert 1 <= held <= HELD_S * FPS + 1
    assert not covered[-1]


def test_a_face_that_comes_back_within_the_hold_keeps_its_id() -> None:
    tracker, seen = FaceTracker(DrawnFaceFinder()), picture(placed(160, 90))
    run(tracker, [seen] * 10)
    run(tracker, [picture()] * 2, start=10)
    assert [face.id for face in tracker.update(seen, 12 / FPS)] == [0]


def test_a_face_that_was_lost_gets_a_new_id() -> None:
    tracker, seen = FaceTracker(DrawnFaceFinder()), picture(placed(160, 90))
    run(tracker, [seen] * 5 + [picture()] * 20)
    results = run(tracker, [seen] * 3, start=25)
    assert [face.id for face in results[-1]] == [1]


def test_without_a_face_at_most_every_third_frame_is_searched() -> None:
    finder = DrawnFaceFinder()
    run(FaceTracker(finder), [picture()] * 30)
    assert 9 <= finder.searches <= 10


def test_a_newcomer_is_found_within_a_second_or_two() -> None:
    one, two = placed(80, 90), placed(240, 90)
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture(one)] * 30)
    results = run(tracker, [picture(one, two)] * 65, start=30)
    assert sorted(face.id for face in results[-1]) == [0, 1]


def test_faces_come_largest_first() -> None:
    small, large = placed(70, 90, 0.3), placed(220, 90, 0.5)
    faces = FaceTracker(DrawnFaceFinder()).update(picture(small, large), 0.0)
    assert [round(float(face.landmarks[:, 0].mean())) for face in faces] == [220, 70]


def test_no_more_faces_than_asked_for_the_largest_win() -> None:
    faces = [placed(40, 90, 0.2), placed(130, 90, 0.3), placed(250, 90, 0.4)]
    found = FaceTracker(DrawnFaceFinder(), max_faces=2).update(picture(*faces), 0.0)
    assert [round(float(face.landmarks[:, 0].mean())) for face in found] == [250, 130]


def test_a_full_house_is_not_searched() -> None:
    finder = DrawnFaceFinder()
    run(FaceTracker(finder, max_faces=1), [picture(placed(160, 90))] * 90)
    assert finder.searches == 1


def test_a_box_without_a_face_is_turned_down() -> None:
    finder = DrawnFaceFinder(phantom=FaceBox(20, 20, 90, 110))
    results = run(FaceTracker(finder), [picture()] * 10)
    assert not any(results)


def test_two_boxes_on_one_face_are_one_face() -> None:
    truth = placed(160, 90)
    oval = landmarks_of(truth)[:36] + [4, -4]
    low, high = oval.min(axis=0), oval.max(axis=0)
    finder = DrawnFaceFinder(phantom=FaceBox(low[0], low[1], high[0], high[1]))
    assert len(FaceTracker(finder).update(picture(truth), 0.0)) == 1


def test_two_tracks_that_run_into_each_other_become_the_older_one() -> None:
    finder = DrawnFaceFinder()
    tracker = FaceTracker(finder)
    faces = tracker.update(picture(placed(90, 90), placed(230, 90)), 0.0)
    assert {face.id for face in faces} == {0, 1}
    for i in range(1, 71):  # one slides behind the other
        both = picture(placed(90 + i, 90), placed(230 - i, 90))
        faces = tracker.update(picture(placed(160, 90)) if i > 60 else both, i / FPS)
    assert [face.id for face in faces] == [0]


def test_a_scene_cut_starts_afresh_and_finds_at_once() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture(placed(80, 90))] * 10)
    after = placed(220, 80, 0.5)
    other = picture(after)
    luma = other.y.copy()
    luma[:, :120] = 60
    (face,) = tracker.update(replace(other, y=luma), 10 / FPS)
    assert face.id == 1
    assert error_px(face, after) < 0.8


def test_a_light_that_goes_on_is_no_cut() -> None:
    tracker, truth = FaceTracker(DrawnFaceFinder()), placed(160, 90)
    run(tracker, [picture(truth)] * 10)
    assert [face.id for face in tracker.update(picture(truth, grey=170), 10 / FPS)] == [0]


def test_a_new_picture_size_starts_afresh() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture(placed(160, 90))] * 3)
    full = picture(placed(80, 90))
    narrow = Picture(full.y[:, :160], full.u[:, :80], full.v[:, :80], True, "bt601", "center")
    assert [face.id for face in tracker.update(narrow, 0.1)] == [1]


@pytest.mark.parametrize(
    "times", [[0.0] * 40, list(np.arange(40)[::-1] / FPS), [5.0, 1e6, -3.0, 2.0] * 10]
)
def test_pts_that_repeat_or_jump_do_not_break_following(times: list[float]) -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    for i, pts_s in enumerate(times):
        truth = placed(100 + i, 90)
        (face,) = tracker.update(picture(truth), pts_s)
        assert face.id == 0
        assert error_px(face, truth) < 3.0


@pytest.mark.parametrize("place", [(22, 90), (297, 90), (160, 28), (160, 160)])
def test_a_face_cut_by_the_edge_is_followed(place: tuple[int, int]) -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    start, end = np.array([160.0, 90.0]), np.array(place, float)
    for i in range(40):
        x, y = start + (end - start) * i / 39
        truth = placed(x, y, 0.25)
        (face,) = tracker.update(picture(truth), i / FPS)
    assert error_px(face, truth) < 1.5


def test_reset_forgets_the_faces_and_never_reuses_an_id() -> None:
    tracker, seen = FaceTracker(DrawnFaceFinder()), picture(placed(160, 90))
    run(tracker, [seen] * 3)
    tracker.reset()
    assert [face.id for face in tracker.update(seen, 0.2)] == [1]


@pytest.mark.parametrize("scale", [0.2, 0.34, 0.6])
def test_the_loose_crop_shows_the_face_upright_at_any_size(scale: float) -> None:
    truth = placed(160, 90, scale, roll=0.4)
    crop = loose_crop(picture(truth), compose(truth, LOOSE_TO_CROP))
    points, presence = DrawnFaceFinder().landmarks(crop[None])
    assert presence[0] == 1.0
    assert np.abs(points[0] - LOOSE_POINTS).max() < 0.6


def test_one_euro_passes_the_first_rows_and_settles_on_still_ones() -> None:
    smooth = OneEuro(still_hz=1.0, per_unit=0.0)
    assert (smooth(np.zeros((1, 2)), 1 / FPS) == 0).all()
    for _ in range(120):
        out = smooth(np.ones((1, 2)), 1 / FPS)
    assert out == pytest.approx(np.ones((1, 2)), abs=1e-3)


def test_one_euro_forgets_on_reset() -> None:
    smooth = OneEuro(still_hz=1.0, per_unit=0.0)
    smooth(np.zeros((1, 2)), 1 / FPS)
    smooth.reset()
    assert (smooth(np.ones((1, 2)), 1 / FPS) == 1).all()


def test_alignment_of_a_tracked_face_is_its_transform() -> None:
    truth = placed(160, 90, 0.45, roll=-0.3)
    face = run(FaceTracker(DrawnFaceFinder()), [picture(truth)] * 30)[-1][0]
    assert alignment(face.landmarks) == pytest.approx(face.transform, abs=0.05)
