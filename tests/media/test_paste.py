"""Pasting: exact where nothing is to change, right in every coding, and only where the mask is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import cv2
import numpy as np
import pytest

from stream_retouch.engine import CHROMA_STEP, OFFSET_STEP, EditLayer
from stream_retouch.media.edits import FEATHER_PX, edit_of, halved, mixed, scaled, tinted
from stream_retouch.media.frames import picture_of, take_crop
from stream_retouch.media.paste import paste
from stream_retouch.media.texture import MEASURE_AGAIN_S, Texture, texture_of
from tests.fakes import (
    layer_code,
    make_frame,
    make_layer,
    make_scene,
    make_transform,
    planes_copy,
    rgb_of,
)

CODINGS = list(product(("bt601", "bt709"), (False, True)))
MIDDLE = (slice(32, 96), slice(32, 96))


def pasted(frame, transform, *layers):
    return paste(frame, picture_of(frame), [(transform, edit_of(layer)) for layer in layers])


def wild_layer(seed=0):
    rng = np.random.default_rng(seed)
    return EditLayer(
        rng.integers(0, 256, (4, 128, 128)).astype(np.uint8),
        rng.integers(0, 256, (128, 128)).astype(np.uint8),
        float(rng.uniform(0, 255)),
    )


@pytest.mark.parametrize("matrix, full_range", CODINGS)
@pytest.mark.parametrize("mask_on", [True, False])
def test_an_identity_edit_gives_back_every_byte(matrix, full_range, mask_on):
    """Neutral codes under a full mask, and wild codes under an empty one, texture spared
    or not."""
    noise = np.random.default_rng(1).uniform(0, 255, (151, 203, 3))
    frame = make_frame(rgb=noise, matrix=matrix, full_range=full_range)
    layer = make_layer() if mask_on else replace(wild_layer(), mask=np.zeros((128, 128), np.uint8))
    textured = replace(edit_of(layer), texture=np.full((32, 32), 5.0, np.float32))
    transform = make_transform((90, 70), 0.7, 12.0)
    for edit in (edit_of(layer), textured):
        new = paste(frame, picture_of(frame), [(transform, edit)])
        assert new is not frame
        for before, after in zip(planes_copy(frame), planes_copy(new), strict=True):
            np.testing.assert_array_equal(after, before)


def test_outside_the_mask_every_byte_stays_and_the_source_is_never_written():
    frame = make_frame(321, 243, noise=6.0)
    before = planes_copy(frame)
    layer = make_layer(255, 108, -59, 61, inside=MIDDLE)
    new = pasted(frame, make_transform((150, 111), 0.6), layer)
    for plane, old in zip(planes_copy(frame), before, strict=True):
        np.testing.assert_array_equal(plane, old)
    reach = 0.6 * (64 + 2 + 1)  # half the mask's side, a layer pixel of slope, rounding
    for plane, old, step in zip(planes_copy(new), before, (1, 2, 2), strict=True):
        rows, columns = np.nonzero(plane != old)
        assert rows.size > 500
        assert np.abs(columns * step - 150).max() <= reach + 2
        assert np.abs(rows * step - 111).max() <= reach + 2


def test_a_new_frame_keeps_times_and_colour_attributes():
    frame = make_frame(64, 48, pts=4321, time_base=Fraction(1, 1000), matrix="bt709")
    frame.color_primaries, frame.color_trc = 1, 1
    new = pasted(frame, make_transform((30, 20), 0.1), make_layer(offset=48))
    assert (new.pts, new.time_base) == (4321, Fraction(1, 1000))
    for name in ("color_range", "colorspace", "color_primaries", "color_trc", "width", "height"):
        assert getattr(new, name) == getattr(frame, name)
    assert new.format.name == "yuv420p"


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (5, 3), (2, 7), (64, 1), (37, 41)])
@pytest.mark.parametrize("scale", [0.02, 0.4, 2.0])
def test_frames_of_any_size_are_pasted_onto(size, scale):
    frame = make_frame(*size, rgb=np.full((size[1], size[0], 3), 120.0), full_range=True)
    transform = make_transform((size[0] / 2 - 0.5, size[1] / 2 - 0.5), scale)
    y, u, v = planes_copy(pasted(frame, transform, make_layer(offset=30, cr=15)))
    middle = (size[1] // 2, size[0] // 2)
    assert y[middle] == 150
    if scale > 0.02:
        assert (y == 150).all() and (v == 128 + 15).all() and (u == 128).all()


@pytest.mark.parametrize("centre", [(0, 0), (319, 239), (160, -40), (-90, 100), (330, 120)])
@pytest.mark.parametrize("degrees", [0.0, 40.0, 180.0])
def test_a_face_cut_by_the_edge_is_pasted_as_far_as_it_is_there(centre, degrees):
    frame = make_frame(320, 240, rgb=np.full((240, 320, 3), 120.0), full_range=True)
    wide = make_frame(1280, 960, rgb=np.full((960, 1280, 3), 120.0), full_range=True)
    layer = make_layer(100, 63, -21, 16.5, skin_luma=140.0)
    small = planes_copy(pasted(frame, make_transform(centre, 1.0, degrees), layer))
    moved = make_transform((centre[0] + 480, centre[1] + 360), 1.0, degrees)
    large = planes_copy(pasted(wide, moved, layer))
    for part, whole, step in zip(small, large, (1, 2, 2), strict=True):
        rows, columns = part.shape
        y, x = 360 // step, 480 // step
        same = whole[y : y + rows, x : x + columns].astype(int)
        assert np.abs(part - same).max() <= 1  # sampling places are rounded from another corner
        assert (part != same).mean() < 0.001


def test_a_face_outside_the_frame_changes_nothing():
    frame = make_frame()
    new = pasted(frame, make_transform((2000, -900), 1.0), wild_layer())
    for before, after in zip(planes_copy(frame), planes_copy(new), strict=True):
        np.testing.assert_array_equal(after, before)


def test_the_formula_is_that_of_the_edit_layer():
    """Y' = Y + M*((g-1)*(Y-mu) + o) and C' = C + M*c, to the nearest code, in full-range BT.601."""
    frame = make_frame(320, 240, full_range=True, noise=8.0)
    layer = make_layer(102, 15, -6, 9.5, mask=153, skin_luma=170.0)
    new = pasted(frame, make_transform((160, 120), 0.5), layer)
    inner = (slice(90, 150), slice(130, 190))
    half = (slice(45, 75), slice(65, 95))
    y, u, v = (p.astype(float) for p in planes_copy(frame))
    mask, flat = 153 / 255, 102 / 255
    y = y + mask * (-flat * (y - 170.0) + 15)
    u, v = u - mask * 6, v + mask * 9.5
    for got, expected, part in zip(planes_copy(new), (y, u, v), (inner, half, half), strict=True):
        assert np.abs(got[part] - expected[part]).max() <= 0.5 + 1e-3


def test_results_stay_within_a_byte():
    for offset, value, level in ((127, 250.0, 255), (-128, 5.0, 0)):
        frame = make_frame(rgb=np.full((64, 64, 3), value), full_range=True)
        layer = make_layer(offset=offset, cb=offset / 2, cr=offset / 2)
        y, _, _ = planes_copy(pasted(frame, make_transform((32, 32), 0.4), layer))
        assert (y == level).all()


@pytest.mark.parametrize("changes", [(255, 18, 0, 0), (0, -12, 9, -6), (200, 0, -13.5, 16.5)])
def test_the_same_content_looks_the_same_in_every_coding(changes):
    scene = make_scene(320, 240)
    layer = make_layer(*changes, mask=200, skin_luma=165.0)
    results = []
    for matrix, full_range in CODINGS:
        frame = make_frame(rgb=scene, matrix=matrix, full_range=full_range, siting="center")
        picture = replace(picture_of(frame), siting="center")
        new = paste(frame, picture, [(make_transform((160, 120), 0.7), edit_of(layer))])
        results.append(rgb_of(planes_copy(new), matrix=matrix, full_range=full_range))
    reference = results[CODINGS.index(("bt601", True))]
    assert np.abs(reference - scene)[80:160, 100:220].max() > 8
    for result in results:
        difference = np.abs(result - reference)[60:180, 80:240]
        assert difference.max() <= 4.5  # 8-bit codes of chroma alone are worth 2 in blue
        assert difference.mean() <= 1.0


@pytest.mark.parametrize("matrix, full_range", CODINGS)
def test_flattening_to_mu_reaches_that_bt601_luma_in_every_coding(matrix, full_range):
    """A grey-green spot in skin: BT.709 luma alone would land elsewhere."""
    scene = np.broadcast_to([180.0, 120.0, 90.0], (96, 96, 3)).copy()
    scene[40:56, 40:56] = [90.0, 110.0, 60.0]
    frame = make_frame(rgb=scene, matrix=matrix, full_range=full_range, siting="center")
    picture = replace(picture_of(frame), siting="center")
    layer = make_layer(flatten=255, skin_luma=140.0)
    new = paste(frame, picture, [(make_transform((47.5, 47.5), 0.7), edit_of(layer))])
    rgb = rgb_of(planes_copy(new), matrix=matrix, full_range=full_range)
    luma = rgb @ [0.299, 0.587, 0.114]
    assert np.abs(luma[44:52, 44:52] - 140).max() <= 1.5
    assert np.abs(luma[20:32, 20:32] - 140).max() <= 1.5


@pytest.mark.parametrize("siting", ["left", "center"])
@pytest.mark.parametrize("degrees", [0.0, 30.0])
@pytest.mark.parametrize("spot", [(40, 50), (77, 61), (90, 35)])
def test_a_chroma_only_dot_returns_to_its_place(siting, degrees, spot):
    """Its centre of gravity in the frame is where the transform puts it, to half a chroma pixel."""
    frame = make_frame(640, 480, rgb=np.full((480, 640, 3), 120.0), siting=siting)
    picture = replace(picture_of(frame), siting=siting)
    layer = make_layer()
    layer.codes[2:, spot[0] - 1 : spot[0] + 2, spot[1] - 1 : spot[1] + 2] = layer_code(
        54, CHROMA_STEP
    )
    transform = make_transform((320, 240), 1.1, degrees)
    new = paste(frame, picture, [(transform, edit_of(layer))])
    old_y, old_u, _ = planes_copy(frame)
    y, u, v = planes_copy(new)
    np.testing.assert_array_equal(y, old_y)
    change = u.astype(float) - old_u
    rows, columns = np.mgrid[: u.shape[0], : u.shape[1]]
    x = 2 * (columns * change).sum() / change.sum() + (0.0 if siting == "left" else 0.5)
    row = 2 * (rows * change).sum() / change.sum() + 0.5
    place = transform @ [2 * spot[1] + 0.5, 2 * spot[0] + 0.5, 1.0]
    assert abs(x - place[0]) < 0.25 and abs(row - place[1]) < 0.25
    crop = take_crop(replace(picture_of(new), siting=siting), transform)
    blue = crop[..., 2].astype(float) - np.median(crop[..., 2])
    blue[np.abs(blue) < 3] = 0
    rows, columns = np.mgrid[:256, :256]
    assert abs((columns * blue).sum() / blue.sum() - (2 * spot[1] + 0.5)) < 0.5
    assert abs((rows * blue).sum() / blue.sum() - (2 * spot[0] + 0.5)) < 0.5


def test_on_a_small_face_chroma_changes_by_the_mean_of_four_luma_pixels():
    frame = make_frame(121, 91, rgb=np.full((91, 121, 3), 100.0), full_range=True)
    picture = replace(picture_of(frame), siting="center")
    edit = edit_of(make_layer(offset=120, cb=60, inside=(slice(40, 81), slice(45, 90))))
    y, u, _ = planes_copy(paste(frame, picture, [(make_transform((64, 47), 0.45, 10.0), edit)]))
    mask = (y.astype(float) - 100) / 120
    even = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    mean = even.reshape(46, 2, 61, 2).mean(axis=(1, 3))
    assert np.abs((u.astype(float) - 128) / 60 - mean).max() <= 0.5 / 60 + 0.5 / 120 + 1e-3
    assert mean.max() > 0.99


def test_a_mask_below_one_code_is_nothing():
    frame = make_frame(rgb=np.full((240, 320, 3), 100.0), full_range=True)
    transform = make_transform((160, 120), 0.7)
    picture = picture_of(frame)
    edit = edit_of(make_layer(255, 100, 60, mask=1, skin_luma=190.0))
    y, _, _ = planes_copy(paste(frame, picture, [(transform, edit)]))
    assert (y == 101).sum() > 1000  # (90 + 100) / 255 of a code, rounded
    for plane, old in zip(
        planes_copy(paste(frame, picture, [(transform, scaled(edit, 0.99))])),
        planes_copy(frame),
        strict=True,
    ):
        np.testing.assert_array_equal(plane, old)


def test_the_mask_fades_to_nothing_at_the_edge_of_the_crop():
    frame = make_frame(320, 320, rgb=np.full((320, 320, 3), 60.0), full_range=True)
    y, _, _ = planes_copy(pasted(frame, make_transform((160, 160), 1.0), make_layer(offset=120)))
    row = y[160].astype(int) - 60
    first, last = 32, 32 + 255  # the crop's first and last column
    assert row[: first + 1].max() == 0 and row[last:].max() == 0
    rise = row[first : first + 2 * FEATHER_PX + 2]
    assert (np.diff(rise) >= 0).all() and np.diff(rise).max() <= 120 / FEATHER_PX
    assert row[160] == 120


def test_bilinear_sampling_puts_the_layer_where_it_belongs():
    """A ramp in the offset comes out as that ramp, to a rounding."""
    frame = make_frame(640, 480, rgb=np.full((480, 640, 3), 100.0), full_range=True)
    layer = make_layer()
    layer.codes[1] = 64 + np.arange(128)[None, :]
    transform = make_transform((300, 230), 1.3)
    y, _, _ = planes_copy(pasted(frame, transform, layer))
    x = np.arange(200, 400)
    column = (x - transform[0, 2]) / transform[0, 0]
    expected = 100 + ((column - 0.5) / 2 - 64) * OFFSET_STEP
    assert np.abs(y[230, 200:400] - expected).max() <= 0.51


@pytest.mark.parametrize("size", [(640, 480), (333, 301)])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_a_large_face_sampled_at_every_second_pixel_gets_nearly_the_same(monkeypatch, size, matrix):
    """Also where the picture cuts it off, and where strips meet."""
    frame = make_frame(*size, rgb=smooth_noise(size, 200), matrix=matrix)
    layer = wild_layer(3)
    layer.codes[:] = cv2.GaussianBlur(layer.codes.transpose(1, 2, 0), (0, 0), 2).transpose(2, 0, 1)
    layer.mask[:] = cv2.GaussianBlur(layer.mask, (0, 0), 2)
    face = (make_transform((170, 150), 1.6, 11.0), edit_of(layer, np.full((32, 32), 3, np.float32)))
    coarse = paste(frame, picture_of(frame), [face])
    monkeypatch.setattr("stream_retouch.media.paste.COARSE_FROM", 1000.0)
    fine = paste(frame, picture_of(frame), [face])
    for one, other, before in zip(*map(planes_copy, (coarse, fine, frame)), strict=True):
        assert np.abs(other.astype(int) - before).mean() > 0.5
        difference = np.abs(one.astype(int) - other)
        assert difference.max() <= 2 and (difference > 1).mean() < 0.001


def smooth_noise(size, seed):
    noise = np.random.default_rng(seed).uniform(0, 255, (size[1], size[0], 3))
    return cv2.GaussianBlur(noise, (0, 0), 3)


def test_faces_are_pasted_one_upon_the_other():
    frame = make_frame(rgb=np.full((240, 320, 3), 100.0), full_range=True)
    transform = make_transform((160, 120), 0.6)
    layer = make_layer(offset=30)
    y, _, _ = planes_copy(pasted(frame, transform, layer, layer))
    assert y[120, 160] == 160


def test_mixing_adds_up_what_each_edit_does():
    first, second = wild_layer(1), wild_layer(2)
    frame = make_frame(320, 240, full_range=True)
    picture = picture_of(frame)
    transform = make_transform((159.5, 119.5), 0.5)  # every layer pixel falls on a frame pixel
    before = planes_copy(frame)[0].astype(float)
    both = mixed([(edit_of(first), 0.3), (edit_of(second), 0.7)])
    got = planes_copy(paste(frame, picture, [(transform, both)]))[0]
    expected = before.copy()
    for layer, weight in ((first, 0.3), (second, 0.7)):
        one = edit_of(layer)
        y, x = 56, 96
        luma = before[y : y + 128, x : x + 128]
        flatten, offset = one.shares[:2].astype(float)
        expected[y : y + 128, x : x + 128] += weight * (
            -flatten * (luma - layer.skin_luma) + offset
        )
    inner = (slice(60, 180), slice(100, 220))
    assert np.abs(got[inner] - np.clip(expected[inner], 0, 255)).max() <= 0.7


def test_mixing_nothing_gives_nothing_and_one_edit_gives_that_edit():
    edit = edit_of(wild_layer())
    assert mixed([]) is None and mixed([(edit, 0.0)]) is None
    assert mixed([(edit, 1.0)]) is edit
    np.testing.assert_allclose(mixed([(edit, 0.5)]).mask, edit.mask / 2)


def test_the_overlay_is_magenta_where_the_mask_is():
    frame = make_frame(rgb=np.full((240, 320, 3), 120.0))
    edit = tinted(edit_of(make_layer(inside=MIDDLE)))
    new = paste(frame, picture_of(frame), [(make_transform((160, 120), 0.8), edit)])
    rgb = rgb_of(planes_copy(new), matrix="bt601", full_range=False)
    red, green, blue = rgb[120, 160]
    assert red > green + 60 and blue > green + 60
    np.testing.assert_array_equal(planes_copy(new)[0], planes_copy(frame)[0])
    assert np.abs(rgb[20, 20] - 120).max() <= 2


def flattened(noise, texture_scale=1.0, scale=1.0):
    """Strength of the fine luma texture of a pasted frame, in the flattened middle and outside."""
    rng = np.random.default_rng(3)
    pores = cv2.GaussianBlur(rng.normal(0.0, 1.0, (480, 640)), (0, 0), 0.9)
    scene = make_scene(640, 480) + (noise / pores.std() * pores)[..., None]
    frame = make_frame(rgb=scene, full_range=True)
    picture = picture_of(frame)
    transform = make_transform((320, 240), scale)
    edit = edit_of(make_layer(flatten=255, skin_luma=155.0, inside=MIDDLE))
    crop = take_crop(picture, transform)
    texture = texture_of(crop, np.ones((32, 32), np.float32), edit) * texture_scale
    y = planes_copy(paste(frame, picture, [(transform, replace(edit, texture=texture))]))[0]
    fine = y.astype(float) - cv2.blur(y.astype(float), (5, 5))
    return fine[210:270, 290:350].std(), fine[20:80, 20:600].std()


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.4])
def test_flattening_leaves_the_skin_its_own_texture(scale):
    inside, outside = flattened(noise=4.0, scale=scale)
    bare, _ = flattened(noise=4.0, texture_scale=0.0, scale=scale)
    assert bare < 0.5
    assert 0.4 * outside < inside < 1.05 * outside


def test_smooth_skin_gets_no_texture():
    inside, _ = flattened(noise=0.0)
    assert inside < 0.6


def test_a_spot_stronger_than_the_texture_goes_and_a_pore_stays():
    scene = np.full((240, 320, 3), 150.0)
    scene[100:106, 140:146] = 90.0  # a spot
    scene[130:133, 170:173] = 147.0  # a pore
    frame = make_frame(rgb=scene, full_range=True)
    edit = edit_of(make_layer(flatten=255, skin_luma=150.0))
    edit = replace(edit, texture=np.full((32, 32), 3.0, np.float32))
    y = planes_copy(paste(frame, picture_of(frame), [(make_transform((160, 120), 0.8), edit)]))[0]
    assert np.abs(y[100:106, 140:146].astype(int) - 150).max() <= 1
    assert (y[130:133, 170:173] <= 148).all()


def test_chroma_is_flattened_where_luma_is():
    scene = np.full((240, 320, 3), (190.0, 150.0, 130.0))
    scene[116:120, 156:160] = (190.0, 110.0, 110.0)
    frame = make_frame(rgb=scene, full_range=True)
    before = planes_copy(frame)[2][58:60, 78:80].astype(int) - int(planes_copy(frame)[2][10, 10])
    new = pasted(frame, make_transform((160, 120), 2.2), make_layer(flatten=255, skin_luma=155.0))
    v = planes_copy(new)[2]
    after = v[58:60, 78:80].astype(int) - int(v[10, 10])
    assert (np.abs(after) < 0.5 * np.abs(before)).all()


def test_texture_is_measured_on_skin_that_is_left_alone():
    rng = np.random.default_rng(0)
    crop = np.clip(150 + rng.normal(0, 2.0, (256, 256, 1)) + np.zeros(3), 0, 255).astype(np.uint8)
    crop[64:192, 64:192] = np.clip(
        150 + rng.normal(0, 30.0, (128, 128, 1)) + np.zeros(3), 0, 255
    ).astype(np.uint8)
    edit = edit_of(make_layer(flatten=255, inside=MIDDLE))
    texture = texture_of(crop, np.ones((32, 32), np.float32), edit)
    assert texture.shape == (32, 32)
    assert 1.2 < texture[16, 16] < 3.0
    skinless = texture_of(crop, np.zeros((32, 32), np.float32), edit)
    untouched = texture_of(crop, np.ones((32, 32), np.float32), edit_of(make_layer()))
    assert not skinless.any() and not untouched.any()


def test_texture_is_measured_again_after_a_while_or_when_there_was_none():
    rough, smooth = (
        (128 + sigma * np.random.default_rng(0).normal(size=(256, 256, 3))).astype(np.uint8)
        for sigma in (4.0, 0.0)
    )
    regions = np.ones((12, 32, 32), np.float32)
    flat, none = edit_of(make_layer(flatten=255, inside=MIDDLE)), edit_of(make_layer())
    texture = Texture()
    assert not texture.of(rough, regions, none, 1.0).any()
    first = texture.of(rough, regions, flat, 1.01)
    np.testing.assert_array_equal(first, texture_of(rough, regions[0], flat))
    assert texture.of(smooth, regions, flat, 1.0 + 0.9 * MEASURE_AGAIN_S) is first
    assert not texture.of(smooth, regions, flat, 1.02 + MEASURE_AGAIN_S).any()
    first = texture.of(rough, regions, flat, 2.0)
    assert not texture.of(smooth, regions, flat, 1.9).any()  # time stepped back
    texture.of(rough, regions, flat, 3.0)
    texture.reset()
    assert not texture.of(smooth, regions, flat, 3.01).any()


def doubled(layer):
    """The layer with twice the side, exactly enlarged."""

    def up(plane):
        return np.rint(cv2.resize(plane.astype(np.float32), (256, 256))).astype(np.uint8)

    return EditLayer(np.stack([up(c) for c in layer.codes]), up(layer.mask), layer.skin_luma)


def soft_layer():
    """Codes and mask that change slowly, so that an enlargement says the same in between."""
    y, x = np.mgrid[:128, :128] / 128
    waves = [np.sin(9 * x + c) * np.cos(7 * y - c) for c in range(5)]
    codes = np.stack([128 + 90 * wave for wave in waves[:4]]).astype(np.uint8)
    return EditLayer(codes, (128 + 120 * waves[4]).astype(np.uint8), 150.0)


@pytest.mark.parametrize("scale", [0.2, 0.55, 1.0, 2.3])
def test_a_layer_of_twice_the_side_that_says_the_same_does_nearly_the_same(scale):
    """On faces so small that it is halved first, too, and feathered over the same skin."""
    frame = make_frame(rgb=make_scene(640, 480, noise=4.0))
    transform = make_transform((320, 240), scale, 8.0)
    layers = soft_layer(), doubled(soft_layer())
    pasted_ones = [planes_copy(pasted(frame, transform, layer)) for layer in layers]
    for before, one, other in zip(planes_copy(frame), *pasted_ones, strict=True):
        change, apart = np.abs(one.astype(int) - before), np.abs(one.astype(int) - other)
        assert change.max() > 20
        assert apart.max() <= 3 and apart.mean() < 0.03 * change.mean()


def test_a_halved_edit_does_on_the_average_what_its_four_pixels_did():
    edit = edit_of(EditLayer(*(np.kron(a, np.ones((2, 2), np.uint8)) for a in _flat_wild()), 99.0))
    half = halved(edit)
    assert half.mask.shape == (128, 128) and half.skin_luma == edit.skin_luma
    inner = slice(16, 112)  # away from the feather, which is finer on the larger layer
    small = edit_of(EditLayer(*_flat_wild(), 99.0))
    np.testing.assert_allclose(half.mask[inner, inner], small.mask[inner, inner], atol=1e-6)
    wanted = small.shares[:, inner, inner]
    np.testing.assert_allclose(half.shares[:, inner, inner], wanted, atol=1e-3)


def _flat_wild():
    layer = wild_layer(4)
    return layer.codes, layer.mask
