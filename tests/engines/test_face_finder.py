"""NetFinder with the weights that ship, and with weights that are wrong."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

pytest.importorskip("openvino", reason="openvino is not installed")

from engines.face_finder import FINDER_WEIGHTS, LANDMARK_WEIGHTS, NetFinder
from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, FaceFinder
from stream_retouch.errors import WeightsError
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import Picture

ASTRONAUT_EYES = np.array([[194.0, 101.0], [258.0, 103.5]])
"""Outer eye corners in skimage's astronaut picture, read off by hand, right eye first."""
TILT = 6.0
"""Degrees by which she leans in it."""


@pytest.fixture(scope="module")
def finder() -> NetFinder:
    return NetFinder.load()


def picture_of_astronaut() -> Picture:
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    red, green, blue = np.moveaxis(data.astronaut().astype(np.float64), -1, 0)
    luma = np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(np.uint8)
    half = np.full((256, 256), 128, np.uint8)
    return Picture(luma, half, half, True, "bt601", "center")


def eyes(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points[[LANDMARKS.index(33), LANDMARKS.index(263)]]


def test_it_is_a_face_finder(finder: NetFinder) -> None:
    seam: FaceFinder = finder
    assert seam.find(np.zeros((90, 160), np.uint8)) == []


def test_the_astronaut_is_found_once_and_her_box_holds_her_eyes(finder: NetFinder) -> None:
    (box,) = finder.find(picture_of_astronaut().y, sure=0.6)
    assert (ASTRONAUT_EYES > [box.x0, box.y0]).all() and (ASTRONAUT_EYES < [box.x1, box.y1]).all()
    assert 60 < box.x1 - box.x0 < 130


def test_the_astronauts_eye_corners_are_met_within_a_tenth_of_their_distance(
    finder: NetFinder,
) -> None:
    (face,) = FaceTracker(finder).update(picture_of_astronaut(), 0.0)
    off = np.linalg.norm(eyes(face.landmarks) - ASTRONAUT_EYES, axis=1)
    assert off.max() < 0.1 * np.linalg.norm(ASTRONAUT_EYES[1] - ASTRONAUT_EYES[0])


@pytest.mark.parametrize("degrees", [-45, -30, 20, 35])
def test_a_rolled_face_is_found_with_its_roll(finder: NetFinder, degrees: float) -> None:
    luma = picture_of_astronaut().y
    turn = cv2.getRotationMatrix2D((226.0, 115.0), -degrees, 1.0)
    turned = cv2.warpAffine(luma, turn, luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    best = max(finder.find(np.asarray(turned, np.uint8)), key=lambda box: box.score)
    assert math.degrees(best.roll) == pytest.approx(degrees + TILT, abs=12)
    assert np.hypot((best.x0 + best.x1) / 2 - 226, (best.y0 + best.y1) / 2 - 115) < 30


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (320, 320), (1280, 720), (47, 501)])
def test_pictures_of_any_shape_are_searched(finder: NetFinder, size: tuple[int, int]) -> None:
    assert finder.find(np.full(size[::-1], 90, np.uint8)) == []


def test_a_face_lies_at_the_same_place_however_large_the_picture_is(finder: NetFinder) -> None:
    luma = picture_of_astronaut().y
    (small,) = finder.find(luma, sure=0.6)
    (large,) = finder.find(np.asarray(cv2.resize(luma, (1024, 1024)), np.uint8), sure=0.6)
    found = np.array([large.x0, large.y0, large.x1, large.y1]) / 2 - 0.25
    assert found == pytest.approx([small.x0, small.y0, small.x1, small.y1], abs=6)


def test_no_face_in_noise_or_on_a_flat_wall(finder: NetFinder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 96)).astype(np.uint8)
    _, presence, _ = finder.landmarks(np.concatenate([noise, np.full_like(noise, 90)]))
    assert presence.max() < 0.2


def test_landmarks_come_in_the_promised_shape(finder: NetFinder) -> None:
    crops = np.zeros((3, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE), np.uint8)
    points, presence, visibility = finder.landmarks(crops)
    assert points.shape == (3, len(LANDMARKS), 2) and points.dtype == np.float32
    assert presence.shape == (3,) and presence.dtype == np.float32
    assert visibility.shape == (3, len(LANDMARKS)) and visibility.dtype == np.float32


def test_no_crops_give_no_landmarks(finder: NetFinder) -> None:
    points, presence, _ = finder.landmarks(np.zeros((0, 96, 96), np.uint8))
    assert points.shape == (0, len(LANDMARKS), 2) and presence.shape == (0,)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="none.safetensors: no such file; reinstall"):
        NetFinder.load(tmp_path / "none.safetensors")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(LANDMARK_WEIGHTS.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="damaged"):
        NetFinder.load(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    path.write_text("these are no weights, but a line of text that is long enough")
    with pytest.raises(WeightsError, match="damaged"):
        NetFinder.load(path)


@pytest.mark.parametrize(
    "name", ["squeeze.weight", "body.2.around.bias", "hidden.bias", "out.weight"]
)
def test_weights_without_one_layer_are_refused(tmp_path: Path, name: str) -> None:
    weights = load_file(LANDMARK_WEIGHTS)
    del weights[name]
    save_file(weights, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match="another network"):
        NetFinder.load(tmp_path / "part.safetensors")


def test_weights_for_other_landmarks_are_refused(tmp_path: Path) -> None:
    weights = load_file(LANDMARK_WEIGHTS)
    weights["out.weight"] = weights["out.weight"][:101].copy()
    weights["out.bias"] = weights["out.bias"][:101].copy()
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="other landmarks"):
        NetFinder.load(tmp_path / "other.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weights = load_file(LANDMARK_WEIGHTS)
    weights["hidden.bias"] = np.full_like(weights["hidden.bias"], np.nan)
    save_file(weights, tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match="not finite"):
        NetFinder.load(tmp_path / "nan.safetensors")


@pytest.mark.parametrize("name", ["stem.weight", "stages.1.2.around.bias", "heads.2.2.weight"])
def test_finder_weights_without_one_layer_are_refused(tmp_path: Path, name: str) -> None:
    weights = load_file(FINDER_WEIGHTS)
    del weights[name]
    save_file(weights, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match="another network"):
        NetFinder.load(finder_weights=tmp_path / "part.safetensors")


def test_landmark_weights_are_no_finder_weights(finder: NetFinder) -> None:
    with pytest.raises(WeightsError, match="another network"):
        NetFinder.load(finder_weights=LANDMARK_WEIGHTS)
