"""Looking at a place: when is what the finder saw a face?"""

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARKS, CropLandmarks, FaceBox
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.sights import TRUSTED, look_closely, newcomer

PLACE = np.array([[0.5, 0.0, 60.0], [0.0, 0.5, 20.0]])


class Witness:
    """A landmarker that sees a centred face and is as sure as its script says, one number a crop."""

    def __init__(self, *presence: float) -> None:
        self.presence = list(presence)
        self.crops: list[NDArray[np.uint8]] = []

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        return []

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        sure = [
            self.presence[min(len(self.crops) + i, len(self.presence) - 1)]
            for i in range(len(crops))
        ]
        self.crops += list(crops)
        points = np.repeat(LOOSE_POINTS[None].astype(np.float32), len(crops), axis=0)
        seen = np.ones((len(crops), len(LANDMARKS)), np.float32)
        return CropLandmarks(points, np.array(sure, np.float32), seen)


def wall() -> Picture:
    """Brighter to the right, in 320x180."""
    luma = np.tile(np.linspace(20, 230, 320).astype(np.uint8), (180, 1))
    half = np.full((90, 160), 128, np.uint8)
    return Picture(luma, half, half, True, "bt601", "center")


def sure(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def test_both_networks_votes_together_make_a_newcomer() -> None:
    sight, taken = newcomer(Witness(sure(4.0)), wall(), PLACE, sure(TRUSTED - 4.0 + 0.1))
    assert sight is not None and taken == 4
    nobody, _ = newcomer(Witness(sure(4.0)), wall(), PLACE, sure(TRUSTED - 4.0 - 0.1))
    assert nobody is None


def test_a_face_from_one_view_only_is_none() -> None:
    one_view = Witness(0.999, 0.3, 0.3, 0.3)
    assert newcomer(one_view, wall(), PLACE, 0.5)[0] is None
    every_view = Witness(0.999, 0.97, 0.97, 0.97)
    assert newcomer(every_view, wall(), PLACE, 0.5)[0] is not None


def test_the_views_are_mirrored_nearer_and_farther() -> None:
    witness = Witness(0.99)
    newcomer(witness, wall(), PLACE, 0.9)
    centred, mirrored, near, far = (crop.astype(int) for crop in witness.crops)
    assert (mirrored == centred[:, ::-1]).all()
    slopes = [int(np.ptp(crop[48])) for crop in (near, centred, far)]
    assert slopes[0] < slopes[1] < slopes[2]


def test_where_nothing_is_one_look_is_enough() -> None:
    sight, taken = newcomer(Witness(0.01), wall(), PLACE, 0.99)
    assert sight is None and taken == 1


@pytest.mark.parametrize("presence", [0.0, 1.0])
@pytest.mark.parametrize("score", [0.0, 1.0])
def test_votes_that_are_quite_sure_do_not_overflow(presence: float, score: float) -> None:
    sight, _ = newcomer(Witness(presence), wall(), PLACE, score)
    assert (sight is not None) == (presence == score == 1.0)


@pytest.mark.parametrize(("presence", "there"), [(0.85, True), (0.7, False)])
def test_a_remembered_face_needs_no_finder(presence: float, there: bool) -> None:
    assert (look_closely(Witness(presence), wall(), PLACE) is not None) == there
