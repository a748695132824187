"""A portrait's own marks: found on made-up skin, and taken over as painted ones are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_retouch.language.plan import REGIONS, Category
from training.found_marks import _blobs, _filled
from training.imperfections import Canvas, compose
from training.own_marks import KINDS, own_marks
from training.portrait_cache import build

SIDE = 416


@pytest.fixture(scope="module")
def skin() -> np.ndarray:
    """(SIDE, SIDE, 3) RGB: even skin with fine texture."""
    rng = np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.normal(0, 6, (SIDE, SIDE, 1)).astype(np.float32), (0, 0), 1.0)
    return np.clip(np.array((205, 160, 140)) + texture[..., None], 0, 255).astype(np.uint8)


def spotted(skin: np.ndarray) -> np.ndarray:
    """Skin with one mole at (120, 150), one red pimple at (260, 220) and a dark line."""
    marked = skin.astype(np.float32)
    for (x, y), colour, sigma in (((120, 150), (60, 70, 75), 3.0), ((260, 220), (0, 45, 40), 4.0)):
        blob = np.zeros((SIDE, SIDE), np.float32)
        blob[y, x] = 1.0
        blob = cv2.GaussianBlur(blob, (0, 0), sigma)
        marked -= (blob / blob.max())[..., None] * np.array(colour, np.float32)
    line = np.zeros((SIDE, SIDE), np.float32)
    cv2.line(line, (60, 320), (340, 335), 1.0, 3, cv2.LINE_AA)
    line = cv2.GaussianBlur(line, (0, 0), 1.5)
    marked -= line[..., None] * np.array((60, 60, 55), np.float32)
    return np.clip(marked, 0, 255).astype(np.uint8)


def canvas_of(rgb: np.ndarray) -> Canvas:
    points = np.zeros((478, 2), np.float32)
    points[33], points[263] = (100, 180), (316, 180)
    regions = np.full((len(REGIONS), 32, 32), 1 / len(REGIONS), np.float32)
    return Canvas(rgb.astype(np.float32) / 255, points, np.ones((SIDE, SIDE), np.float32), regions)


def test_dark_and_red_spots_are_found_and_lines_are_not(skin: np.ndarray) -> None:
    where = np.zeros((SIDE, SIDE), bool)
    where[20:-20, 20:-20] = True
    found = [(x, y) for x, y, radius in _blobs(spotted(skin), where) if radius > 2]
    for spot in ((120, 150), (260, 220)):
        assert any(np.hypot(x - spot[0], y - spot[1]) < 4 for x, y in found)
    assert not any(abs(y - (320 + (x - 60) * 15 / 280)) < 6 for x, y in found if 66 < x < 334)


def test_what_fills_a_hole_is_like_the_skin_around_it(skin: np.ndarray) -> None:
    holes = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(holes, (120, 150), 8, 1, -1)
    filled = _filled(spotted(skin), holes, np.ones((SIDE, SIDE), np.float32))
    disc = holes > 0
    assert abs(float(filled[disc].mean()) - float(skin[disc].mean())) < 4
    assert float(filled[disc].std(0).mean()) > 0.5 * float(skin[disc].std(0).mean())
    far = np.hypot(*(np.mgrid[:SIDE, :SIDE] - np.array((150, 120))[:, None, None])) > 16
    assert np.array_equal(filled[far], spotted(skin)[far])


def test_own_marks_give_back_the_portrait_and_are_taken_away_by_name(skin: np.ndarray) -> None:
    before = spotted(skin)
    found = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(found, (120, 150), 9, KINDS.index(Category.MOLE) + 1, -1)
    cleaned = _filled(before, (found > 0).astype(np.uint8), np.ones((SIDE, SIDE), np.float32))
    canvas = canvas_of(cleaned)
    marks = own_marks(canvas, before.astype(np.float32) / 255, found)
    assert [m.category for m in marks] == [Category.MOLE]
    again = compose(canvas, marks, [1.0]) * 255
    inside = found > 0
    assert float(np.abs(again - before)[inside].mean()) < 1.0
    assert np.array_equal(compose(canvas, marks, [0.0]), canvas.rgb)


def test_marks_of_a_cache_that_is_made_anew_are_forgotten(tmp_path: Path) -> None:
    for name in ("found.npy", "cleaned.npy"):
        (tmp_path / name).write_bytes(b"of other portraits")
    shared = tmp_path / "shared" / "faces" / "portraits"
    shared.mkdir(parents=True)
    (shared / "manifest.csv").write_text("file,person_id\n")
    np.savez(shared / "landmarks.npz", files=np.array([]), landmarks=np.zeros((0, 478, 3)))
    build(tmp_path / "shared", tmp_path)
    assert not (tmp_path / "found.npy").exists()
    assert not (tmp_path / "cleaned.npy").exists()
