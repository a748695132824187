"""Region maps and the alignment, on the canonical face and on faces moved from it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import (
    CROP_SIZE,
    LANDMARKS,
    LEFT_BROW,
    LEFT_EYE,
    LIPS,
    REQUEST_SIZE,
    RIGHT_BROW,
    RIGHT_EYE,
)
from stream_retouch.language.plan import (
    CATEGORIES,
    FACE,
    REGIONS,
    Category,
    Edit,
    InstructionPlan,
    Region,
    amounts,
    request_map,
)
from stream_retouch.media.regions import (
    CANONICAL_POINTS,
    MIRROR,
    alignment,
    face_maps,
    into_crop,
    region_maps,
    skin_map,
)


def at(maps: NDArray[np.float32], region: Region, x: float, y: float) -> float:
    """The weight of a region at the cell that holds a crop pixel."""
    return float(maps[REGIONS.index(region), int((y + 0.5) / 8), int((x + 0.5) / 8)])


def point(*mesh: int) -> NDArray[np.float64]:
    return np.asarray(CANONICAL_POINTS[[LANDMARKS.index(m) for m in mesh]].mean(axis=0))


@pytest.fixture(scope="module")
def maps() -> NDArray[np.float32]:
    return region_maps(CANONICAL_POINTS)


def test_canonical_eyes_lie_where_the_crop_is_defined() -> None:
    right, left = point(33), point(263)
    assert left - right == pytest.approx([0.40 * CROP_SIZE, 0.0], abs=0.11)
    assert (left + right) / 2 == pytest.approx([0.5 * CROP_SIZE, 0.41 * CROP_SIZE], abs=0.11)


def test_canonical_face_is_symmetric() -> None:
    flipped = CANONICAL_POINTS[MIRROR] * [-1, 1] + [CROP_SIZE, 0]
    assert flipped == pytest.approx(CANONICAL_POINTS, abs=0.11)
    assert (MIRROR[MIRROR] == np.arange(len(LANDMARKS))).all()


def test_alignment_recovers_a_similarity() -> None:
    turn, shift = np.array([[1.2, -0.5], [0.5, 1.2]]), np.array([300.0, -20.0])
    found = alignment(CANONICAL_POINTS @ turn.T + shift)
    assert found == pytest.approx(np.column_stack([turn, shift]), abs=1e-9)


def test_alignment_of_an_ill_fitting_face_is_still_a_similarity() -> None:
    points = CANONICAL_POINTS + np.random.default_rng(0).normal(0, 5, CANONICAL_POINTS.shape)
    found = alignment(points)
    assert found[0, 0] == found[1, 1] and found[0, 1] == -found[1, 0]
    assert np.abs(found - [[1, 0, 0], [0, 1, 0]]).max() < 3


def test_an_open_jaw_does_not_move_the_alignment() -> None:
    points = CANONICAL_POINTS.copy()
    points[9:28, 1] += 30
    assert alignment(points) == pytest.approx(alignment(CANONICAL_POINTS), abs=1e-9)


def test_into_crop_undoes_the_transform() -> None:
    transform = np.array([[2.0, -0.3, 40.0], [0.3, 2.0, 7.0]])
    frame = CANONICAL_POINTS @ transform[:, :2].T + transform[:, 2]
    assert into_crop(frame, transform) == pytest.approx(CANONICAL_POINTS)


def test_maps_are_weights_of_the_promised_shape(maps: NDArray[np.float32]) -> None:
    assert maps.shape == (len(REGIONS), REQUEST_SIZE, REQUEST_SIZE)
    assert maps.dtype == np.float32
    assert maps.min() == 0.0 and maps.max() == 1.0
    assert (maps.max(axis=(1, 2)) > 0.9).all()


@pytest.mark.parametrize(
    ("region", "x", "y"),
    [
        (Region.FOREHEAD, 128, 50),
        (Region.FOREHEAD, 128, 25),  # above the mesh, below the hairline
        (Region.GLABELLA, 128, 86),
        (Region.LEFT_UNDER_EYE, 164, 120),
        (Region.RIGHT_UNDER_EYE, 92, 120),
        (Region.LEFT_CROWS_FEET, 195, 105),
        (Region.RIGHT_CROWS_FEET, 61, 105),
        (Region.NOSE, 128, 130),
        (Region.LEFT_CHEEK, 178, 150),
        (Region.RIGHT_CHEEK, 78, 150),
        (Region.MOUTH, 100, 166),
        (Region.MOUTH, 88, 172),  # the right nasolabial fold
        (Region.CHIN, 128, 222),
        (Region.JAW, 190, 195),
        (Region.JAW, 66, 195),
    ],
)
def test_a_place_belongs_to_its_region_and_to_no_other(
    maps: NDArray[np.float32], region: Region, x: float, y: float
) -> None:
    assert at(maps, region, x, y) > 0.85
    others = [at(maps, other, x, y) for other in REGIONS if other != region]
    assert max(others) < 0.5


@pytest.mark.parametrize("group", [LEFT_EYE, RIGHT_EYE, LIPS])
def test_eyes_and_lips_are_in_no_region(maps: NDArray[np.float32], group: tuple[int, ...]) -> None:
    x, y = point(*group)
    assert max(at(maps, region, x, y) for region in REGIONS) < 0.05


@pytest.mark.parametrize("group", [LEFT_BROW, RIGHT_BROW])
def test_brows_are_mostly_left_out(maps: NDArray[np.float32], group: tuple[int, ...]) -> None:
    x, y = point(*group)
    assert max(at(maps, region, x, y) for region in REGIONS) < 0.5


def test_borders_between_regions_have_no_dip(maps: NDArray[np.float32]) -> None:
    skin = skin_map(CANONICAL_POINTS)
    inside = maps.max(axis=0)[skin > 0.99]
    assert len(inside) > 300
    assert inside.min() > 0.75
    assert inside.mean() > 0.95


def test_skin_is_the_union_of_the_regions(maps: NDArray[np.float32]) -> None:
    skin = skin_map(CANONICAL_POINTS)
    assert (maps.max(axis=0) <= skin + 0.01).all()


def test_the_persons_left_is_drawn_at_large_x_and_mirrors_the_right(
    maps: NDArray[np.float32],
) -> None:
    mirrored = region_maps(CANONICAL_POINTS[MIRROR] * [-1, 1] + [CROP_SIZE - 1, 0])[:, :, ::-1]
    pairs = [
        (r, r.replace("left", "right") if "left" in r else r.replace("right", "left"))
        for r in REGIONS
    ]
    for region, other in pairs:
        one, two = mirrored[REGIONS.index(region)], maps[REGIONS.index(Region(other))]
        assert np.abs(one - two).mean() < 0.01


def test_nothing_lies_outside_the_face(maps: NDArray[np.float32]) -> None:
    assert maps[:, :, :4].max() == 0.0
    assert maps[:, :, -4:].max() == 0.0


@pytest.mark.parametrize("shift", [(-400.0, 0.0), (0.0, 3000.0), (1e6, -1e6)])
def test_a_face_outside_the_crop_gives_empty_maps(shift: tuple[float, float]) -> None:
    assert region_maps(CANONICAL_POINTS + shift).max() == 0.0


def test_collapsed_landmarks_do_not_raise() -> None:
    assert np.isfinite(region_maps(np.full_like(CANONICAL_POINTS, 128.0))).all()


def test_without_evidence_the_maps_are_what_they_were_when_the_heldout_set_was_frozen() -> None:
    rng = np.random.default_rng(5)
    digest = hashlib.sha256()
    for stray in (0.0, *(3.0,) * 5):
        moved = rng.normal(0, stray, CANONICAL_POINTS.shape) if stray else 0.0
        points = CANONICAL_POINTS + moved
        digest.update(np.rint(region_maps(points) * 255).astype(np.uint8).tobytes())
        digest.update(np.rint(skin_map(points) * 255 * 16).astype(np.uint16).tobytes())
    known = "245b422fae6315781c01e0cfd1610b65d3a67cb21039c3dcdbee520ee0228a59"
    assert digest.hexdigest() == known


def test_without_evidence_nothing_is_cut(maps: NDArray[np.float32]) -> None:
    regions, uncut = face_maps(CANONICAL_POINTS)
    assert (regions == maps).all() and (uncut == maps).all()


EVERYWHERE = np.ones((64, 64), np.float32)
FRINGE = EVERYWHERE.copy()
FRINGE[: 64 * 60 // 256] = 0.0  # hair down to row 60 of the crop
BAR = EVERYWHERE.copy()
BAR[30:32] = 0.0  # a frame under the eyes, rows 120 to 127 of the crop


def test_with_evidence_the_forehead_goes_on_to_the_hairline_above_the_usual_one(
    maps: NDArray[np.float32],
) -> None:
    high = region_maps(CANONICAL_POINTS, EVERYWHERE)
    assert at(maps, Region.FOREHEAD, 128, 4) == 0.0
    assert at(high, Region.FOREHEAD, 128, 4) > 0.95
    assert (high[:, 16:] == maps[:, 16:]).all()


def test_hair_is_cut_out_of_the_forehead_and_leaves_the_rest(maps: NDArray[np.float32]) -> None:
    cut = region_maps(CANONICAL_POINTS, FRINGE)
    assert cut[:, :7].max() == 0.0
    assert cut[:, 8:] == pytest.approx(region_maps(CANONICAL_POINTS, EVERYWHERE)[:, 8:])
    skin = skin_map(CANONICAL_POINTS, FRINGE)
    assert skin[:7].max() == 0.0
    assert (cut.max(axis=0) <= skin + 0.01).all()


def test_stray_hairs_are_asked_for_where_hair_lies_on_the_forehead_and_nothing_else_is() -> None:
    plan = InstructionPlan((Edit("stray_hair", (FACE,), 1.0), Edit("spot", (FACE,), 0.5)))
    asked = request_map(amounts(plan), *face_maps(CANONICAL_POINTS, FRINGE))
    strays, spots = (asked[CATEGORIES.index(c)] for c in (Category.STRAY_HAIR, Category.SPOT))
    assert strays[5, 16] > 0.95 and spots[5, 16] == 0.0
    assert strays[20, 16] == pytest.approx(2 * spots[20, 16]) and spots[20, 16] > 0.4
    assert strays[0, 16] == 0.0  # above the usual hairline there is hair, but no strays


def test_frames_are_left_out_whatever_is_asked() -> None:
    plan = InstructionPlan((Edit("stray_hair", (FACE,), 1.0), Edit("dark_circle", (FACE,), 1.0)))
    asked = request_map(amounts(plan), *face_maps(CANONICAL_POINTS, BAR))
    assert asked[:, 15].max() == 0.0
    circles = asked[CATEGORIES.index(Category.DARK_CIRCLE)]
    assert circles[14, 20] > 0.75 and circles[14, 11] > 0.75


def test_evidence_of_a_mirrored_face_gives_mirrored_maps() -> None:
    side = FRINGE.copy()
    side[:, :20] = 0.0
    points = CANONICAL_POINTS[MIRROR] * [-1, 1] + [CROP_SIZE - 1, 0]
    one = face_maps(CANONICAL_POINTS, side).regions.max(axis=0)
    two = face_maps(points, np.ascontiguousarray(side[:, ::-1])).regions.max(axis=0)[:, ::-1]
    assert np.abs(one - two).mean() < 0.01
