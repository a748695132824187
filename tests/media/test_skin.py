"""Skin evidence and glasses' frames, on painted faces whose hairline is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import (
    CROP_SIZE,
    LANDMARKS,
    LEFT_BROW,
    LEFT_EYE,
    LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
)
from stream_retouch.media.regions import CANONICAL_POINTS, MIRROR, region_maps, skin_map
from stream_retouch.media.skin import (
    EVIDENCE_SIZE,
    LOOK_AGAIN_S,
    LOOK_SIZE,
    SkinMemory,
    skin_evidence,
)

Crop = NDArray[np.uint8]

LIGHT, TAN, DARK = (222, 178, 158), (176, 124, 96), (92, 58, 44)
BLACK_HAIR, BROWN_HAIR, BLOND_HAIR, GREY_HAIR = (
    (24, 20, 18), (74, 50, 36), (186, 152, 96), (150, 150, 152),
)  # fmt: skip
SKINS = [LIGHT, TAN, DARK]
LOOKS = [
    (LIGHT, BLACK_HAIR), (LIGHT, BLOND_HAIR), (LIGHT, GREY_HAIR), (TAN, BROWN_HAIR),
    (TAN, BLACK_HAIR), (DARK, BLACK_HAIR),
]  # fmt: skip


def polygon(crop: Crop, mesh: tuple[int, ...], colour: tuple[int, int, int]) -> None:
    points = CANONICAL_POINTS[[LANDMARKS.index(m) for m in mesh]]
    cv2.fillPoly(crop, [np.rint(points).astype(np.int32)], colour, cv2.LINE_AA)


def shaded(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (min(int(c * share), 255) for c in colour)
    return red, green, blue


def face(
    skin: tuple[int, int, int] = TAN,
    hair: tuple[int, int, int] = BLACK_HAIR,
    hairline: int = 25,
    seed: int = 0,
) -> Crop:
    """A head before a wall: skin up to a level hairline, strands above it, and some camera noise."""
    rng = np.random.default_rng(seed)
    crop = np.full((CROP_SIZE, CROP_SIZE, 3), (120, 128, 140), np.uint8)
    cv2.ellipse(crop, (128, 130), (104, 160), 0, 0, 360, hair, -1, cv2.LINE_AA)
    for x in range(0, CROP_SIZE, 5):
        strand = shaded(hair, rng.uniform(0.6, 1.2))
        cv2.line(crop, (x, 0), (x + int(rng.integers(-6, 7)), 200), strand, 2, cv2.LINE_AA)
    cv2.ellipse(crop, (128, 128), (88, 128), 0, 0, 360, skin, -1, cv2.LINE_AA)
    above = np.full((hairline, CROP_SIZE, 3), hair, np.uint8)
    for x in range(0, CROP_SIZE, 5):
        strand = shaded(hair, rng.uniform(0.6, 1.2))
        cv2.line(above, (x, 0), (x + int(rng.integers(-6, 7)), hairline), strand, 2, cv2.LINE_AA)
    crop[:hairline, 30:226] = above[:, 30:226]
    for eye in (RIGHT_EYE, LEFT_EYE):
        polygon(crop, eye, (60, 45, 40))
    for brow in (RIGHT_BROW, LEFT_BROW):
        polygon(crop, brow, (50, 36, 30))
    polygon(crop, LIPS, (150, 70, 70))
    noisy = crop + rng.normal(0, 2.0, crop.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8)


def blended(crop: Crop, mask: NDArray[np.floating], colour: tuple[int, int, int]) -> Crop:
    mixed = crop * (1 - mask[..., None]) + np.array(colour) * mask[..., None]
    return np.asarray(mixed, np.uint8)


def soft_disc(x: float, y: float, radius: float) -> NDArray[np.float64]:
    yy, xx = np.mgrid[:CROP_SIZE, :CROP_SIZE]
    return np.asarray(np.clip(radius + 0.5 - np.hypot(xx - x, yy - y), 0.0, 1.0), np.float64)


def with_glasses(crop: Crop, colour: tuple[int, int, int], thick: int) -> Crop:
    crop = crop.copy()
    for x in (88, 168):
        cv2.rectangle(crop, (x - 29, 88), (x + 29, 128), colour, thick, cv2.LINE_AA)
    cv2.line(crop, (117, 102), (139, 102), colour, thick, cv2.LINE_AA)
    for x0, x1 in ((30, 59), (197, 226)):
        cv2.line(crop, (x0, 96), (x1, 96), colour, thick, cv2.LINE_AA)
    return crop


def at(evidence: NDArray[np.float32], x: float, y: float) -> float:
    step = CROP_SIZE / EVIDENCE_SIZE
    return float(evidence[int((y + 0.5) / step), int((x + 0.5) / step)])


def hairline_of(evidence: NDArray[np.float32]) -> float:
    """Crop row at which the middle columns turn from hair to skin."""
    column = evidence[: EVIDENCE_SIZE // 2, 26:38].mean(axis=1)
    return float((1.0 - column).sum() * CROP_SIZE / EVIDENCE_SIZE)


INNER = skin_map(CANONICAL_POINTS) > 0.99


def inner(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """The evidence on whole cells of skin well inside the oval, below the forehead's top."""
    cells = cv2.resize(evidence, INNER.shape, interpolation=cv2.INTER_AREA)
    where = cv2.erode(INNER.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    where[:7] = False
    return np.asarray(cells[where])


@pytest.mark.parametrize("hairline", [12, 30, 46, 62])
@pytest.mark.parametrize(("skin", "hair"), LOOKS)
def test_the_forehead_ends_at_the_hairline_of_the_picture(
    skin: tuple[int, int, int], hair: tuple[int, int, int], hairline: int
) -> None:
    evidence = skin_evidence(face(skin, hair, hairline), CANONICAL_POINTS)
    assert hairline_of(evidence) == pytest.approx(hairline, abs=4)
    assert inner(evidence)[20:].min() > 0.9


@pytest.mark.parametrize("skin", SKINS)
def test_moles_pimples_and_shine_stay_skin(skin: tuple[int, int, int]) -> None:
    crop = face(skin)
    rng = np.random.default_rng(1)
    for x, y, radius in ((150, 60, 5), (95, 50, 4), (180, 150, 6)):
        crop = blended(crop, soft_disc(x, y, radius), (45, 28, 22))
    for x, y in rng.normal((85, 155), 9, (14, 2)):
        red = tuple(int(v) for v in (min(skin[0] * 1.1, 255), skin[1] * 0.6, skin[2] * 0.6))
        crop = blended(crop, 0.8 * soft_disc(x, y, 4), (red[0], red[1], red[2]))
    crop = blended(crop, 0.4 * cv2.GaussianBlur(soft_disc(128, 55, 16), (0, 0), 6), (255, 255, 255))
    assert inner(skin_evidence(crop, CANONICAL_POINTS)).min() > 0.9


@pytest.mark.parametrize("skin", SKINS)
def test_wrinkles_and_dark_circles_stay_skin(skin: tuple[int, int, int]) -> None:
    crop = face(skin)
    shade = tuple(int(v * 0.6) for v in skin)
    for y in (42, 52, 62):
        line = np.zeros((CROP_SIZE, CROP_SIZE), np.float64)
        cv2.ellipse(line, (128, y + 20), (60, 22), 0, 200, 340, 0.7, 2, cv2.LINE_AA)
        crop = blended(crop, line, (shade[0], shade[1], shade[2]))
    for x in (90, 166):
        ring = 0.8 * cv2.GaussianBlur(soft_disc(x, 118, 12), (0, 0), 4)
        crop = blended(crop, ring, (shade[0], shade[1] - 10, shade[2]))
    assert inner(skin_evidence(crop, CANONICAL_POINTS)).min() > 0.9


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("width", [4, 40])
def test_the_shadowed_half_of_a_face_stays_skin(skin: tuple[int, int, int], width: float) -> None:
    light = 0.725 + 0.275 * np.tanh((np.arange(CROP_SIZE) - 120) / width)
    crop = (face(skin) * light[None, :, None]).astype(np.uint8)
    evidence = skin_evidence(crop, CANONICAL_POINTS)
    assert inner(evidence).min() > 0.9
    assert hairline_of(evidence) == pytest.approx(25, abs=4)


@pytest.mark.parametrize("skin", SKINS)
def test_stubble_stays_skin(skin: tuple[int, int, int]) -> None:
    crop = face(skin)
    dots = np.random.default_rng(2).random((CROP_SIZE, CROP_SIZE)) < 0.25
    dots[:165] = False
    crop = blended(crop, 0.5 * cv2.GaussianBlur(dots.astype(np.float64), (0, 0), 0.7), (30, 24, 22))
    assert inner(skin_evidence(crop, CANONICAL_POINTS)).min() > 0.9


def test_a_lock_over_one_temple_is_cut_away_on_that_side_only() -> None:
    crop = face(LIGHT, BLACK_HAIR, 25)
    corner = np.array([(128, 0), (256, 0), (256, 110), (205, 100)], np.int32)
    cv2.fillPoly(crop, [corner], BLACK_HAIR, cv2.LINE_AA)
    evidence = skin_evidence(crop, CANONICAL_POINTS)
    assert at(evidence, 190, 55) < 0.1
    assert at(evidence, 66, 55) > 0.9


@pytest.mark.parametrize(("colour", "thick"), [((20, 20, 24), 3), ((20, 20, 24), 7)])
@pytest.mark.parametrize("skin", [LIGHT, TAN])
def test_frames_are_left_out_and_lenses_are_not(
    skin: tuple[int, int, int], colour: tuple[int, int, int], thick: int
) -> None:
    evidence = skin_evidence(with_glasses(face(skin), colour, thick), CANONICAL_POINTS)
    for x in (75, 100, 156, 181):
        assert at(evidence, x, 128) < 0.5
        assert at(evidence, x, 119) > 0.9
    assert at(evidence, 128, 102) < 0.5
    assert at(evidence, 128, 150) > 0.9


def test_bright_frames_on_dark_skin_are_left_out() -> None:
    evidence = skin_evidence(with_glasses(face(DARK), (225, 220, 200), 4), CANONICAL_POINTS)
    assert at(evidence, 90, 128) < 0.5
    assert at(evidence, 90, 119) > 0.9


def test_a_mirrored_face_has_a_mirrored_map() -> None:
    crop = with_glasses(face(LIGHT, BROWN_HAIR, 33), (20, 20, 24), 4)
    corner = np.array([(128, 0), (256, 0), (256, 110), (205, 90)], np.int32)
    cv2.fillPoly(crop, [corner], BROWN_HAIR, cv2.LINE_AA)
    evidence = skin_evidence(crop, CANONICAL_POINTS)
    mirrored = CANONICAL_POINTS[MIRROR] * [-1, 1] + [CROP_SIZE - 1, 0]
    other = skin_evidence(np.ascontiguousarray(crop[:, ::-1]), mirrored)[:, ::-1]
    assert np.abs(evidence - other).mean() < 0.005


def test_the_size_of_the_crop_hardly_matters() -> None:
    crop = face(LIGHT, BROWN_HAIR, 40)
    small = np.asarray(
        cv2.resize(crop, (LOOK_SIZE, LOOK_SIZE), interpolation=cv2.INTER_AREA), np.uint8
    )
    large = np.asarray(cv2.resize(crop, (640, 640), interpolation=cv2.INTER_LINEAR), np.uint8)
    evidence = skin_evidence(crop, CANONICAL_POINTS)
    assert (skin_evidence(small, CANONICAL_POINTS) == evidence).all()
    assert np.abs(skin_evidence(large, CANONICAL_POINTS) - evidence).mean() < 0.01


def test_in_the_dark_the_usual_hairline_holds() -> None:
    black = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
    maps = region_maps(CANONICAL_POINTS, skin_evidence(black, CANONICAL_POINTS))
    assert np.abs(maps - region_maps(CANONICAL_POINTS)).max(axis=0).mean() < 0.02


@pytest.mark.parametrize("shift", [(0.0, 0.0), (-300.0, 0.0), (0.0, 3000.0), (1e6, -1e6)])
@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_no_picture_and_no_landmarks_make_it_raise(
    shift: tuple[float, float], spread: float
) -> None:
    rng = np.random.default_rng(3)
    points = (CANONICAL_POINTS - 128) * spread + 128 + shift
    flat = np.full((CROP_SIZE, CROP_SIZE, 3), 255, np.uint8)
    for crop in (flat, rng.integers(0, 256, flat.shape, np.uint8)):
        evidence = skin_evidence(crop, points)
        assert evidence.shape == (EVIDENCE_SIZE, EVIDENCE_SIZE)
        assert evidence.dtype == np.float32
        assert np.isfinite(evidence).all()
        assert evidence.min() >= 0.0 and evidence.max() <= 1.0


def test_the_first_look_counts_at_once_and_the_next_is_due_in_a_while() -> None:
    memory = SkinMemory()
    assert memory.map is None and memory.due(7.0)
    crop = face()
    seen = memory.update(crop, CANONICAL_POINTS, 7.0)
    assert (seen == skin_evidence(crop, CANONICAL_POINTS)).all()
    assert memory.map is seen
    assert not memory.due(7.0) and not memory.due(7.0 + 0.9 * LOOK_AGAIN_S)
    assert memory.due(7.0 + LOOK_AGAIN_S)


def test_looks_are_averaged_and_a_new_hairstyle_wins_within_two_seconds() -> None:
    memory = SkinMemory()
    for look in range(6):
        memory.update(face(hairline=20), CANONICAL_POINTS, look * LOOK_AGAIN_S)
    before = hairline_of(memory.update(face(hairline=20), CANONICAL_POINTS, 6 * LOOK_AGAIN_S))
    once = hairline_of(memory.update(face(hairline=56), CANONICAL_POINTS, 7 * LOOK_AGAIN_S))
    assert before + 2 < once < before + 20
    for look in range(8, 17):
        once = hairline_of(memory.update(face(hairline=56), CANONICAL_POINTS, look * LOOK_AGAIN_S))
    assert once == pytest.approx(56, abs=4)


@pytest.mark.parametrize("pts_s", [3.0, 20.0])
def test_a_step_back_or_a_long_pause_starts_anew(pts_s: float) -> None:
    memory = SkinMemory()
    memory.update(face(hairline=20), CANONICAL_POINTS, 10.0)
    assert memory.due(pts_s)
    crop = face(hairline=56)
    seen = memory.update(crop, CANONICAL_POINTS, pts_s)
    assert (seen == skin_evidence(crop, CANONICAL_POINTS)).all()
