"""CascadeFinder with the weights that ship, and with weights that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

pytest.importorskip("openvino", reason="openvino is not installed")

from engines.face_finder import WEIGHTS, CascadeFinder
from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS, FaceFinder
from stream_retouch.errors import WeightsError
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_POINTS

ASTRONAUT_EYES = np.array([[194.0, 101.0], [258.0, 103.5]])
"""Outer eye corners in skimage's astronaut picture, read off by hand, right eye first."""


@pytest.fixture(scope="module")
def finder() -> CascadeFinder:
    return CascadeFinder.load()


def picture_of_astronaut() -> Picture:
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    red, green, blue = np.moveaxis(data.astronaut().astype(np.float64), -1, 0)
    luma = np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(np.uint8)
    half = np.full((256, 256), 128, np.uint8)
    return Picture(luma, half, half, True, "bt601", "center")


def eyes(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points[[LANDMARKS.index(33), LANDMARKS.index(263)]]


def test_it_is_a_face_finder(finder: CascadeFinder) -> None:
    seam: FaceFinder = finder
    assert seam.find(np.zeros((90, 160), np.uint8)) == []


def test_the_astronaut_is_found_once_and_her_box_holds_her_eyes(finder: CascadeFinder) -> None:
    (box,) = finder.find(picture_of_astronaut().y)
    assert (ASTRONAUT_EYES > [box.x0, box.y0]).all() and (ASTRONAUT_EYES < [box.x1, box.y1]).all()
    assert 60 < box.x1 - box.x0 < 130


def test_the_astronauts_eye_corners_are_met_within_a_tenth_of_their_distance(
    finder: CascadeFinder,
) -> None:
    (face,) = FaceTracker(finder).update(picture_of_astronaut(), 0.0)
    off = np.linalg.norm(eyes(face.landmarks) - ASTRONAUT_EYES, axis=1)
    assert off.max() < 0.1 * np.linalg.norm(ASTRONAUT_EYES[1] - ASTRONAUT_EYES[0])


def test_no_face_in_noise_or_on_a_flat_wall(finder: CascadeFinder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 96)).astype(np.uint8)
    _, presence = finder.landmarks(np.concatenate([noise, np.full_like(noise, 90)]))
    assert presence.max() < 0.2


def test_landmarks_come_in_the_promised_shape(finder: CascadeFinder) -> None:
    crops = np.zeros((3, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE), np.uint8)
    points, presence = finder.landmarks(crops)
    assert points.shape == (3, len(LANDMARKS), 2) and points.dtype == np.float32
    assert presence.shape == (3,) and presence.dtype == np.float32


def test_no_crops_give_no_landmarks(finder: CascadeFinder) -> None:
    points, presence = finder.landmarks(np.zeros((0, 96, 96), np.uint8))
    assert points.shape == (0, len(LANDMARKS), 2) and presence.shape == (0,)


def test_the_graph_computes_what_the_network_computes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from engines.landmark_net import LandmarkNet, folded

    torch.manual_seed(0)
    net = LandmarkNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.start_from(LOOSE_POINTS)
    crops = np.random.default_rng(0).integers(0, 256, (4, 96, 96)).astype(np.uint8)
    luma = torch.from_numpy(crops)[:, None].float()
    for _ in range(20):  # gives the batch norms something to fold
        net(luma)
    net.eval()
    path = tmp_path / "net.safetensors"
    save_file(folded(net), path)
    points, presence = CascadeFinder.load(path).landmarks(crops)
    with torch.no_grad():
        wanted, logits = net(luma)
    assert points == pytest.approx(wanted.numpy(), abs=0.05)
    assert presence == pytest.approx(torch.sigmoid(logits).numpy(), abs=0.01)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="none.safetensors: no such file; reinstall"):
        CascadeFinder.load(tmp_path / "none.safetensors")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(WEIGHTS.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="damaged"):
        CascadeFinder.load(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    path.write_text("these are no weights, but a line of text that is long enough")
    with pytest.raises(WeightsError, match="damaged"):
        CascadeFinder.load(path)


@pytest.mark.parametrize(
    "name", ["squeeze.weight", "body.2.around.bias", "hidden.bias", "out.weight"]
)
def test_weights_without_one_layer_are_refused(tmp_path: Path, name: str) -> None:
    weights = load_file(WEIGHTS)
    del weights[name]
    save_file(weights, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match="another network"):
        CascadeFinder.load(tmp_path / "part.safetensors")


def test_weights_for_other_landmarks_are_refused(tmp_path: Path) -> None:
    weights = load_file(WEIGHTS)
    weights["out.weight"] = weights["out.weight"][:101].copy()
    weights["out.bias"] = weights["out.bias"][:101].copy()
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="other landmarks"):
        CascadeFinder.load(tmp_path / "other.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weights = load_file(WEIGHTS)
    weights["hidden.bias"] = np.full_like(weights["hidden.bias"], np.nan)
    save_file(weights, tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match="not finite"):
        CascadeFinder.load(tmp_path / "nan.safetensors")
