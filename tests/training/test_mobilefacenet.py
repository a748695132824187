"""MobileFaceNet is rebuilt exactly, and knows people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from stream_retouch.errors import WeightsError  # noqa: E402
from training.mobilefacenet import ARCFACE_POINTS, MESH_POINTS, MobileFaceNet, aligned  # noqa: E402

ARCHIVE = Path(__file__).parents[2].parent / "shared" / "weights" / "mobilefacenet_v1.npz"


@pytest.mark.skipif(not ARCHIVE.is_file(), reason="needs ../shared/weights/mobilefacenet_v1.npz")
def test_the_archive_gives_the_embedding_that_its_readme_tells() -> None:
    c, i, j = np.meshgrid(range(3), range(112), range(112), indexing="ij")
    picture = ((29 * c + 7 * i + 13 * j) % 256).astype(np.uint8).transpose(1, 2, 0)
    found = MobileFaceNet(ARCHIVE).embed(picture[None])[0]
    assert found[:4] == pytest.approx((0.20764, 0.09445, -0.09781, -0.05224), abs=1e-4)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-5)


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="MobileFaceNet"):
        MobileFaceNet(tmp_path / "none.npz")


def test_eyes_nose_and_mouth_come_where_arcface_wants_them() -> None:
    mesh = np.zeros((478, 2), np.float32)
    mesh[list(MESH_POINTS)] = ARCFACE_POINTS * 2.0 + 30.0
    picture = np.zeros((300, 300, 3), np.uint8)
    x, y = (ARCFACE_POINTS[2] * 2.0 + 30.0).round().astype(int)
    picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    face = aligned(picture, mesh)
    ys, xs = np.nonzero(face[..., 0] > 128)
    assert abs(xs.mean() - ARCFACE_POINTS[2, 0]) < 1 and abs(ys.mean() - ARCFACE_POINTS[2, 1]) < 1
