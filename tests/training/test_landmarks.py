"""The landmarker's training on drawn faces, and its augmentation."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from engines.face_finder import CascadeFinder
from stream_retouch.engine import (
    FACE_OVAL,
    LANDMARK_CROP_SIZE,
    LANDMARKS,
    LEFT_EYE,
    LIPS,
    RIGHT_EYE,
)
from stream_retouch.errors import MediaError
from stream_retouch.media.regions import CANONICAL_POINTS
from training.landmark_samples import Sampler, Source
from training.landmarks import Config, inter_ocular_error, train
from training.splits import HELDOUT_PERSONS, portraits

SHARED = Path(__file__).parents[3] / "shared"


def drawn_source(seed: int) -> Source:
    """An ellipse with dark eyes and mouth; the mesh is the canonical face, bulging towards the
    camera."""
    rng = np.random.default_rng(seed)
    points = CANONICAL_POINTS * 0.72 + 30
    mesh = np.zeros((478, 3))
    mesh[:, :2] = points.mean(axis=0)
    mesh[list(LANDMARKS), :2] = points
    away = mesh[:, :2] - points.mean(axis=0)
    mesh[:, 2] = 0.004 * (away**2).sum(axis=1) - 20
    luma = np.full((250, 250), rng.integers(20, 90), np.uint8)
    for group, level in ((FACE_OVAL, 180), (LEFT_EYE, 40), (RIGHT_EYE, 40), (LIPS, 90)):
        cv2.fillPoly(luma, [np.rint(mesh[list(group), :2]).astype(np.int32)], int(level))
    return Source(cv2.GaussianBlur(luma, (0, 0), 1.0).astype(np.uint8), mesh)


def test_twenty_steps_lower_the_loss_and_leave_weights_that_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [drawn_source(i) for i in range(4)]
    config = Config(tmp_path, steps=20, batch=16, workers=0, evaluate_draws=40)
    figures = train(sources, sources[:1], config)
    printed = capsys.readouterr().out.strip().splitlines()
    assert json.loads(printed[-1]) == figures
    assert figures["steps"] == 20 and 0 < figures["nme_heldout_upright"] < 1
    about = json.loads((tmp_path / "landmarks.json").read_text())
    assert about["figures"] == figures and "HELDOUT_PERSONS" in about["trained_on"]
    assert (tmp_path / "landmarks.safetensors").stat().st_size < 1_500_000
    points, _ = CascadeFinder.load(tmp_path / "landmarks.safetensors").landmarks(
        np.zeros((1, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE), np.uint8)
    )
    assert np.isfinite(points).all()


def test_the_same_seed_draws_the_same_samples() -> None:
    sources = [drawn_source(0)]
    one, two = (Sampler(sources, 7) for _ in range(2))
    for _ in range(10):
        a, b = one.draw(), two.draw()
        assert (a.luma == b.luma).all() and (a.points == b.points).all() and a.face == b.face


def test_samples_are_crops_of_which_a_share_holds_no_face() -> None:
    sampler = Sampler([drawn_source(i) for i in range(3)], 0)
    samples = [sampler.draw() for _ in range(200)]
    assert all(s.luma.shape == (96, 96) and s.luma.dtype == np.uint8 for s in samples)
    assert all(np.isfinite(s.points).all() and s.points.shape == (126, 2) for s in samples)
    assert 0.1 < np.mean([not s.face for s in samples]) < 0.35


def test_the_points_of_a_turned_face_lie_on_its_picture() -> None:
    source, sampler = drawn_source(0), Sampler([drawn_source(0)], 0)
    for yaw, pitch, roll in ((30.0, 0.0, 0.0), (-30.0, 10.0, 20.0), (0.0, -15.0, -30.0)):
        luma, mesh = sampler.render(source, roll, yaw, pitch, 1.0, np.zeros(2))
        for eye in (LEFT_EYE, RIGHT_EYE):
            x, y = np.rint(mesh[list(eye)].mean(axis=0)).astype(int)
            assert luma[y, x] < 110  # dark eye on a face of 180


def test_a_flipped_sample_keeps_the_persons_left_on_the_persons_left() -> None:
    sampler = Sampler([drawn_source(0)], 3)
    left, right = LANDMARKS.index(263), LANDMARKS.index(33)
    faces = [s for s in (sampler.draw() for _ in range(60)) if s.face]
    assert all(s.points[left, 0] > s.points[right, 0] for s in faces)


def test_inter_ocular_error_is_a_share_of_the_outer_eye_distance() -> None:
    wanted = CANONICAL_POINTS[None]
    assert inter_ocular_error(wanted + [10.24, 0], wanted) == pytest.approx([0.1], rel=1e-3)


def test_missing_portraits_are_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no portraits here; name their folder with --shared"):
        portraits(tmp_path, heldout=False)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared portraits are not here")
def test_held_out_persons_are_in_one_half_only() -> None:
    seen = {p.person_id for p in portraits(SHARED, heldout=False)}
    held = {p.person_id for p in portraits(SHARED, heldout=True)}
    assert held == HELDOUT_PERSONS and not seen & held
