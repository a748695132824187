"""Hidden landmarks: they follow the visible ones, and go to their guesses slowly."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.engine import LANDMARKS, LIPS, NOSE
from stream_retouch.media.regions import CANONICAL_POINTS
from stream_retouch.media.visible import with_hidden
from tests.media.drawn_faces import landmarks_of, placed

STEP_S = 1 / 30
LOW = [LANDMARKS.index(mesh) for mesh in LIPS + NOSE]


def test_with_everything_visible_nothing_changes() -> None:
    points = landmarks_of(placed(100, 80, 0.7, 0.3))
    assert with_hidden(points, np.ones(len(points)), CANONICAL_POINTS, STEP_S) is points


def test_hidden_points_keep_their_place_on_a_face_that_moves_turns_and_grows() -> None:
    truth = landmarks_of(placed(100, 80, 0.7, 0.3))
    visibility, points = np.ones(len(truth)), truth.copy()
    visibility[LOW], points[LOW] = 0.0, truth[LOW] + 30.0
    filled = with_hidden(points, visibility, CANONICAL_POINTS, STEP_S)
    assert np.abs(filled - truth).max() < 0.5
    assert np.abs(np.delete(filled - points, LOW, axis=0)).max() == 0.0


def test_after_a_long_time_the_guesses_count() -> None:
    truth = landmarks_of(placed(100, 80))
    visibility, points = np.ones(len(truth)), truth.copy()
    visibility[LOW], points[LOW] = 0.0, truth[LOW] + 30.0
    assert with_hidden(points, visibility, CANONICAL_POINTS, 60.0) == pytest.approx(points)


@pytest.mark.parametrize("seen", [[], NOSE[:2], NOSE[:1]])
def test_with_next_to_nothing_visible_the_guesses_hold_scale_and_roll(seen: list[int]) -> None:
    points = landmarks_of(placed(100, 80, 0.7, 0.3))
    points += np.random.default_rng(0).normal(0, 0.5, points.shape)
    visibility = np.zeros(len(points))
    visibility[[LANDMARKS.index(mesh) for mesh in seen]] = 1.0
    filled = with_hidden(points, visibility, CANONICAL_POINTS, STEP_S)
    assert np.abs(filled - points).max() < 3.0
