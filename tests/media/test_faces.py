"""FaceTracker on drawn faces: found, followed, steady, within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.engine import LANDMARKS, LIPS, NOSE, FaceBox, FaceFinder
from stream_retouch.media.affine import compose
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.loose_crop import LOOSE_POINTS, LOOSE_TO_CROP, loose_crop
from stream_retouch.media.regions import alignment
from stream_retouch.media.searching import SEARCH_EVERY_S
from tests.media.drawn_faces import (
    FPS,
    DrawnFaceFinder,
    error_px,
    ids,
    landmarks_of,
    picture,
    placed,
    run,
    slip_px,
)


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
    assert finder.searches <= 2 + 3 / SEARCH_EVERY_S


def test_a_newcomer_is_found_within_a_second() -> None:
    one, two = placed(80, 90), placed(240, 90)
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture(one)] * 30)
    results = run(tracker, [picture(one, two)] * 30, start=30)
    assert sorted(face.id for face in results[-1]) == [0, 1]


def test_faces_come_largest_first() -> None:
    small, large = placed(70, 90, 0.3), placed(220, 90, 0.5)
    faces = FaceTracker(DrawnFaceFinder()).update(picture(small, large), 0.0)
    assert [round(float(face.landmarks[:, 0].mean())) for face in faces] == [220, 70]


def test_no_more_faces_than_asked_for_the_largest_win() -> None:
    faces = [placed(40, 90, 0.2), placed(130, 90, 0.3), placed(250, 90, 0.4)]
    found = FaceTracker(DrawnFaceFinder(), max_faces=2).update(picture(*faces), 0.0)
    assert [round(float(face.landmarks[:, 0].mean())) for face in found] == [250, 130]


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
    points, presence, _ = DrawnFaceFinder().landmarks(crop[None])
    assert presence[0] == 1.0
    assert np.abs(points[0] - LOOSE_POINTS).max() < 0.6


def test_alignment_of_a_tracked_face_is_its_transform() -> None:
    truth = placed(160, 90, 0.45, roll=-0.3)
    face = run(FaceTracker(DrawnFaceFinder()), [picture(truth)] * 30)[-1][0]
    assert alignment(face.landmarks) == pytest.approx(face.transform, abs=0.05)


def test_a_rolled_face_is_found_from_its_box() -> None:
    for roll in (-0.75, 0.75):
        finder, truth = DrawnFaceFinder(), placed(160, 90, roll=roll)
        (face,) = FaceTracker(finder).update(picture(truth), 0.0)
        assert error_px(face, truth) < 0.7
        assert finder.looks == 4, (
            "one look is centred already; the others are views of the same place"
        )


def test_an_upside_down_face_is_not_followed() -> None:
    finder = DrawnFaceFinder()
    results = run(FaceTracker(finder), [picture(placed(160, 90, roll=np.pi))] * 10)
    assert finder.searches == 10 and not any(results)


def test_without_a_face_every_frame_is_searched_at_first_and_later_ten_times_a_second() -> None:
    finder = DrawnFaceFinder()
    tracker = FaceTracker(finder)
    run(tracker, [picture()] * 60)
    assert finder.searches == 60
    run(tracker, [picture()] * 300, start=60)
    assert 98 <= finder.searches - 60 <= 102


def test_after_a_long_time_without_a_face_one_is_found_within_200_ms() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture()] * 100)
    results = run(tracker, [picture(placed(160, 90))] * 6, start=100)
    assert results[-1]


def test_searching_is_left_to_seek_while_a_face_is_in_view() -> None:
    finder = DrawnFaceFinder()
    tracker = FaceTracker(finder)
    for i in range(90):
        tracker.update(picture(placed(160, 90)), i / FPS)
    assert finder.searches == 1


def test_motion_from_rest_is_followed_within_two_pixels_of_the_crop() -> None:
    """0.5 face widths a second: 82 crop pixels."""
    scale = 0.6
    ways = [0.0] * 20 + [82 * scale / FPS * i for i in range(1, 50)]
    places = [placed(70 + way, 90, scale) for way in ways]
    results = run(FaceTracker(DrawnFaceFinder()), map(picture, places))
    slips = [slip_px(faces[0], truth) for faces, truth in zip(results, places, strict=True)]
    assert max(slips) < 2.0
    assert np.mean(slips[40:]) < 0.8


def test_a_turn_from_rest_is_followed_within_two_pixels_of_the_crop() -> None:
    places = [placed(160, 90, 0.6, 0.02 * max(0, i - 20)) for i in range(60)]
    results = run(FaceTracker(DrawnFaceFinder()), map(picture, places))
    assert max(slip_px(f[0], truth) for f, truth in zip(results, places, strict=True)) < 2.0


def test_a_still_face_trembles_by_less_than_015_pixels_of_the_crop() -> None:
    """The landmarker shakes by 0.3 crop pixels."""
    finder, truth = DrawnFaceFinder(noise_px=0.1), placed(160, 90)
    results = run(FaceTracker(finder), [picture(truth)] * 90)
    middle = np.mean([faces[0].transform for faces in results[30:]], axis=0)
    tremble = [slip_px(faces[0], middle) for faces in results[30:]]
    assert np.sqrt(np.mean(np.square(tremble))) < 0.15


def test_a_hand_over_mouth_and_nose_does_not_shake_the_crop() -> None:
    """The guesses of all hidden points jump by 15 crop pixels."""
    finder, truth = DrawnFaceFinder(), placed(160, 90)
    tracker = FaceTracker(finder)
    before = run(tracker, [picture(truth)] * 30)[-1][0]
    finder.hidden = [LANDMARKS.index(mesh) for mesh in LIPS + NOSE]
    finder.guess_px = 5.0
    after = run(tracker, [picture(truth)] * 30, start=30)
    assert max(slip_px(faces[0], before.transform) for faces in after) < 0.5
    assert {faces[0].strength for faces in after} == {1.0}


def test_with_every_point_hidden_nothing_breaks() -> None:
    finder, truth = DrawnFaceFinder(), placed(160, 90)
    tracker = FaceTracker(finder)
    run(tracker, [picture(truth)] * 5)
    finder.hidden, finder.guess_px = list(range(len(LANDMARKS))), 3.0
    results = run(tracker, [picture(truth)] * 10, start=5)
    assert np.isfinite(results[0][0].transform).all()
    assert not results[-1]


def test_two_tracks_that_run_into_each_other_become_one() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    faces = tracker.update(picture(placed(90, 90), placed(230, 90)), 0.0)
    assert sorted(ids(faces)) == [0, 1]
    for i in range(1, 71):  # one slides behind the other
        both = picture(placed(90 + i, 90), placed(230 - i, 90))
        faces = tracker.update(picture(placed(160, 90)) if i > 60 else both, i / FPS)
        assert len({face.id for face in faces}) == len(faces)
    assert len(faces) == 1 and faces[0].id in (0, 1)


def test_a_call_that_changes_its_resolution_keeps_its_faces() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture(placed(160, 90))] * 5)
    truth = placed(320.5, 180.5, 0.8)
    (face,) = tracker.update(picture(truth, size=(640, 360)), 5 / FPS)
    assert face.id == 0 and error_px(face, truth) < 1.0


def test_another_picture_shape_starts_afresh() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [picture(placed(80, 90))] * 3)
    assert ids(tracker.update(picture(placed(80, 90), size=(160, 180)), 0.1)) == [1]


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 31), (321, 181), (90, 700)])
def test_black_and_white_frames_of_any_size_hold_no_face(level: int, size: tuple[int, int]) -> None:
    finder = DrawnFaceFinder(phantom=FaceBox(-5, -5, size[0], size[1], 0.1))
    blank = picture(grey=level, size=size)
    assert not any(run(FaceTracker(finder), [blank] * 3))


def test_boxes_and_landmarks_that_are_no_numbers_are_turned_down() -> None:
    class Broken(DrawnFaceFinder):
        def landmarks(self, crops):  # type: ignore[no-untyped-def]
            return (
                super()
                .landmarks(crops)
                ._replace(points=np.full((len(crops), len(LANDMARKS), 2), np.nan, np.float32))
            )

    seen = picture(placed(160, 90))
    assert not any(run(FaceTracker(Broken()), [seen] * 3))
    nowhere = FaceBox(np.nan, 0, np.inf, 5)
    assert len(run(FaceTracker(DrawnFaceFinder(phantom=nowhere)), [seen] * 3)[-1]) == 1


def test_a_finder_that_does_not_see_an_unsure_face_for_long_ends_it() -> None:
    finder, seen = DrawnFaceFinder(), picture(placed(160, 90))
    tracker = FaceTracker(finder)
    run(tracker, [seen] * 10)
    finder.blind, finder.presence = True, 0.6
    held = run(tracker, [seen] * 120, start=10)
    assert held[50] and not held[-1]


def test_a_face_that_the_landmarker_is_sure_of_needs_no_finder() -> None:
    finder, seen = DrawnFaceFinder(), picture(placed(160, 90))
    tracker = FaceTracker(finder)
    run(tracker, [seen] * 10)
    finder.blind = True
    assert ids(run(tracker, [seen] * 150, start=10)[-1]) == [0]


def test_a_face_much_smaller_than_another_is_left_alone_and_a_smaller_one_is_not() -> None:
    near = placed(150, 180, 1.2)
    size = (640, 360)
    for scale, count in ((0.17, 1), (0.3, 2)):
        frame = picture(near, placed(500, 180, scale), size=size)
        assert len(run(FaceTracker(DrawnFaceFinder()), [frame] * 10)[-1]) == count
    alone = picture(placed(500, 180, 0.17), size=size)
    assert len(FaceTracker(DrawnFaceFinder()).update(alone, 0.0)) == 1
