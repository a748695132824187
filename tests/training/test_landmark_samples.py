"""What the landmarker is trained on: moved, turned, covered and badly photographed drawn faces."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.engine import FACE_OVAL, LANDMARKS, LEFT_EYE, LIPS, RIGHT_EYE
from stream_retouch.media.loose_crop import LOOSE_POINTS
from tests.training.drawn_face import EYE_LUMA, FACE_LUMA, drawn_source
from training.crop_camera import conditions, photograph
from training.face_covers import behind, covered, cup, glasses, hand, mask, microphone
from training.face_motion import (
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    Expression,
    expression,
    eye_warp,
    mouth_open_warp,
    mouth_width_warp,
)
from training.face_turn import SIZE, Turn, render
from training.landmark_samples import NEGATIVE_SHARE, Sampler

RIGHT_LIDS = (159, 145)
"""Upper and lower lid, middle of the person's right eye."""


def landmarks_of(group: tuple[int, ...]) -> list[int]:
    return [LANDMARKS.index(i) for i in group]


def test_the_same_seed_draws_the_same_samples() -> None:
    sources = [drawn_source(0)]
    one, two = (Sampler(sources, 7) for _ in range(2))
    for _ in range(10):
        a, b = one.draw(), two.draw()
        assert (a.luma == b.luma).all() and (a.points == b.points).all() and a.face == b.face
        assert (a.visible == b.visible).all()


def test_samples_are_crops_of_which_a_share_holds_no_face() -> None:
    sampler = Sampler([drawn_source(i) for i in range(3)], 0)
    samples = [sampler.draw() for _ in range(200)]
    assert all(s.luma.shape == (96, 96) and s.luma.dtype == np.uint8 for s in samples)
    assert all(np.isfinite(s.points).all() and s.points.shape == (126, 2) for s in samples)
    assert abs(np.mean([not s.face for s in samples]) - NEGATIVE_SHARE) < 0.1
    assert not any(s.visible.any() for s in samples if not s.face)


def test_some_points_are_hidden_but_never_most() -> None:
    sampler = Sampler([drawn_source(0)], 1)
    shares = np.array([s.visible.mean() for s in (sampler.draw() for _ in range(150)) if s.face])
    assert shares.min() > 0.4 and 0.6 < shares.mean() < 0.99 and shares.max() == 1.0


def test_a_flipped_sample_keeps_the_persons_left_on_the_persons_left() -> None:
    sampler = Sampler([drawn_source(0)], 3)
    left, right = LANDMARKS.index(263), LANDMARKS.index(33)
    faces = [s for s in (sampler.draw() for _ in range(60)) if s.face]
    # turned by more than 45 degrees off upright nothing is said about left and right
    assert all(s.points[left, 0] > s.points[right, 0] for s in faces)


def test_a_steady_pair_differs_by_noise_only_and_shares_its_points() -> None:
    sampler = Sampler([drawn_source(0)], 5)
    pairs = [sampler.draw_twice() for _ in range(60)]
    assert all((one.points == two.points).all() for one, two, _ in pairs)
    apart = {True: [], False: []}  # type: dict[bool, list[float]]
    for one, two, steady in pairs:
        apart[steady].append(float(np.abs(one.luma.astype(float) - two.luma).mean()))
    assert np.mean(apart[True]) < 0.3 * np.mean(apart[False])


def test_the_points_of_a_turned_face_lie_on_its_picture() -> None:
    source = drawn_source(0)
    for yaw, pitch, roll in ((30.0, 0.0, 0.0), (-30.0, 10.0, 20.0), (0.0, -15.0, -30.0)):
        face = render(source, Turn(yaw, pitch, roll))
        for eye in (LEFT_EYE, RIGHT_EYE):
            x, y = np.rint(face.mesh[list(eye)].mean(axis=0)).astype(int)
            assert face.luma[y, x] < (EYE_LUMA + FACE_LUMA) / 2


def test_an_upright_face_lies_where_the_tracker_would_put_it() -> None:
    face = render(drawn_source(0), Turn())
    assert np.abs(face.points - LOOSE_POINTS).max() < 0.5 and not face.hidden.any()


def test_a_turned_head_hides_points_of_its_far_side_only() -> None:
    far_side = {30.0: landmarks_of(FACE_OVAL[20:34]), -30.0: landmarks_of(FACE_OVAL[3:17])}
    for yaw, side in far_side.items():
        hidden = render(drawn_source(0), Turn(1.7 * yaw)).hidden
        assert hidden[side].any()
        assert not hidden[far_side[-yaw]].any()


