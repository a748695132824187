"""Smoothing: flicker goes, movement stays, and time is the frames' own."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.engine import EditLayer
from stream_retouch.media.edits import edit_of
from stream_retouch.media.smoothing import TIME_CONSTANT_S, LayerSmoother
from tests.fakes import make_layer


def crop_of(value=150.0, seed=None, noise=2.0):
    """A crop of one grey, with camera noise of that standard deviation."""
    crop = np.full((256, 256, 3), value)
    if seed is not None:
        crop = crop + np.random.default_rng(seed).normal(0.0, noise, crop.shape)
    return np.clip(np.rint(crop), 0, 255).astype(np.uint8)


def noisy_layer(seed):
    rng = np.random.default_rng(seed)
    codes = np.clip(rng.normal(128.0, 12.0, (4, 128, 128)), 0, 255).astype(np.uint8)
    mask = np.clip(rng.normal(128.0, 12.0, (128, 128)), 0, 255).astype(np.uint8)
    return EditLayer(codes, mask, float(rng.normal(150.0, 5.0)))


def test_on_a_still_picture_flicker_falls_to_less_than_half():
    smoother = LayerSmoother()
    raw, smooth = [], []
    for i in range(60):
        edit = edit_of(noisy_layer(i))
        raw.append(edit)
        smooth.append(smoother.apply(edit, crop_of(seed=1000 + i), i / 30))
    inner = slice(16, 112)
    for part in (lambda e: e.shares[:, inner, inner], lambda e: e.mask[inner, inner]):
        before = np.std([part(e) for e in raw[20:]], axis=0).mean()
        after = np.std([part(e) for e in smooth[20:]], axis=0).mean()
        assert after < before / 2
    assert np.std([e.skin_luma for e in smooth[20:]]) < np.std([e.skin_luma for e in raw[20:]]) / 2


def test_the_average_settles_on_the_right_value():
    smoother = LayerSmoother()
    smoother.apply(edit_of(make_layer(offset=-42)), crop_of(), 0.0)
    for i in range(1, 60):
        smoothed = smoother.apply(edit_of(make_layer(offset=18)), crop_of(), i / 30)
    np.testing.assert_allclose(smoothed.shares[1, 16:112, 16:112], 18.0, atol=0.1)


def test_of_an_edit_that_comes_and_goes_less_is_left_than_its_mean():
    """It is doubtful: the covariance of mask and offset, as a share of the mean, is taken off twice."""
    smoother = LayerSmoother()
    off, on = edit_of(make_layer(offset=10, mask=51)), edit_of(make_layer(offset=60, mask=255))
    smoother.apply(off, crop_of(), 0.0)
    smoothed = smoother.apply(on, crop_of(), 1 / 30)
    share = 1.0 - np.exp(-1 / 30 / TIME_CONSTANT_S)
    mask, offset, mean = 0.2 + 0.8 * share, 10.0 + 50.0 * share, 2.0 + 58.0 * share
    middle = (slice(16, 112), slice(16, 112))
    np.testing.assert_allclose(smoothed.mask[middle], mask, rtol=1e-4)
    np.testing.assert_allclose(
        smoothed.shares[1][middle], mean * (mask * offset / mean) ** 2, rtol=1e-4
    )


def test_what_grows_while_the_mask_shrinks_is_the_mean():
    smoother = LayerSmoother()
    smoother.apply(edit_of(make_layer(offset=10, mask=255)), crop_of(), 0.0)
    smoothed = smoother.apply(edit_of(make_layer(offset=60, mask=51)), crop_of(), 1 / 30)
    share = 1.0 - np.exp(-1 / 30 / TIME_CONSTANT_S)
    np.testing.assert_allclose(smoothed.shares[1][16:112, 16:112], 10.0 + 2.0 * share, rtol=1e-4)


def test_a_moved_patch_is_followed_within_the_frame_and_the_rest_stays_smooth():
    smoother = LayerSmoother()
    smoother.apply(edit_of(make_layer()), crop_of(), 0.0)
    moved = crop_of()
    moved[100:140, 60:100] = 60
    smoothed = smoother.apply(edit_of(make_layer(offset=60)), moved, 1 / 30)
    offset = smoothed.shares[1]
    np.testing.assert_allclose(offset[52:68, 32:48], 60.0, atol=0.01)
    assert offset[10, 10] < 20 and offset[110, 110] < 20


@pytest.mark.parametrize("rates", [(20, 60), (24, 50)])
def test_the_average_is_the_same_at_any_frame_rate(rates):
    reached = []
    for rate in rates:
        smoother = LayerSmoother()
        smoother.apply(edit_of(make_layer()), crop_of(), 0.0)
        for i in range(1, rate // 2 + 1):
            now = smoother.apply(edit_of(make_layer(offset=90)), crop_of(), i / rate)
        reached.append(float(now.shares[1, 64, 64]))
    assert reached[0] == pytest.approx(reached[1], rel=1e-4)
    assert reached[0] == pytest.approx(90 * (1 - np.exp(-0.5 / TIME_CONSTANT_S)), rel=1e-4)


def test_a_scene_cut_starts_anew():
    smoother = LayerSmoother()
    smoother.apply(edit_of(make_layer()), crop_of(60.0), 0.0)
    edit = edit_of(make_layer(offset=90))
    assert smoother.apply(edit, crop_of(200.0), 1 / 30) is edit


@pytest.mark.parametrize("pts_s", [2.0, 1.0, 0.5])
def test_a_gap_or_a_step_back_starts_anew(pts_s):
    smoother = LayerSmoother()
    smoother.apply(edit_of(make_layer()), crop_of(), 1.0)
    edit = edit_of(make_layer(offset=90))
    assert smoother.apply(edit, crop_of(), pts_s) is edit


def test_after_a_reset_the_next_edit_passes_as_it_is():
    smoother = LayerSmoother()
    smoother.apply(edit_of(make_layer()), crop_of(), 0.0)
    smoother.reset()
    edit = edit_of(make_layer(offset=90))
    assert smoother.apply(edit, crop_of(), 1 / 30) is edit


def test_equal_edits_stay_equal_to_the_last_bit():
    smoother = LayerSmoother()
    edit = edit_of(noisy_layer(3))
    for i in range(5):
        smoothed = smoother.apply(edit, crop_of(seed=i), i / 30)
    np.testing.assert_array_equal(smoothed.shares, edit.shares)
    np.testing.assert_array_equal(smoothed.mask, edit.mask)


def test_a_layer_of_twice_the_side_is_followed_where_the_crop_moved_as_well():
    smoother = LayerSmoother()
    codes = np.full((4, 256, 256), 128, np.uint8)
    still = EditLayer(codes, np.full((256, 256), 255, np.uint8), 150.0)
    codes = codes.copy()
    codes[1] = 188
    smoother.apply(edit_of(still), crop_of(), 0.0)
    moved = crop_of()
    moved[100:140, 60:100] = 60
    edit = edit_of(EditLayer(codes, still.mask, 150.0))
    offset = smoother.apply(edit, moved, 1 / 30).shares[1]
    np.testing.assert_allclose(offset[104:136, 64:96], 60.0, atol=0.01)
    assert offset[20, 20] < 30.0
