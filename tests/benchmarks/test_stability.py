"""What the stability figures do on pictures whose answer is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.stability import clips, flicker, ghosts, report, shots, slip, turning, warping
from benchmarks.stability.__main__ import rounded
from benchmarks.stability.flicker import Flicker
from benchmarks.stability.pixels import Box, box_around, face_area, rgb_of
from benchmarks.stability.ways import BothWays, Parts
from stream_retouch.engine import FaceBox
from stream_retouch.media.edits import edit_of
from tests.fakes import (
    FakeConditioner,
    FakeEngine,
    FakeFinder,
    make_face,
    make_frame,
    make_layer,
    make_picture,
)

SHARED = Path(__file__).parents[2].parent / "shared"
needs_portraits = pytest.mark.skipif(
    not (SHARED / "faces" / "portraits" / "landmarks.npz").is_file(),
    reason="needs ../shared/faces/portraits",
)
needs_clips = pytest.mark.skipif(
    not (SHARED / "faces" / "video" / "real").is_dir(), reason="needs ../shared/faces/video"
)


def panned(count=5, step=2, side=96):
    """(count, side, side, 3) RGB of a texture that moves to the left by `step` pixels a frame."""
    rng = np.random.default_rng(3)
    wide = rng.normal(0.0, 1.0, (side, side + step * count, 3)).astype(np.float32)
    texture = 128 + 120 * cv2.GaussianBlur(wide, (0, 0), 3)
    return [texture[:, i * step : i * step + side].copy() for i in range(count)]


def ratio_of(change):
    """E_warp of the panned texture after `change` (number, picture) over that before."""
    frames, flow = panned(), warping.FlowFinder()
    rows = {"input": warping.Row(), "other": warping.Row()}
    made = [{"input": f, "other": change(i, f)} for i, f in enumerate(frames)]
    area = np.zeros(frames[0].shape[:2], bool)
    area[16:-16, 16:-16] = True
    grey = [np.clip(f.mean(-1), 0, 255).astype(np.uint8) for f in frames]
    for i in range(len(frames) - 1):
        forward, trusted = flow(grey[i], grey[i + 1])
        warping.add_pair(rows, made[i], made[i + 1], forward, area & trusted)
    return np.mean(rows["other"].warp) / np.mean(rows["input"].warp), rows["other"].energy


def test_an_edit_that_moves_with_the_skin_warps_as_well_as_the_input():
    ratio, energy = ratio_of(lambda i, f: 0.5 * f + 60)
    assert ratio == pytest.approx(0.25, abs=0.02)  # half the contrast, a quarter of the squares
    assert min(energy) > 40


def test_an_edit_that_comes_and_goes_raises_the_warping_error():
    assert ratio_of(lambda i, f: f + 6 * (i % 2))[0] > 1.5


def test_the_untouched_input_has_ratio_one_and_no_energy():
    ratio, energy = ratio_of(lambda i, f: f)
    assert ratio == 1.0
    assert energy == [0.0] * 4


def test_what_is_covered_in_the_next_frame_is_not_trusted():
    frames = panned(count=2, step=0)
    after = frames[1].mean(-1)
    after[30:60, 30:60] = np.random.default_rng(9).uniform(0, 255, (30, 30))
    grey = frames[0].mean(-1).astype(np.uint8)
    _, trusted = warping.FlowFinder()(grey, np.clip(after, 0, 255).astype(np.uint8))
    assert trusted[36:54, 36:54].mean() < 0.5
    assert trusted[:20].mean() > 0.95


def test_the_flow_leads_from_the_first_frame_to_the_second():
    now, after = (f.mean(-1).astype(np.uint8) for f in panned(count=2))
    forward, _ = warping.FlowFinder()(now, after)
    assert np.median(forward[20:-20, 20:-20, 0]) == pytest.approx(-2.0, abs=0.1)


def crop_of(value=120):
    return np.full((256, 256, 3), value, np.uint8)


def changed(before, now, crop):
    skin = np.zeros((32, 32), np.float32)
    skin[10:20, 10:20] = 1.0
    return flicker.change(edit_of(before), edit_of(now), crop, skin)


def test_the_change_of_an_edit_is_told_in_codes_of_the_picture():
    assert changed(make_layer(offset=10), make_layer(offset=22), crop_of()) == pytest.approx(4.0)
    flat, none = make_layer(flatten=255, skin_luma=150.0), make_layer()
    assert changed(none, flat, crop_of(120)) == pytest.approx(10.0)  # 30 codes of luma, 0 of chroma
    half = make_layer(offset=20, mask=51)
    assert changed(make_layer(offset=20), half, crop_of()) == pytest.approx(0.8 * 20 / 3, rel=1e-3)


def test_a_picture_that_changes_under_a_steady_edit_is_no_flicker():
    steady = make_layer(flatten=200, skin_luma=150.0)
    assert changed(steady, steady, crop_of(40)) == 0.0


def flickering(offsets):
    """Both ways of a still frame whose layer has one offset after the other."""
    left = iter(offsets)
    engine = FakeEngine(lambda *_: make_layer(offset=next(left)))
    finder = FakeFinder([FaceBox(100.0, 60.0, 220.0, 180.0)])
    ways = BothWays(Parts(lambda: finder, FakeConditioner(), engine))
    steps = [ways.apply(make_frame(pts=i * 3600, seed=1)) for i in range(len(offsets))]
    return steps, engine


OFFSETS = [20, 20, 20, 20, 20, 20, 40, 20, 40, 20]


def test_without_smoothing_every_frame_shows_its_own_edit_and_the_engine_is_asked_once():
    steps, engine = flickering(OFFSETS)
    assert len(engine.calls) == len(OFFSETS)
    middle = (120, 160)
    raised = [
        [int(p.y[middle]) - int(s.source.y[middle]) for p in (s.per_frame, s.smoothed)]
        for s in steps[5:]
    ]
    per_frame, smoothed = np.transpose(raised) * (255 / 219)
    np.testing.assert_allclose(per_frame, OFFSETS[5:], atol=1.0)
    assert np.ptp(smoothed) < 0.5 * np.ptp(per_frame)


def test_the_smoothing_that_flicker_measures_is_the_one_that_is_shown():
    steps, _ = flickering(OFFSETS)
    meter = Flicker()
    for step in steps:
        meter.add(step)
    assert meter.per_frame[-1] == pytest.approx(20 / 3, rel=0.03)  # the mask fades at the edge
    middle = (120, 160)
    shown = [float(s.smoothed.y[middle]) - float(s.source.y[middle]) for s in steps]
    seen = abs(shown[-1] - shown[-2]) * 255 / 219 / 3
    assert meter.smoothed[-1] == pytest.approx(seen, abs=0.5)
    assert meter.smoothed[-1] < 0.5 * meter.per_frame[-1]


def test_a_face_gets_one_conditioning_however_long_it_is_in_view():
    steps, engine = flickering(OFFSETS)
    assert len({call[2][0].f_txt[0] for call in engine.calls}) == 1
    assert engine.calls[0][2][0] is steps[0].job.conditionings[0]


def change_at(x, value=10.0, shape=(90, 160)):
    picture = np.zeros(shape, np.float32)
    picture[40:50, x : x + 10] = value
    return picture


def test_ghosts_are_counted_up_to_the_last_frame_that_has_one():
    old, new = change_at(20), change_at(100)
    shown = [old + new, new, old, new, new]
    assert ghosts.ghost_frames(shown, [new] * 5) == 3


def test_an_edit_of_the_new_shot_is_no_ghost_even_when_it_flickers():
    new, nothing = change_at(100), change_at(0, 0.0)
    assert ghosts.ghost_frames([new, new, new], [new, nothing, nothing]) == 0
    moved = change_at(101)
    assert ghosts.ghost_frames([new, moved], [new, new]) == 0


def test_what_cannot_be_seen_is_no_ghost():
    assert ghosts.ghost_frames([change_at(20, 3.0)], [change_at(100)]) == 0


def test_the_worst_cut_counts():
    found = ghosts.summary({"a": 0, "b": 3, "c": 0})
    assert (found["ghost_frames"], found["ghost_frames_mean"]) == (3, 1.0)
    assert found["ghost_worst"] == {"b": 3}


def blob(x, y, peak=40.0):
    picture = np.zeros((720, 1280), np.float32)
    picture[int(y), int(x)] = 1.0
    wide = cv2.GaussianBlur(picture, (0, 0), 2.0)
    return np.asarray(wide * (peak / wide.max()), np.float32)


def test_the_centroid_of_an_edit_is_where_it_lies():
    place = slip.centroid(blob(300, 200), 301.4, 198.7)
    np.testing.assert_allclose(place, (300, 200), atol=0.1)
    assert slip.centroid(blob(300, 200, 5.0), 300, 200) is None


def test_a_layer_that_lies_off_is_measured():
    slips = slip.Slips()
    slip.add_layers(slips, np.array([[300.0, 200.0]]), blob(302, 200), blob(300, 200))
    assert slips.figures()["layer_slip_px"] == pytest.approx(2.0, abs=0.05)


def test_the_strength_of_a_layer_lies_where_its_face_is():
    inside = (slice(60, 68), slice(60, 68))
    layer = make_layer(offset=30, inside=inside)
    face = make_face(centre=(640.0, 360.0), scale=1.0)
    there = slip.strength(edit_of(layer), face.transform)
    np.testing.assert_allclose(slip.centroid(there, 640, 360), (639.5, 359.5), atol=0.6)
    assert there.max() == pytest.approx(30.0)


@needs_portraits
def test_painted_moles_turn_with_the_head():
    person = slip.people(SHARED, 1)[0]
    frames = [t for n, t in zip(range(12), turning.sweep(person, 0, 15.0, 2.0), strict=False)]
    assert frames[0].mark_luma is None
    turned = frames[-1]
    assert 13.0 <= turned.yaw_deg <= 17.0
    assert np.abs(turned.marks - frames[0].marks).max() > 8.0
    assert turned.mark_luma is not None
    for x, y in turned.marks:
        place = slip.centroid(turned.mark_luma, x, y)
        assert place is not None
        np.testing.assert_allclose(place, (x, y), atol=1.5)


def test_spread_takes_the_first_and_the_last():
    assert clips.spread(list(range(10)), 3) == [0, 4, 9]
    assert clips.spread([1, 2], 5) == [1, 2]


@needs_clips
def test_cuts_of_a_reel_lie_where_its_shots_end():
    found = {cut.name: cut for cut in clips.cuts(SHARED)}
    assert sum("wh_weekly_reel" in name for name in found) == 8
    assert found["wh_weekly_reel_9cuts:1"].new[1] == 115
    assert found["grid_reel_11x3s:10"].old[1] == 750 - clips.BEFORE


@needs_clips
def test_reels_and_loops_are_no_single_shots():
    names = [clip.name for clip in clips.clips(SHARED)]
    assert "wh_weekly_01" in names and "london_021_morph" in names
    assert not [n for n in names if "reel" in n or "pingpong" in n]


def test_the_box_of_a_face_holds_its_oval_and_colours_come_back():
    rgb = np.full((240, 320, 3), (200.0, 150.0, 120.0))
    picture, face = make_picture(rgb=rgb), make_face()
    box = box_around([face], picture)
    assert isinstance(box, Box)
    area = face_area([face], box)
    assert 0.3 < area.mean() < 0.9
    assert not area[0].any() and not area[:, 0].any()
    assert np.abs(rgb_of(picture, box)[area] - rgb[0, 0]).max() < 2.0
    assert box_around([], picture) is None


def figures(warp_ours=1.0, energy=4.0):
    ratios = {
        shots.INPUT: 1.0,
        shots.GPUPIXEL: 0.9,
        shots.PER_FRAME: 1.1,
        shots.SMOOTHED: warp_ours,
    }
    energies = {shots.INPUT: 0.0, shots.GPUPIXEL: 9.0, shots.PER_FRAME: 8.0, shots.SMOOTHED: energy}
    return {
        "frames": 3, "pairs": 2, "trusted_share": 0.9, "warp_input": 1e-4, "warp_ratio": ratios,
        "edit_energy": energies,
        "flicker_per_frame": 1.0, "flicker": 0.25, "flicker_ratio": 0.25,
    }  # fmt: skip


def test_clips_count_alike_and_the_worst_is_named():
    unseen = {"frames": 3, "pairs": 0}
    found = shots.overall({"a": figures(1.0), "b": figures(1.2), "c": unseen})
    assert found["warp_ratio"] == pytest.approx(1.1)
    assert found["warp_ratio_worst"] == {"b": 1.2}
    assert found["edit_energy_ratio"] == pytest.approx(0.5)
    assert found["flicker_ratio"] == pytest.approx(0.25)
    assert found["rows"][shots.INPUT]["warp_ratio"] == pytest.approx(1.0)


def test_every_bound_is_judged_by_itself():
    found = shots.overall({"a": figures(1.05)}) | {"ghost_frames": 2, "slip_px": 1.2}
    assert report.holds(found) == {
        "warp_ratio": False,
        "edit_energy_ratio": True,
        "flicker_ratio": True,
        "ghost_frames": True,
        "slip_px": False,
    }


def test_the_result_file_holds_the_tables_and_the_plot(tmp_path):
    pytest.importorskip("matplotlib")
    meter = Flicker()
    meter.per_frame, meter.smoothed, meter.times_s = [1.0, 2.0], [0.5, 0.6], [0.0, 0.04]
    found = shots.overall({"wh_1": figures()}) | {"clips": {"wh_1": figures(), "x": {"pairs": 0}}}
    path = report.write(tmp_path / "r.md", "python -m benchmarks.stability", found, {"wh_1": meter})
    text = path.read_text()
    assert "| `warp_ratio` | 1 | <= 1.02 | yes |" in text
    assert "| x | 0 | - |" in text
    assert (tmp_path / "r.png").stat().st_size > 1000


def test_figures_are_printed_with_four_digits():
    assert rounded({"a": {"b": 1.23456789}, "n": 3, "none": None}) == {
        "a": {"b": 1.235},
        "n": 3,
        "none": None,
    }
