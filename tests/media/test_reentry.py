"""FaceTracker when faces leave and come back: fades, ids, cuts, garbage, crowds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import FaceBox
from stream_retouch.media.faces import Face, FaceTracker
from stream_retouch.media.frames import Picture
from stream_retouch.media.tracks import BACK_S, HELD_S
from tests.fakes import FakeFinder
from tests.media.drawn_faces import (
    ANN,
    BOB,
    FPS,
    HEIGHT,
    WIDTH,
    DrawnFaceFinder,
    Transform,
    error_px,
    ids,
    picture,
    picture_with,
    placed,
    run,
)

HERE, THERE = placed(80, 90), placed(230, 95, 0.36)
EMPTY = picture()


def ann(*faces: Transform) -> Picture:
    return picture(*faces, who=ANN)


def strengths(results: list[list[Face]]) -> list[float]:
    return [faces[0].strength if faces else 0.0 for faces in results]


def started(*frames: Picture) -> FaceTracker:
    """A tracker that has seen these frames."""
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, frames)
    return tracker


def garbage(seed: int) -> Picture:
    """Blocks of noise that hold no eyes."""
    blocks = np.random.default_rng(seed).integers(40, 215, (9, 16), np.uint8)
    return picture_with(np.kron(blocks, np.ones((20, 20), np.uint8))[:HEIGHT, :WIDTH])


def test_a_covered_face_keeps_its_place_and_fades_out() -> None:
    tracker = started(*[ann(HERE)] * 10)
    covered = run(tracker, [EMPTY] * 10, start=10)
    shown = strengths(covered)
    steps = 1 / (HELD_S * FPS)
    assert np.allclose(shown, [max(0.0, 1 - steps * i) for i in range(1, 11)], atol=1e-6)
    assert all(error_px(faces[0], HERE) < 1.0 for faces in covered if faces)
    assert not covered[-1]


def test_a_moving_face_that_is_covered_goes_on_for_a_tenth_of_a_second_only() -> None:
    tracker = started(*[ann(placed(60 + 2 * i, 90)) for i in range(30)])
    held = run(tracker, [EMPTY] * 5, start=30)
    ways = [faces[0].transform[0, 2] - placed(118, 90)[0, 2] for faces in held]
    assert ways[2] == pytest.approx(6.0, abs=1.0)
    assert ways[4] == pytest.approx(ways[2], abs=0.1)


def test_a_face_that_comes_back_fades_in_from_what_is_left() -> None:
    tracker = started(*[ann(HERE)] * 10)
    left = strengths(run(tracker, [EMPTY] * 3, start=10))[-1]
    back = run(tracker, [ann(HERE)] * 6, start=13)
    assert {i for faces in back for i in ids(faces)} == {0}
    assert strengths(back)[0] == pytest.approx(left + 1 / (BACK_S * FPS))
    assert strengths(back)[-1] == 1.0


@pytest.mark.parametrize("away", [8, 15, 30])
def test_a_face_away_for_up_to_a_second_keeps_its_id_and_fades_in(away: int) -> None:
    tracker = started(*[ann(HERE)] * 10)
    assert not run(tracker, [EMPTY] * away, start=10)[-1]
    back = run(tracker, [ann(HERE)] * 6, start=10 + away)
    assert ids(back[0]) == [0]
    assert 0 < back[0][0].strength < 0.5 and back[-1][0].strength == 1.0


def test_the_remembered_place_is_looked_at_though_the_finder_is_blind() -> None:
    finder = DrawnFaceFinder()
    tracker = FaceTracker(finder)
    run(tracker, [ann(HERE)] * 10 + [EMPTY] * 20)
    finder.blind = True
    assert ids(tracker.update(ann(HERE), 30 / FPS)) == [0]


def test_a_face_that_comes_back_elsewhere_keeps_its_id_by_its_looks() -> None:
    tracker = started(*[ann(HERE)] * 10 + [EMPTY] * 15)
    (face,) = run(tracker, [ann(THERE)], start=25)[-1]
    assert face.id == 0 and error_px(face, THERE) < 1.0


def test_a_face_that_jumps_keeps_its_id_though_it_is_still_listed_at_its_old_place() -> None:
    tracker = started(*[ann(HERE)] * 10)
    (face,) = run(tracker, [ann(THERE)] * 2, start=10)[-1]
    assert face.id == 0 and error_px(face, THERE) < 1.0


def test_another_person_elsewhere_has_a_new_id() -> None:
    tracker = started(*[ann(HERE)] * 10 + [EMPTY] * 15)
    assert ids(run(tracker, [picture(THERE, who=BOB)] * 3, start=25)[-1]) == [1]


@pytest.mark.parametrize("away", [2, 15])
def test_another_person_who_sits_down_at_the_same_place_has_a_new_id(away: int) -> None:
    tracker = started(*[ann(HERE)] * 10 + [EMPTY] * away)
    assert ids(run(tracker, [picture(HERE, who=BOB)] * 3, start=10 + away)[-1]) == [1]


def test_another_person_in_the_very_next_frame_has_a_new_id() -> None:
    tracker = started(*[ann(HERE)] * 10)
    assert ids(tracker.update(picture(HERE, who=BOB), 10 / FPS)) == [1]


def test_after_more_than_a_second_the_id_is_new() -> None:
    tracker = started(*[ann(HERE)] * 10 + [EMPTY] * 40)
    assert ids(run(tracker, [ann(HERE)], start=50)[-1]) == [1]


def test_two_candidates_never_get_one_id() -> None:
    tracker = started(*[ann(HERE)] * 10 + [EMPTY] * 15)
    results = run(tracker, [ann(HERE, THERE)] * 20, start=25)
    assert all(len(set(ids(faces))) == len(faces) for faces in results)
    assert sorted(ids(results[-1])) == [0, 1]
    assert {face.id: error_px(face, HERE) < 1.0 for face in results[-1]} == {0: True, 1: False}


def test_two_faces_that_leave_together_come_back_as_they_were() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    before = run(tracker, [ann(HERE, THERE)] * 20)[-1]
    run(tracker, [EMPTY] * 20, start=20)
    after = run(tracker, [ann(HERE, THERE)] * 10, start=40)[-1]
    assert ids(after) == ids(before)
    for one, other in zip(before, after, strict=True):
        assert np.abs(one.transform - other.transform).max() < 0.5


def test_a_face_that_leaves_through_the_edge_fades_before_it_is_gone() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    run(tracker, [ann(placed(60, 90))] * 10)
    results = run(tracker, [ann(placed(60 - 1.2 * i, 90)) for i in range(70)], start=10)
    shown = strengths(results)
    assert shown[0] == 1.0 and shown[-1] == 0.0
    assert (np.diff(shown) <= 1e-9).all() and np.diff(shown).min() > -0.2


def test_the_first_face_of_a_stream_and_of_a_scene_is_shown_at_once() -> None:
    tracker = FaceTracker(DrawnFaceFinder())
    assert tracker.update(ann(HERE), 0.0)[0].strength == 1.0
    run(tracker, [ann(HERE)] * 5, start=1)
    newcomers = run(tracker, [ann(HERE, THERE)] * 25, start=6)
    first = next(faces for faces in newcomers if len(faces) == 2)
    assert 0 < {face.id: face.strength for face in first}[1] < 0.5


def test_a_scene_cut_to_another_person_gives_a_new_id_at_once() -> None:
    tracker = started(*[ann(HERE)] * 10)
    other = picture(HERE, who=BOB).y.copy()
    other[:, 160:] = 60
    (face,) = tracker.update(picture_with(other), 10 / FPS)
    assert (face.id, face.strength) == (1, 1.0) and error_px(face, HERE) < 1.0


def test_a_scene_cut_to_a_like_face_elsewhere_gives_a_new_id() -> None:
    tracker = started(*[ann(HERE)] * 10)
    other = ann(THERE).y.copy()
    other[:, :120] = 60
    assert ids(tracker.update(picture_with(other), 10 / FPS)) == [1]


def test_a_light_that_goes_on_is_no_cut() -> None:
    tracker = started(*[ann(HERE)] * 10)
    (face,) = tracker.update(picture(HERE, who=ANN, grey=170), 10 / FPS)
    assert (face.id, face.strength) == (0, 1.0)


@pytest.mark.parametrize("length", [1, 3, 20])
@pytest.mark.parametrize("kind", ["garbage", "black", "white"])
def test_after_a_burst_of_garbage_the_face_has_its_id(kind: str, length: int) -> None:
    tracker = started(*[ann(HERE)] * 10)
    levels = {"black": 0, "white": 255}
    burst = [garbage(i) if kind == "garbage" else picture(grey=levels[kind]) for i in range(length)]
    assert not run(tracker, burst, start=10)[-1] or length < 6
    assert ids(run(tracker, [ann(HERE)] * 3, start=10 + length)[-1]) == [0]


def test_after_a_burst_of_garbage_another_person_has_a_new_id() -> None:
    tracker = started(*[ann(HERE)] * 10)
    run(tracker, [garbage(i) for i in range(10)], start=10)
    assert ids(run(tracker, [picture(HERE, who=BOB)] * 3, start=20)[-1]) == [1]


@dataclass
class Crowd(FakeFinder):
    """Two hundred faces whose boxes are a little different each time."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        super().__init__()
        self.sizes = self.rng.permutation(np.linspace(20.0, 28.0, 200))
        self.sizes[[13, 77, 120, 188]] = 31.0

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        self.found += 1
        boxes = []
        for i, size in enumerate(self.sizes):
            x, y = 16 + 32 * (i % 20), 18 + 36 * (i // 20)
            half = size / 2 * self.rng.uniform(0.95, 1.05)
            boxes.append(FaceBox(x - half, y - 1.2 * half, x + half, y + 1.2 * half))
        return boxes


def test_of_a_crowd_the_four_largest_are_followed_and_stay() -> None:
    crowd, tracker = Crowd(), None
    tracker = FaceTracker(crowd)
    results = run(tracker, [picture(size=(1280, 720))] * 90)
    assert crowd.found >= 5
    assert crowd.followed < 12 + 5 * 90
    assert {tuple(sorted(ids(faces))) for faces in results} == {(0, 1, 2, 3)}
    places = {round((f.transform @ [128, 141, 1])[0] / 64 - 0.5) for f in results[-1]}
    assert places == {13, 17, 0, 8}


def test_a_clearly_larger_fifth_face_takes_the_place_of_the_smallest() -> None:
    four = [placed(60 + 130 * i, 60, 0.3 + 0.01 * i) for i in range(4)]
    before = [picture(*four, size=(640, 360))] * 20
    for scale, stays in ((0.34, True), (0.5, False)):
        tracker = FaceTracker(DrawnFaceFinder())
        assert sorted(ids(run(tracker, before)[-1])) == [0, 1, 2, 3]
        five = picture(*four, placed(320, 240, scale), size=(640, 360))
        results = run(tracker, [five] * 45, start=20)
        assert max(len(faces) for faces in results) <= 4
        assert sorted(ids(results[-1])) == ([0, 1, 2, 3] if stays else [0, 1, 2, 4])
        if not stays:
            assert any(0 < f.strength < 1 for faces in results for f in faces if f.id == 3)
