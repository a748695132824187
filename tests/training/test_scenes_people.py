"""A person set into a frame: the landmarks are where their pixels went, and what covers them is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_retouch.engine import FACE_OVAL, LANDMARKS, LEFT_EYE, LIPS, RIGHT_EYE
from stream_retouch.errors import MediaError
from stream_retouch.media.regions import MIRROR
from tests.training.scene_people import PATTERN, SIDE, drawn, mesh, picture, ramp
from training.scenes import occluders, worn
from training.scenes.canvas import Canvas, Cast
from training.scenes.people import Pose, set_person
from training.scenes.portraits import cut_out, load
from training.scenes.scene import oval_size

SHAPE = (384, 640)
LIPS_AT = np.isin(LANDMARKS, LIPS)
EYES_AT = np.isin(LANDMARKS, LEFT_EYE + RIGHT_EYE)


def blank() -> Canvas:
    return Canvas(np.full(SHAPE, 120, np.uint8))


def person(
    canvas: Canvas, roll_deg: float = 0.0, yaw_deg: float = 0.0, pitch_deg: float = 0.0
) -> Cast:
    """Somebody in the middle, in the frame's cast."""
    face = set_person(
        canvas, drawn(1, False), Pose(320.0, 180.0, 150.0, roll_deg, yaw_deg, pitch_deg)
    )
    canvas.cast.append(face)
    return face


def test_a_portrait_that_is_only_scaled_and_rolled_keeps_its_own_landmarks() -> None:
    face = person(blank(), roll_deg=20)
    own = mesh()[list(LANDMARKS), :2]
    scale = 150 / oval_size(own, 0)
    turn = scale * np.exp(1j * np.radians(20))
    expected = (own - own.mean(axis=0)) @ np.array([1, 1j]) * turn
    np.testing.assert_allclose(face.points[:, 0], expected.real + 320, atol=0.01)
    np.testing.assert_allclose(face.points[:, 1], expected.imag + 180, atol=0.01)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("roll", "yaw", "pitch", "near"),
    [
        (0, 0, 0, 0),
        (30, 0, 0, 0.1),
        (0, 30, 0, 0),
        (-25, -48, 10, 0.1),
        (10, 20, -25, -0.05),
        (0, -15, 25, 0),
    ],
)
def test_the_pixel_at_a_visible_landmark_comes_from_that_landmark_of_the_portrait(
    roll: float, yaw: float, pitch: float, near: float, mirrored: bool
) -> None:
    own = mesh()[list(LANDMARKS), :2]
    for axis in (0, 1):
        canvas = blank()
        pose = Pose(320.0, 190.0, 120.0, roll, yaw, pitch, near, mirrored)
        face = set_person(canvas, ramp(axis), pose)
        assert face.visible.mean() > 0.6
        column, row = np.rint(face.points[face.visible]).astype(int).T
        shown = canvas.picture[row, column] / PATTERN
        source = own[MIRROR] if mirrored else own
        off = np.abs(shown - source[face.visible, axis]) / oval_size(own, 0)
        assert np.median(off) < 0.012
        assert off.max() < 0.08  # beside the nose, where a pixel spans a fold


def test_a_head_turned_far_hides_its_far_side_only() -> None:
    face = person(blank(), yaw_deg=60)
    far = np.isin(LANDMARKS, (234, 127, 162, 93))
    near = np.isin(LANDMARKS, (454, 356, 389, 323, 263))
    assert not face.visible[far].any()
    assert face.visible[near].all()
    nose = face.points[LANDMARKS.index(1), 0]
    assert nose < face.points[: len(FACE_OVAL), 0].mean()


def test_a_head_turned_down_takes_the_nose_down() -> None:
    level, down = person(blank()), person(blank(), pitch_deg=20)
    nose = LANDMARKS.index(1)
    assert down.points[nose, 1] > level.points[nose, 1] + 5


def test_whoever_is_painted_later_hides_the_landmarks_beneath() -> None:
    canvas = blank()
    behind = person(canvas)
    x, y = np.floor(behind.points[LIPS_AT].min(axis=0)).astype(int) - 2
    patch = np.zeros((60, 90), np.uint8)
    canvas.blend(patch, np.full_like(patch, 100), x, y)
    assert behind.visible.all()  # one sees through it
    canvas.blend(patch, np.full_like(patch, 255), x, y)
    assert not behind.visible[LIPS_AT].any()
    assert behind.visible[EYES_AT].all()
    set_person(canvas, drawn(2, False), Pose(320.0, 180.0, 200.0))
    assert not behind.visible.any()