@pytest.mark.parametrize("opening", [0.08, 0.5, 1.3])
def test_a_warp_and_its_inverse_are_one(opening: float) -> None:
    mesh = drawn_source(0).mesh[:, :2]
    points = np.random.default_rng(0).uniform(40, 210, (500, 2))
    for warp in (
        eye_warp(mesh, False, opening, 0.1),
        mouth_open_warp(mesh, opening),
        mouth_width_warp(mesh, 0.7 + 0.4 * opening),
    ):
        assert warp.backward(warp.forward(points)) == pytest.approx(points, abs=1e-6)
        assert float(np.abs(warp.forward(points) - points).max()) > 1


def test_a_shut_eye_has_its_lids_together_and_leaves_the_mouth_alone() -> None:
    mesh = drawn_source(0).mesh[:, :2]
    moved = eye_warp(mesh, False, 0.08, 0.0).forward(mesh)
    before, after = (np.ptp(m[list(RIGHT_LIDS), 1]) for m in (mesh, moved))
    assert after < 0.15 * before
    assert (moved[list(LIPS)] == mesh[list(LIPS)]).all()


def test_an_opened_mouth_parts_the_lips_and_is_painted_inside() -> None:
    source = drawn_source(0)
    warp = mouth_open_warp(source.mesh[:, :2], 0.5)
    moved = warp.forward(source.mesh[:, :2])
    apart = moved[INNER_LOWER_LIP[5], 1] - moved[INNER_UPPER_LIP[5], 1]
    assert apart < 3  # both lips lie on one line, which parts: see the picture
    open_, shut = (
        render(source, Turn(), e, mouth=(5.0, 5.0)) for e in (Expression((warp,), warp), None)
    )
    assert (open_.luma < 20).sum() > (shut.luma < 20).sum() + 40
    chin = LANDMARKS.index(152)
    assert open_.points[chin, 1] - open_.points[0, 1] > shut.points[chin, 1] - shut.points[0, 1] + 3


def test_drawn_expressions_can_be_undone() -> None:
    source, rng = drawn_source(0), np.random.default_rng(1)
    points = rng.uniform(40, 210, (300, 2))
    for _ in range(30):
        moved = expression(source.mesh[:, :2], rng)
        assert moved.backward(moved.forward(points)) == pytest.approx(points, abs=1e-5)


@pytest.mark.parametrize("thing", ["hand", "microphone", "cup", "mask"])
def test_what_covers_a_face_hides_some_of_its_points(thing: str) -> None:
    face, hidden = render(drawn_source(0), Turn()), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, alpha = {
            "hand": lambda r=rng: hand(face.luma, face.points, r),
            "microphone": lambda r=rng: microphone(face.points, r),
            "cup": lambda r=rng: cup(face.points, lambda: np.zeros((SIZE, SIZE), np.float32), r),
            "mask": lambda r=rng: mask(face.points, r),
        }[thing]()
        assert alpha.min() >= 0 and alpha.max() <= 1
        hidden.append(behind(alpha, face.points).mean())
    assert 0.02 < np.mean(hidden) < 0.6


def test_dark_glasses_hide_the_eyes_and_clear_ones_do_not() -> None:
    face, eyes = render(drawn_source(0), Turn()), landmarks_of(RIGHT_EYE + LEFT_EYE)
    shares = [
        behind(glasses(face.points, np.random.default_rng(seed))[1], face.points)[eyes].mean()
        for seed in range(40)
    ]
    assert min(shares) < 0.2 and max(shares) > 0.9


def test_covered_pictures_differ_only_where_something_is() -> None:
    face, rng = render(drawn_source(0), Turn()), np.random.default_rng(0)
    for _ in range(30):
        luma, hidden = covered(
            face.luma, face.points, lambda: np.zeros((SIZE, SIZE), np.float32), rng
        )
        assert luma.shape == (SIZE, SIZE) and hidden.shape == (len(LANDMARKS),)
        assert (luma == face.luma).mean() > 0.2


def test_a_camera_changes_light_but_not_where_things_are() -> None:
    picture = np.full((SIZE, SIZE), 40, np.uint8)
    picture[:, SIZE // 2 :] = 200
    rng = np.random.default_rng(0)
    steps = []
    for _ in range(40):
        seen = photograph(picture, conditions(rng), rng).astype(float).mean(axis=0)
        steps.append(np.argmax(np.abs(np.convolve(seen, [1, 1, 0, -1, -1], "same")[3:-3])) + 3)
    assert abs(np.median(steps) - (SIZE / 2 - 0.5)) <= 1
