"""Mixed portraits: whose skin is where, what goes along with it, and the cache that holds them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_retouch.errors import MediaError
from tests.training.made_up_cache import SIDE, made_up_cache, made_up_portrait
from training.mixed_portraits import MIXED_SHARE, build, donors, main
from training.mixed_skin import mixed
from training.portrait_cache import CachedPortrait, PortraitCache
from training.splits import VALIDATION_PERSONS
from training.tones import mean_tone


def spotted(portrait: CachedPortrait) -> CachedPortrait:
    """With small dark spots all over the skin, known as its own marks and as what may be real."""
    y, x = np.mgrid[:SIDE, :SIDE]
    spots = (np.hypot(x % 20 - 10, y % 20 - 10) < 2.5) & (np.asarray(portrait.skin) > 250)
    soft = cv2.GaussianBlur(spots.astype(np.float32), (0, 0), 0.8)[..., None]
    rgb = np.rint(portrait.rgb * (1 - 0.4 * soft)).astype(np.uint8)
    real = spots.astype(np.uint8) * 255
    return replace(
        portrait,
        rgb=rgb,
        may_be_real=real,
        found=spots.astype(np.uint8) * 3,
        cleaned=np.array(portrait.rgb),
    )


def plain(seed: int) -> CachedPortrait:
    """Without any mark."""
    portrait = made_up_portrait(seed)
    none = np.zeros((SIDE, SIDE), np.uint8)
    return replace(portrait, found=none, cleaned=np.array(portrait.rgb))


def test_others_marks_come_along_and_are_known_as_such() -> None:
    lender = spotted(made_up_portrait(1))
    face = mixed(plain(0), [lender] * 3, np.random.default_rng(2))
    assert face.found is not None and face.cleaned is not None
    borrowed = face.found == 3
    assert 0.1 < borrowed.sum() / (lender.found == 3).sum() < 1.2
    assert set(np.unique(face.found)) == {0, 3}
    cleaned, rgb = face.cleaned.astype(np.float32), face.rgb.astype(np.float32)
    # They are darker by what they were at home, and without them the skin is as bright as around.
    depth = (rgb[borrowed] / cleaned[borrowed]).mean()
    assert depth == pytest.approx(0.65, abs=0.08)
    around = (face.skin > 250) & (cv2.dilate(face.may_be_real, np.ones((7, 7))) == 0)
    assert cleaned[borrowed].mean() == pytest.approx(rgb[around].mean(), rel=0.03)
    assert face.may_be_real[borrowed].mean() > 150


def test_the_face_keeps_its_slow_tones_and_what_is_no_skin() -> None:
    face, lender = plain(0), spotted(made_up_portrait(5))
    lender = replace(lender, rgb=(lender.rgb * 0.8).astype(np.uint8))
    after = mixed(face, [lender] * 3, np.random.default_rng(3))
    skin = face.skin > 250
    assert after.rgb[skin].mean() == pytest.approx(face.rgb[skin].mean(), rel=0.04)
    apart = np.abs(after.rgb.astype(np.float32) - face.rgb)
    # A made-up face is flat but for its grain, so bending it changes nothing else.
    edge = cv2.dilate(face.skin, np.ones((25, 25))) == 0
    assert apart[edge].mean() < 8
    assert np.hypot(*(after.landmarks - face.landmarks).T).max() < 0.06 * SIDE
    assert np.hypot(*(after.landmarks - face.landmarks).T).mean() > 0.5


def test_landmarks_lie_where_the_picture_went() -> None:
    face = plain(0)
    dots = np.zeros((SIDE, SIDE, 3), np.uint8)
    chosen = (33, 263, 61, 291, 10, 152)
    for point in face.landmarks[list(chosen)]:
        cv2.circle(dots, tuple(int(v) for v in np.rint(point)), 4, (255,) * 3, -1)
    after = mixed(replace(face, rgb=dots, cleaned=dots), [], np.random.default_rng(7))
    shift = np.hypot(*(after.landmarks - face.landmarks)[list(chosen)].T)
    _, _, _, centres = cv2.connectedComponentsWithStats((after.rgb[..., 0] > 128).astype(np.uint8))
    for point in after.landmarks[list(chosen)]:
        assert np.hypot(*(centres[1:] - point).T).min() < 1.2
    assert shift.max() > 2


def test_the_same_numbers_mix_the_same_face() -> None:
    parts = plain(0), [spotted(made_up_portrait(i)) for i in (1, 2)]
    first, again = (mixed(*parts, np.random.default_rng(4)) for _ in range(2))
    other = mixed(*parts, np.random.default_rng(6))
    assert np.array_equal(first.rgb, again.rgb) and not np.array_equal(first.rgb, other.rgb)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Three portraits whose own marks are known; the last is for validation."""
    folder = made_up_cache(tmp_path / "portraits")
    index = json.loads((folder / "index.json").read_text())
    for record in index["portraits"]:
        record["source"] = "london"
    (folder / "index.json").write_text(json.dumps(index))
    rgb = np.load(folder / "rgb.npy")
    np.save(folder / "cleaned.npy", rgb)
    np.save(folder / "found.npy", np.zeros(rgb.shape[:3], np.uint8))
    return folder


def test_a_cache_holds_them_after_those_they_are_made_of(cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "mixed"
    assert main([str(cache), str(out), "--count", "4", "--processes", "1"]) == 0
    before, after = PortraitCache(cache), PortraitCache(out)
    assert len(after) == len(before) + 4 and after.knows_own_marks
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(before, after, strict=False))
    assert after.validation == before.validation
    assert after.shares[3:].sum() / after.shares[:3].sum() == pytest.approx(MIXED_SHARE * 3 / 2)
    assert not {r["person_id"] for r in after.records[3:]} & VALIDATION_PERSONS


def test_nobody_lends_to_himself_and_validation_persons_to_none(cache: Path) -> None:
    people = PortraitCache(cache)
    tones = np.stack([mean_tone(p) for p in people])
    chosen = donors(people, tones, 0, 50, np.random.default_rng(0))
    assert set(chosen) == {1}


def test_what_cannot_be_is_refused(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MediaError, match="another folder"):
        build(cache, cache, 1)
    with pytest.raises(MediaError, match="make room"):
        build(cache, tmp_path / "mixed", 10**9)
    (cache / "found.npy").unlink()
    with pytest.raises(MediaError, match="run training.found_marks"):
        build(cache, tmp_path / "mixed", 1)
    assert main([str(tmp_path / "nowhere"), str(tmp_path / "mixed")]) == 1
    assert "run python -m training.portrait_cache" in capsys.readouterr().err
