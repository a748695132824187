"""The portrait cache: geometry on a made-up mesh, and the real thing where the shared data lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import MediaError
from stream_retouch.media.regions import CANONICAL_POINTS, MIRROR
from training.portrait_cache import COVER, MESH_MIRROR, PortraitCache, build, square_to_frame
from training.splits import HELDOUT_PERSONS

SHARED = Path(__file__).parents[2].parent / "shared"
needs_portraits = pytest.mark.skipif(
    not (SHARED / "faces" / "portraits" / "landmarks.npz").is_file(),
    reason="needs ../shared/faces/portraits",
)


def test_the_square_covers_the_canonical_crop_and_shares_its_middle() -> None:
    mesh = np.zeros((478, 2), np.float32)
    mesh[list(LANDMARKS)] = CANONICAL_POINTS * 3.0 + (40.0, 70.0)
    matrix = square_to_frame(mesh, 832)
    square = np.linalg.solve(matrix[:, :2], (mesh[list(LANDMARKS)] - matrix[:, 2]).T).T
    scale = 832 / (COVER * CROP_SIZE)
    expected = (CANONICAL_POINTS - (CROP_SIZE - 1) / 2) * scale + 415.5
    assert np.abs(square - expected).max() < 1e-3


def test_a_missing_cache_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="run python -m training.portrait_cache"):
        PortraitCache(tmp_path)


def test_missing_portraits_say_how_to_name_them(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="--shared"):
        build(tmp_path, tmp_path / "cache")


def test_mesh_mirror_is_an_involution_that_agrees_with_the_landmarks_that_cross_the_seam() -> None:
    assert np.array_equal(MESH_MIRROR[MESH_MIRROR], np.arange(478))
    subset = np.array(LANDMARKS)
    assert np.array_equal(MESH_MIRROR[subset], subset[MIRROR])


@needs_portraits
def test_cache_holds_aligned_training_portraits(tmp_path: Path) -> None:
    folder = build(SHARED, tmp_path, size=416, limit=3)
    written = (folder / "index.json").stat().st_mtime_ns
    cache = PortraitCache(folder)
    assert len(cache) == 3
    assert cache.shares.sum() == pytest.approx(1.0)
    assert not {record["person_id"] for record in cache.records} & HELDOUT_PERSONS
    build(SHARED, tmp_path, size=416, limit=3)
    assert (folder / "index.json").stat().st_mtime_ns == written
    for portrait in cache:
        assert portrait.rgb.shape == (416, 416, 3)
        corners = portrait.landmarks[[33, 263]]
        across = float(np.hypot(*(corners[1] - corners[0])))
        assert across == pytest.approx(0.40 * portrait.crop_side, rel=0.08)
        assert portrait.skin.shape == portrait.may_be_real.shape == (416, 416)
        assert 0.03 < portrait.may_be_real[portrait.skin > 128].mean() / 255 < 0.3


@needs_portraits
def test_mirrored_points_lie_on_the_mirrored_face(tmp_path: Path) -> None:
    portrait = PortraitCache(build(SHARED, tmp_path, size=416, limit=1))[0]
    flipped = portrait.landmarks[portrait.mirrored] * (-1, 1) + (415, 0)
    away = np.hypot(*(flipped - portrait.landmarks).T)
    assert np.median(away) < 0.02 * portrait.crop_side
    assert away.max() < 0.06 * portrait.crop_side
