"""Painted imperfections on a made-up face: flat skin and the canonical mesh, no picture of a person."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.language.plan import CATEGORIES, HOME_SPILL, HOME_ZONES, REGIONS, Category
from stream_retouch.media.regions import CANONICAL_POINTS, region_maps
from tests.training.mesh import made_up_mesh
from training.imperfections import PAINTERS, Canvas, Mark, category_masks, compose, paint_face
from training.imperfections.anatomy import skin_of
from training.imperfections.noise import splat
from training.real_marks import may_be_real

SIDE = 512
LIGHT = (0.84, 0.68, 0.60)
DARK = (0.36, 0.24, 0.19)


def made_up_face(colour: tuple[float, float, float] = LIGHT, side: int = SIDE) -> Canvas:
    rng = np.random.default_rng(5)
    grain = rng.normal(0.0, 0.01, (side, side, 1))
    rgb = np.clip(np.asarray(colour) * (1.0 + grain), 0.0, 1.0).astype(np.float32)
    mesh = made_up_mesh(side)
    skin = skin_of(np.rint(rgb * 255).astype(np.uint8), mesh)
    return Canvas(rgb, mesh, skin, region_maps(CANONICAL_POINTS))


def painted(category: Category, seed: int = 3, strength: float = 0.6) -> tuple[Canvas, list[Mark]]:
    canvas = made_up_face()
    for attempt in range(20):
        marks = PAINTERS[category](canvas, np.random.default_rng([seed, attempt]), strength)
        if marks:
            return canvas, marks
    raise AssertionError(f"{category} painted nothing in 20 attempts")


def test_every_category_has_a_painter() -> None:
    assert set(PAINTERS) == set(CATEGORIES)


def test_made_up_face_is_a_face() -> None:
    canvas = made_up_face()
    assert canvas.unit == pytest.approx(0.40 * SIDE / 100, rel=0.01)
    assert 0.15 < canvas.skin.mean() < 0.6


@pytest.mark.parametrize("category", CATEGORIES)
def test_boxes_lie_inside_the_canvas_and_fit_their_fields(category: Category) -> None:
    canvas, marks = painted(category)
    for mark in marks:
        assert mark.category is category
        assert mark.region in REGIONS
        assert 0 <= mark.x0 < mark.x1 <= canvas.side
        assert 0 <= mark.y0 < mark.y1 <= canvas.side
        shape = (mark.y1 - mark.y0, mark.x1 - mark.x0)
        assert mark.gain.shape == (*shape, 3)
        assert mark.mask.shape == shape
        assert mark.add is None or mark.add.shape == (*shape, 3)


@pytest.mark.parametrize("category", CATEGORIES)
def test_masks_are_soft_and_full_in_the_core(category: Category) -> None:
    _, marks = painted(category)
    strongest = max(float(mark.mask.max()) for mark in marks)
    assert strongest > 0.6
    for mark in marks:
        assert mark.mask.dtype == np.float32
        assert 0.0 <= mark.mask.min() and mark.mask.max() <= 1.0
        assert ((mark.mask > 0.02) & (mark.mask < 0.98)).any()


@pytest.mark.parametrize("category", CATEGORIES)
def test_fields_are_finite_and_change_the_picture_visibly_but_not_absurdly(
    category: Category,
) -> None:
    canvas, marks = painted(category)
    picture = compose(canvas, marks, [1.0] * len(marks))
    assert np.isfinite(picture).all()
    change = np.abs(picture - canvas.rgb).max(-1)
    assert change.max() > 8 / 255
    assert (change > 8 / 255).mean() < 0.25


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_change_lies_under_the_mask(category: Category) -> None:
    canvas, marks = painted(category)
    change = np.abs(compose(canvas, marks, [1.0] * len(marks)) - canvas.rgb).sum(-1)
    covered = np.zeros_like(change, dtype=bool)
    for mark in marks:
        covered[mark.y0 : mark.y1, mark.x0 : mark.x1] |= mark.mask > 0.05
    assert change[covered].sum() > 0.8 * change.sum()


@pytest.mark.parametrize("category", CATEGORIES)
def test_nothing_is_painted_off_the_skin(category: Category) -> None:
    canvas, marks = painted(category)
    picture = compose(canvas, marks, [1.0] * len(marks))
    off = canvas.skin == 0.0
    # A lens blur of half a pixel may carry a trace over the rim.
    assert np.abs(picture - canvas.rgb)[off].max() < 0.08


@pytest.mark.parametrize("category", sorted(HOME_ZONES))
def test_home_zone_kinds_stay_at_home(category: Category) -> None:
    allowed = HOME_ZONES[category] + HOME_SPILL.get(category, ())
    for seed in range(4):
        _, marks = painted(category, seed=seed)
        assert all(mark.region in allowed for mark in marks)


@pytest.mark.parametrize("category", CATEGORIES)
def test_amount_0_is_bit_exactly_the_clean_picture(category: Category) -> None:
    canvas, marks = painted(category)
    before = canvas.rgb.copy()
    nothing = compose(canvas, marks, [0.0] * len(marks))
    assert np.array_equal(nothing, canvas.rgb)
    mapped = compose(canvas, marks, [np.zeros((32, 32), np.float32)] * len(marks))
    assert np.array_equal(mapped, canvas.rgb)
    compose(canvas, marks, [1.0] * len(marks))
    assert np.array_equal(canvas.rgb, before)


@pytest.mark.parametrize("category", CATEGORIES)
def test_more_amount_is_more_change(category: Category) -> None:
    canvas, marks = painted(category)
    steps = [
        float(np.abs(compose(canvas, marks, [a] * len(marks)) - canvas.rgb).sum())
        for a in (0.25, 0.5, 0.75, 1.0)
    ]
    assert steps == sorted(steps)
    assert steps[0] > 0.0


@pytest.mark.parametrize("category", CATEGORIES)
def test_more_strength_is_more_change(category: Category) -> None:
    canvas = made_up_face()
    change = []
    for strength in (0.05, 0.95):
        total = 0.0
        for seed in range(6):
            marks = PAINTERS[category](canvas, np.random.default_rng(seed), strength)
            picture = compose(canvas, marks, [1.0] * len(marks))
            total += float(((picture - canvas.rgb) ** 2).sum())
        change.append(total)
    assert change[1] > change[0]


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_same_seed_paints_the_same(category: Category) -> None:
    first, second = (
        PAINTERS[category](made_up_face(), np.random.default_rng(11), 0.5) for _ in range(2)
    )
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.box == b.box
        assert np.array_equal(a.gain, b.gain)
        assert np.array_equal(a.mask, b.mask)


def test_pigment_is_multiplicative_so_texture_survives() -> None:
    canvas, marks = painted(Category.REDNESS)
    mark = marks[0]
    clean = canvas.rgb[mark.y0 : mark.y1, mark.x0 : mark.x1]
    core = mark.mask > 0.9
    picture = compose(canvas, [mark], [1.0])[mark.y0 : mark.y1, mark.x0 : mark.x1]
    grain = [
        np.diff(np.log(p[..., 1]), axis=1)[core[:, 1:] & core[:, :-1]] for p in (clean, picture)
    ]
    assert np.corrcoef(*grain)[0, 1] > 0.75


def test_redness_is_red_and_moles_are_brown_on_any_skin() -> None:
    for colour in (LIGHT, DARK):
        canvas = made_up_face(colour)
        for category in (Category.REDNESS, Category.MOLE):
            for seed in range(5):
                for mark in PAINTERS[category](canvas, np.random.default_rng(seed), 0.7):
                    red, green, blue = mark.gain[mark.mask > 0.8].mean(0)
                    assert red > green
                    assert blue < 1.0


def test_an_amount_map_acts_only_where_it_is_not_0() -> None:
    canvas, marks = painted(Category.FRECKLE)
    left_half = np.zeros((32, 32), np.float32)
    left_half[:, :16] = 1.0
    picture = compose(canvas, marks, [left_half] * len(marks))
    changed = np.abs(picture - canvas.rgb).max(-1) > 0
    assert changed[:, : SIDE // 2].any()
    assert not changed[:, SIDE // 2 + 9 :].any()


def test_a_full_amount_map_equals_amount_1() -> None:
    canvas, marks = painted(Category.PIMPLE)
    ones = [np.ones((32, 32), np.float32)] * len(marks)
    assert np.allclose(
        compose(canvas, marks, ones), compose(canvas, marks, [1.0] * len(marks)), atol=1e-6
    )


def test_category_masks_are_the_maximum_of_the_marks() -> None:
    canvas = made_up_face()
    marks = paint_face(canvas, np.random.default_rng(2), (Category.MOLE, Category.REDNESS))
    truth = category_masks(marks, SIDE, 128)
    assert truth.shape == (17, 128, 128)
    present = {i for i in range(17) if truth[i].any()}
    assert present == {CATEGORIES.index(m.category) for m in marks}
    redness = [m for m in marks if m.category is Category.REDNESS]
    assert truth[CATEGORIES.index(Category.REDNESS)].max() == pytest.approx(
        max(float(m.mask.max()) for m in redness), abs=0.02
    )


def test_paint_face_paints_the_named_categories_only() -> None:
    wanted = (Category.SHINE, Category.PORES, Category.EYE_BAG)
    marks = paint_face(made_up_face(), np.random.default_rng(0), wanted)
    assert {mark.category for mark in marks} == set(wanted)


def test_a_face_without_skin_gets_no_marks() -> None:
    canvas = made_up_face()
    bald = Canvas(canvas.rgb, canvas.landmarks, np.zeros_like(canvas.skin), canvas.regions)
    assert paint_face(bald, np.random.default_rng(0), CATEGORIES) == []


@pytest.mark.parametrize("side", (384, 768))
def test_sizes_scale_with_the_face(side: int) -> None:
    canvas = made_up_face(side=side)
    marks = PAINTERS[Category.DARK_CIRCLE](canvas, np.random.default_rng(1), 0.5)
    covered = sum(float(mark.mask.sum()) for mark in marks) / side**2
    small = made_up_face(side=512)
    reference = PAINTERS[Category.DARK_CIRCLE](small, np.random.default_rng(1), 0.5)
    assert covered == pytest.approx(sum(float(m.mask.sum()) for m in reference) / 512**2, rel=0.15)


def test_splat_places_to_a_fraction_of_a_pixel_and_cuts_nothing() -> None:
    one = np.ones(1, np.float32)
    field = splat((21, 31), 10.3 * one, 7.6 * one, 1.5 * one, one, one, 0 * one, hardness=1.0)
    rows, cols = np.mgrid[:21, :31]
    assert (field * cols).sum() / field.sum() == pytest.approx(10.3, abs=0.02)
    assert (field * rows).sum() / field.sum() == pytest.approx(7.6, abs=0.02)
    rim = splat((21, 31), -0.5 * one, 7.6 * one, 1.5 * one, one, one, 0 * one)
    assert rim[8, 0] > 0.5 and rim[8, 30] == 0.0


def test_real_mark_detector_finds_painted_marks_and_leaves_most_skin() -> None:
    canvas = made_up_face()
    rng = np.random.default_rng(8)
    marks = [
        *PAINTERS[Category.MOLE](canvas, rng, 0.5),
        *PAINTERS[Category.PIMPLE](canvas, rng, 0.7),
        *PAINTERS[Category.FOREHEAD_WRINKLE](canvas, rng, 0.7),
    ]
    picture = compose(canvas, marks, [1.0] * len(marks))
    found = may_be_real(np.rint(picture * 255).astype(np.uint8), canvas.skin, canvas.unit)
    assert found.shape == canvas.skin.shape and found.dtype == np.float32
    assert 0.0 <= found.min() and found.max() <= 1.0
    solid = canvas.skin > 0.5
    assert found[solid].mean() < 0.3
    for mark in marks:
        inside = found[mark.y0 : mark.y1, mark.x0 : mark.x1]
        core = (mark.mask > 0.7) & (mark.gain[..., 1] < 0.92)
        assert not core.any() or inside[core].mean() > 0.5
