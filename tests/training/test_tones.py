"""Natural tones lent by one portrait to another: slow, bounded, the same in source and target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_retouch.language.plan import Category, Edit, InstructionPlan
from tests.training.made_up_cache import SIDE, made_up_portrait
from training.examples import make_example
from training.portrait_cache import CachedPortrait
from training.tones import CELLS, lent, spread_over, tone_map
from training.webcam import widest


def blushing(strength: float) -> CachedPortrait:
    """The made-up portrait with a redder left half."""
    portrait = made_up_portrait(0)
    rgb = portrait.rgb.astype(np.float32)
    rgb[:, : SIDE // 2, 1:] *= 1 - strength
    return replace(portrait, rgb=rgb.astype(np.uint8))


def test_a_tone_map_tells_how_skin_deviates_from_its_mean() -> None:
    even, red = tone_map(made_up_portrait(0)), tone_map(blushing(0.2))
    row, left, right = CELLS // 2, CELLS * 3 // 8, CELLS * 5 // 8
    assert red.shape == (CELLS, CELLS, 3)
    assert red[row, left, 1] < red[row, right, 1] - 0.15
    assert abs(float(red[row, left, 0] - red[row, right, 0])) < 0.03
    assert float(np.abs(even[row, left] - even[row, right]).max()) < 0.03


def test_tones_fade_out_off_the_skin() -> None:
    red = tone_map(blushing(0.2))
    assert float(np.abs(red[:3, :3]).max()) < 0.01


def test_what_is_lent_is_bounded_and_moves_towards_the_other() -> None:
    even, red = tone_map(made_up_portrait(0)), tone_map(blushing(0.6))
    for seed in range(20):
        gains = lent(even, [red, red], np.random.default_rng(seed))
        assert 0.57 <= float(gains.min()) and float(gains.max()) <= 1.74
    # Either half of the face may be given the red one, for who lends may be mirrored.
    greens = [lent(even, [red], np.random.default_rng(s))[32, [24, 40], 1].min() for s in range(20)]
    assert np.mean(greens) < 0.9


def test_each_lends_more_here_and_less_there_and_colour_may_be_deepened() -> None:
    red, even = tone_map(blushing(0.6)), tone_map(made_up_portrait(0))
    left = [lent(even, [red], np.random.default_rng(s))[20:44, 24, 1] for s in range(20)]
    assert max(float(np.ptp(column)) for column in left) > 0.1
    blush = red - red.mean(-1, keepdims=True)
    own = [np.log(lent(red, [], np.random.default_rng(s))) for s in range(40)]
    deeper = [
        float((o[32, 24] * blush[32, 24]).sum() / np.square(blush[32, 24]).sum()) for o in own
    ]
    assert min(deeper) < 0 and max(deeper) > 0.6


def test_gains_lie_where_the_picture_was_cut() -> None:
    gains = np.ones((CELLS, CELLS, 3), np.float32)
    gains[:, : CELLS // 2] = 0.5
    whole = np.array(((2.0, 0, 0.5), (0, 2.0, 0.5)))
    spread = spread_over(gains, whole, 208, 104)
    assert spread.shape == (104, 104, 3)
    assert spread[52, 40, 0] == 0.5 and spread[52, 63, 0] == 1.0
    shifted = spread_over(gains, whole + np.array(((0, 0, 104.0), (0, 0, 0))), 208, 104)
    assert float(shifted.min()) > 0.5


def test_lent_tones_change_source_and_target_alike() -> None:
    gains = np.full((CELLS, CELLS, 3), 0.8, np.float32)
    plan = InstructionPlan((Edit("mole", ("face",), 1.0),))
    plain, darker = (
        make_example(
            made_up_portrait(0), np.random.default_rng(4), 256, [Category.MOLE], plan, gains=g
        )
        for g in (None, gains)
    )
    for name in ("source", "target"):
        before, after = (float(getattr(e, name).mean()) for e in (plain, darker))
        assert 0.72 < after / before < 0.86
    apart = np.abs(darker.source.astype(int) - darker.target).max(-1) > 1
    assert 0 < apart.mean() < 0.05


def test_widest_is_the_largest_channel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    assert np.array_equal(widest(picture), picture.max(-1))