def test_things_before_a_face_hide_what_they_cover() -> None:
    rng = np.random.default_rng(3)
    masked, shaded, clear = person(one := blank()), person(two := blank()), person(three := blank())
    worn.mask(rng, one, masked)
    assert not masked.visible[LIPS_AT].any() and masked.visible[EYES_AT].all()
    worn.glasses(rng, two, shaded, dark=True)
    assert not shaded.visible[EYES_AT].any() and shaded.visible[LIPS_AT].all()
    worn.glasses(rng, three, clear, dark=False)
    assert clear.visible[EYES_AT].mean() > 0.6


@pytest.mark.parametrize("thing", [occluders.hand, occluders.microphone, occluders.cup])
def test_what_hides_a_landmark_has_changed_its_pixel(thing: object) -> None:
    canvas, hidden, changed = blank(), 0, 0
    face = person(canvas)
    clean = canvas.picture.copy()
    for seed in range(6):
        canvas.picture[:], face.visible[:] = clean, True
        thing(np.random.default_rng(seed), canvas, face, 0.5)  # type: ignore[operator]
        column, row = np.rint(face.points[~face.visible]).astype(int).T
        hidden += len(row)
        changed += int((canvas.picture[row, column] != clean[row, column]).sum())
    assert hidden > 12
    assert changed > 0.9 * hidden


def test_nothing_is_painted_outside_the_canvas_window() -> None:
    canvas = blank()
    canvas.window = (280, 100, 360, 200)
    face = person(canvas)
    occluders.hand(np.random.default_rng(0), canvas, face, 0.5)
    outside = canvas.picture.copy()
    outside[100:200, 280:360] = 120
    assert (outside == 120).all()
    inside = ((np.rint(face.points) >= (280, 100)) & (np.rint(face.points) < (360, 200))).all(
        axis=1
    )
    assert not face.visible[~inside].any() and inside.any()


def test_a_person_is_cut_out_of_a_plain_backdrop() -> None:
    matte = cut_out(picture(4, True), mesh()[:, :2])
    column, row = np.rint(mesh()[list(LANDMARKS), :2]).astype(int).T
    assert matte[row, column].min() > 100
    assert matte[380, 210] > 200  # the clothes
    assert matte[:60].max() == 0 and matte[100:250, :60].max() < 30


def test_small_faces_are_drawn_from_small_copies() -> None:
    portrait = drawn(1, False)
    assert portrait.level(10).picture.shape[0] < portrait.level(80).picture.shape[0]
    level = portrait.level(20)
    places = portrait.unit_mesh[list(LIPS), :2] * level.size + level.centre
    column, row = np.rint(places.mean(axis=0)).astype(int)
    lips = np.array([90, 80, 190]) @ [0.114, 0.587, 0.299]
    assert abs(int(level.picture[row, column]) - lips) < 12


def test_portraits_load_with_their_meshes_and_without_their_pictures_raise(tmp_path: Path) -> None:
    folder = tmp_path / "faces" / "portraits"
    folder.mkdir(parents=True)
    manifest = "file,person_id,expression,gender,ethnicity\na.png,london_001,neutral,,\n"
    (folder / "manifest.csv").write_text(manifest, encoding="utf-8")
    np.savez(folder / "landmarks.npz", files=["a.png"], landmarks=mesh()[None])
    with pytest.raises(MediaError, match="no readable picture; copy the portraits again"):
        load(tmp_path, heldout=False, colour=True)
    cv2.imwrite(str(folder / "a.png"), picture(4, True))
    (portrait,) = load(tmp_path, heldout=False, colour=False, size_px=(30.0, 60.0))
    assert portrait.picture.ndim == 3 and portrait.picture.shape[2] == 1
    assert portrait.size == pytest.approx(60, rel=0.02)
    lips = portrait.mesh[list(LIPS), :2].mean(axis=0)
    assert portrait.picture[int(lips[1] + 0.5), int(lips[0] + 0.5), 0] < 130
    assert SIDE > portrait.picture.shape[0]
