"""FrameRetoucher: what is shown when answers are early, late, old or missing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from stream_retouch.engine import EditLayer, FaceBox
from stream_retouch.language.plan import (
    CATEGORIES,
    Category,
    Edit,
    InstructionPlan,
    Keep,
    request_map,
)
from stream_retouch.media.edits import edit_of
from stream_retouch.media.faces import Face
from stream_retouch.media.fading import FADE_IN_S, FADE_OUT_S, REUSE_S, FaceEdit
from stream_retouch.media.frames import frame_with, picture_of, take_crop
from stream_retouch.media.retouch import FrameRetoucher
from tests.fakes import (
    EMPTY_REGIONS,
    FakeEngine,
    FakeFinder,
    FakeTracker,
    make_conditioning,
    make_face,
    make_frame,
    make_layer,
    make_look,
    planes_copy,
)

RATE = 90000
NOTHING = InstructionPlan()
FACE = make_face(7)
BRIGHTER = make_layer(offset=30)


def grey(time_s, width=320, height=240):
    planes = [np.full((height, width), 100, np.uint8)]
    planes += [np.full((height // 2, width // 2), 128, np.uint8)] * 2
    return frame_with(*planes, like=like(width, height, round(time_s * RATE)))


def like(width, height, pts):
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.pts, frame.time_base, frame.color_range = pts, Fraction(1, RATE), 2
    return frame


def level(retouched, x=160, y=120):
    """By how many codes the luma at the face's middle was raised."""
    return int(planes_copy(retouched.frame)[0][y, x]) - 100


class Session:
    """A retoucher with a scripted tracker, stepped by hand."""

    def __init__(self, *script):
        self.tracker = FakeTracker(*(script or ([FACE],)))
        self.retoucher = FrameRetoucher(FakeFinder(), tracker=self.tracker)

    def step(self, time_s, look, layer=BRIGHTER, earlier=()):
        """Prepares and finishes one frame; `layer` None: its own answer is not there in time."""
        job = self.retoucher.prepare(grey(time_s), look)
        answers = list(earlier)
        if layer is not None:
            answers.append((job, [layer] * len(job.subjects)))
        return job, self.retoucher.finish(job, answers)

    def settle(self, look, until_s=1.0, layer=BRIGHTER):
        """Runs at 25 frames a second until `until_s`, past every fade."""
        for i in range(round(until_s * 25) + 1):
            _, result = self.step(i / 25, look, layer)
        return result


@pytest.mark.parametrize("of_this_job", [True, False])
def test_what_was_done_meanwhile_or_for_the_next_frame_changes_nothing(of_this_job):
    plain, prepared = Session(), Session()
    for time_s in (0.0, 0.5, 1.0):
        _, expected = plain.step(time_s, make_look())
        job = prepared.retoucher.prepare(grey(time_s), make_look())
        other = prepared.retoucher.prepare(grey(time_s, 160, 120), make_look())
        decoded = planes_copy(job.frame)
        prepared.retoucher.meanwhile(job if of_this_job else other)
        result = prepared.retoucher.finish(job, [(job, [BRIGHTER])])
        assert all(map(np.array_equal, planes_copy(result.frame), planes_copy(expected.frame)))
        assert result.frame is not job.frame and result.frame.pts == job.frame.pts
        assert all(map(np.array_equal, planes_copy(job.frame), decoded))
    assert level(result) == 30


def test_a_face_is_retouched_on_a_new_frame_and_the_rest_is_not():
    session = Session()
    result = session.settle(make_look())
    assert (result.fresh, result.reused, result.faces) == (True, 0, 1)
    assert level(result) == 30
    assert level(result, 5, 5) == 0
    assert result.frame.pts == RATE


def test_the_engine_sees_the_crop_the_request_and_the_conditioning_of_each_face():
    faces = [make_face(1), make_face(2, centre=(80.0, 60.0), scale=0.4, degrees=10.0)]
    own = make_conditioning(42.0)
    plan = InstructionPlan((Edit("mole", ("nose",), 0.5),), (Keep("mole", ("chin",)),))
    look = make_look(3, plan, by_face={2: own})
    retoucher = FrameRetoucher(FakeFinder(), tracker=FakeTracker(faces))
    engine = FakeEngine()
    frame = make_frame(seed=4)
    retoucher.process(frame, look, engine)
    ((crops, requests, conditionings),) = engine.calls
    assert crops.shape == (2, 256, 256, 3) and requests.shape == (2, 17, 32, 32)
    assert conditionings[0] is look.default and conditionings[1] is own
    for crop, face in zip(crops, faces, strict=True):
        np.testing.assert_array_equal(crop, take_crop(picture_of(frame), face.transform))
    mole = CATEGORIES.index(Category.MOLE)
    assert requests[:, mole].max() == pytest.approx(0.5, abs=0.05)
    assert not np.delete(requests, mole, axis=1).any()


def test_the_request_follows_the_look_and_the_face_and_is_made_only_then(monkeypatch):
    made = []

    def counted(*given):
        made.append(given)
        return request_map(*given)

    monkeypatch.setattr("stream_retouch.media.retouch.request_map", counted)
    other = replace(FACE, regions=FACE.regions * np.float32(0.5))
    retoucher = FrameRetoucher(FakeFinder(), tracker=FakeTracker([FACE], [FACE], [FACE], [other]))
    plans = [InstructionPlan((Edit(kind, ("nose",), 0.5),)) for kind in ("mole", "mole", "scar")]
    looks = [make_look(i, plan) for i, plan in enumerate(plans)]
    looks = [looks[0], looks[0], looks[2], looks[2]]
    jobs = [retoucher.prepare(grey(i / 25), look) for i, look in enumerate(looks)]
    asked = [job.requests[0] for job in jobs]
    np.testing.assert_array_equal(asked[0], asked[1])
    assert len(made) == 3  # one for both of the first frames
    mole, scar = CATEGORIES.index(Category.MOLE), CATEGORIES.index(Category.SCAR)
    assert asked[1][mole].any() and not asked[2][mole].any() and asked[2][scar].any()
    table, maps = looks[3].table, (other.regions, other.uncut)
    np.testing.assert_array_equal(asked[3], request_map(table, *maps))


def test_a_new_look_measures_the_skin_around_it_anew():
    """Within the time in which the texture of one look is taken over."""
    edit = FaceEdit(0.0, smooth=False)
    rng = np.random.default_rng(0)
    rough = (128 + 5 * rng.normal(size=(256, 256, 3))).astype(np.uint8)
    smooth, maps = np.full((256, 256, 3), 128, np.uint8), np.ones((12, 32, 32), np.float32)
    flattened = edit_of(make_layer(flatten=255, inside=(slice(40, 60), slice(40, 60))))

    def texture(crop, time_s):
        edit.learn(
            flattened, crop, maps, time_s, time_s - 0.03, time_s, strength=1.0, overlay=False
        )
        return edit.at(time_s).texture.max()

    edit.turn(1, 0.97, 1.0)
    assert texture(rough, 1.0) > 1 and texture(smooth, 1.03) > 1
    edit.turn(2, 1.03, 1.06)
    assert texture(smooth, 1.06) == 0


def test_an_engine_for_large_crops_gets_them_and_its_layers_are_shown_alike():
    small, large = (
        FrameRetoucher(FakeFinder(), tracker=FakeTracker([FACE]), crop_size=size, fade_s=0.0)
        for size in (256, 512)
    )
    codes = np.repeat(np.repeat(BRIGHTER.codes, 2, axis=1), 2, axis=2)
    layer = EditLayer(codes, np.full((256, 256), 255, np.uint8), BRIGHTER.skin_luma)
    engine = FakeEngine(layer)
    for i in range(3):
        frame = grey(i / 25)
        shown = [
            large.process(frame, make_look(), engine).frame,
            small.process(frame, make_look(), FakeEngine(BRIGHTER)).frame,
        ]
        one, other = (planes_copy(s)[0].astype(int) for s in shown)
        assert one[120, 160] == 130 and np.abs(one - other).max() <= 1
    ((crops, *_), *_) = engine.calls
    assert crops.shape == (1, 512, 512, 3)
    np.testing.assert_array_equal(crops[0], take_crop(picture_of(grey(0.0)), FACE.transform, 512))
    assert large.key_crop(7).shape == (512, 512, 3)


def test_without_a_face_the_very_frame_goes_out():
    session = Session([])
    frame = grey(0.0)
    job = session.retoucher.prepare(frame, make_look())
    assert job.crops.shape == (0, 256, 256, 3) and job.requests.shape == (0, 17, 32, 32)
    result = session.retoucher.finish(job, [])
    assert result.frame is frame
    assert (result.fresh, result.reused, result.faces, result.applied) == (True, 0, 0, None)


def test_switched_off_the_very_frame_goes_out_and_nothing_is_tracked():
    session = Session()
    session.settle(make_look(1))
    updates = session.tracker.updates
    frame = grey(1.1)
    job = session.retoucher.prepare(frame, make_look(2, enabled=False))
    assert not job.subjects
    result = session.retoucher.finish(job, [])
    assert result.frame is frame
    assert (result.applied, result.fresh) == (2, True)
    assert session.tracker.updates == updates and session.tracker.resets
    assert session.retoucher.faces() == []
    _, after = session.step(1.14, make_look(3))
    assert 0 < level(after) < 10  # fades in again from nothing


def test_a_late_engine_reuses_the_last_edit_for_150_ms_then_fades_it_over_100():
    session = Session()
    look = make_look()
    session.settle(look)
    levels = {}
    for ms in range(10, 301, 10):
        _, result = session.step(1.0 + ms / 1000, look, layer=None)
        levels[ms] = level(result)
        assert result.fresh is False
        assert result.reused == (1 if ms < round((REUSE_S + FADE_OUT_S) * 1000) else 0)
    assert all(levels[ms] == 30 for ms in levels if ms <= 150)
    assert levels[200] == pytest.approx(15, abs=1)
    assert all(levels[ms] == 0 for ms in levels if ms >= 250)
    steps = np.diff([levels[ms] for ms in sorted(levels)])
    assert steps.max() <= 0 and steps.min() >= -4


def test_the_reused_edit_follows_the_face():
    moved = make_face(7, centre=(200.0, 120.0))
    session = Session(*[[FACE]] * 26, [moved])
    look = make_look()
    dot = make_layer(offset=30, inside=(slice(60, 68), slice(60, 68)))
    session.settle(look, layer=dot)
    _, result = session.step(1.04, look, layer=None)
    assert level(result, 200, 120) == 30 and level(result, 160, 120) == 0


def test_after_a_long_pause_of_the_engine_the_edit_comes_back_gently():
    session = Session()
    look = make_look()
    session.settle(look)
    for i in range(1, 11):
        session.step(1.0 + i / 25, look, layer=None)
    back = [level(session.step(1.4 + i / 25, look)[1]) for i in range(1, 12)]
    assert 0 < back[0] < 8
    assert back[-1] == 30
    assert max(np.diff(back)) < 8


def test_an_earlier_answer_renews_the_edit_but_is_not_fresh():
    session = Session()
    look = make_look()
    session.settle(look)
    job, _ = session.step(1.04, look, layer=None)
    _, result = session.step(
        1.08, look, layer=None, earlier=[(job, [make_layer(offset=60, mask=255)])]
    )
    assert (result.fresh, result.reused) == (False, 1)
    assert level(result) > 30
    # Its crop is of 1.04 s: it is held until 1.19 s.
    assert level(session.step(1.18, look, layer=None)[1]) == level(result)
    assert level(session.step(1.24, look, layer=None)[1]) < level(result)


def test_answers_out_of_order_do_not_take_the_edit_back():
    session = Session()
    look = make_look()
    session.settle(look)
    late, _ = session.step(1.04, look, layer=None)
    session.step(1.08, look)
    _, result = session.step(1.12, look, layer=None, earlier=[(late, [make_layer(offset=122)])])
    assert level(result) == 30


def test_a_frame_is_fresh_only_with_its_own_answer():
    session = Session()
    look = make_look()
    first, result = session.step(0.0, look, layer=None)
    assert (result.fresh, result.reused, result.frame) == (False, 0, first.frame)
    _, result = session.step(0.04, look, earlier=[(first, [BRIGHTER])])
    assert (result.fresh, result.reused) == (True, 0)


def test_a_new_look_fades_in_over_300_ms_while_the_old_one_fades_out():
    session = Session()
    session.settle(make_look(1))
    look, layer = make_look(2), make_layer(cb=30)
    ups, blues = [], []
    for i in range(1, 16):
        _, result = session.step(1.0 + i / 50, look, layer)
        ups.append(level(result))
        blues.append(int(planes_copy(result.frame)[1][60, 80]) - 128)
    share = np.minimum(np.arange(1, 16) / 50 / FADE_IN_S, 1.0)
    np.testing.assert_allclose(ups, 30 * (1 - share), atol=0.51)
    np.testing.assert_allclose(blues, 30 * share, atol=0.51)


def test_what_fades_out_never_comes_back_when_looks_follow_quickly():
    session = Session()
    session.settle(make_look(1))
    levels = []
    for i in range(1, 51):
        look = make_look(min(2 + i // 5, 8))
        _, result = session.step(1.0 + i / 50, look, make_layer())
        levels.append(level(result))
    assert (np.diff(levels) <= 0).all()
    assert levels[0] > 20 and levels[29] < 5 and levels[-1] == 0


def test_late_answers_of_an_older_look_are_ignored():
    session = Session()
    session.settle(make_look(1))
    old, _ = session.step(1.04, make_look(1), layer=None)
    wild = [(old, [make_layer(offset=122)])]
    results = [session.step(1.08, make_look(2), None, earlier=wild)[1]]
    assert results[0].applied is None and level(results[0]) == 30
    _, result = session.step(1.12, make_look(2), make_layer(), earlier=wild)
    assert result.applied == 2 and level(result) < 30


def test_until_its_first_answer_a_new_look_shows_the_old_edit_as_any_late_one():
    session = Session()
    session.settle(make_look(1))
    levels = [level(session.step(1.0 + i / 50, make_look(2), None)[1]) for i in range(1, 15)]
    assert levels[6] == 30 and levels[-1] == 0


def test_applied_is_reported_once_on_the_frame_where_the_fade_begins():
    session = Session()
    reports = []
    for i in range(40):
        _, result = session.step(
            i / 25, make_look(1 + i // 20), None if i in (0, 20, 21) else BRIGHTER
        )
        reports.append(result.applied)
    assert [(i, r) for i, r in enumerate(reports) if r is not None] == [(1, 1), (22, 2)]


def test_applied_waits_for_the_first_face():
    session = Session([], [], [FACE])
    reports = [session.step(i / 25, make_look(5))[1].applied for i in range(5)]
    assert reports == [None, None, 5, None, None]


@pytest.mark.parametrize(
    "plan, enabled",
    [(NOTHING, True), (NOTHING, False), (make_look().plan, False)]
    + [(InstructionPlan(keep=(Keep("mole", ("face",)),)), True)],
)
def test_applied_does_not_wait_for_a_face_when_there_is_nothing_to_do(plan, enabled):
    session = Session([])
    reports = [
        session.step(i / 25, make_look(4, plan, enabled=enabled))[1].applied for i in range(3)
    ]
    assert reports == [4, None, None]


def test_an_empty_plan_asks_nothing_of_the_engine_and_lets_the_old_edit_fade_out():
    session = Session()
    session.settle(make_look(1))
    levels, reports = [], []
    for i in range(1, 20):
        job, result = session.step(1.0 + i / 50, make_look(2, NOTHING), layer=None)
        assert not job.subjects and result.fresh and result.reused == 0
        levels.append(level(result))
        reports.append(result.applied)
    assert levels[0] > 25 and levels[-1] == 0
    assert (np.diff(levels) <= 0).all()
    assert job.frame is result.frame
    assert reports == [2] + [None] * 18


def test_a_face_with_nothing_requested_is_not_given_to_the_engine():
    hidden = Face(9, FACE.transform, FACE.landmarks, EMPTY_REGIONS)
    session = Session([FACE, hidden])
    job, result = session.step(0.0, make_look())
    assert [face.id for face in job.subjects] == [7] and len(job.crops) == 1
    assert result.fresh and result.faces == 2


def test_more_than_four_faces_are_never_retouched():
    faces = [make_face(i, centre=(30.0 + 50 * i, 120.0), scale=0.15) for i in range(6)]
    session = Session(faces)
    job, _ = session.step(0.0, make_look())
    assert len(job.subjects) == 4
    result = session.settle(make_look())
    assert result.faces == 4
    assert [level(result, 30 + 50 * i) for i in range(6)] == [30, 30, 30, 30, 0, 0]


def test_a_lost_face_leaves_nothing_behind():
    session = Session(*[[FACE]] * 26, [], [make_face(8)])
    look = make_look()
    session.settle(look)
    job, result = session.step(1.04, look, layer=None)
    assert result.frame is job.frame and result.faces == 0
    job, result = session.step(1.08, look, layer=None)
    assert result.frame is job.frame and result.reused == 0


def test_a_face_that_comes_back_into_the_same_look_is_retouched_at_once():
    session = Session(*[[FACE]] * 26, [], [make_face(8)])
    look = make_look()
    session.settle(look)
    session.step(1.04, look)
    assert level(session.step(1.08, look)[1]) == 30


def test_answers_for_a_face_that_is_gone_are_ignored():
    session = Session([FACE], [])
    look = make_look()
    job, _ = session.step(0.0, look, layer=None)
    after, result = session.step(0.04, look, earlier=[(job, [BRIGHTER])])
    assert result.frame is after.frame


@pytest.mark.parametrize("strength, expected", [(1.0, 30), (0.5, 15), (0.0, 0)])
def test_strength_scales_the_edit(strength, expected):
    assert level(Session().settle(make_look(strength=strength))) == pytest.approx(
        expected, abs=0.51
    )


def test_the_overlay_shows_the_mask():
    result = Session().settle(make_look(overlay=True), layer=make_layer())
    _, u, v = planes_copy(result.frame)
    assert u[60, 80] > 160 and v[60, 80] > 160
    assert (u[2, 2], v[2, 2]) == (128, 128)


def test_a_file_is_never_hurried_and_nothing_is_used_again():
    """At five frames a second the reuse rules would show: every frame waits for its own edit."""
    retoucher = FrameRetoucher(FakeFinder(), tracker=FakeTracker([FACE]))
    engine = FakeEngine(BRIGHTER)
    results = [retoucher.process(grey(i / 5), make_look(), engine) for i in range(5)]
    assert [r.fresh for r in results] == [True] * 5
    assert [r.reused for r in results] == [0] * 5
    assert [level(r) for r in results][2:] == [30, 30, 30]
    assert len(engine.calls) == 5


@pytest.mark.parametrize("interval_s", [0.5, 2.0])
def test_slow_or_uneven_files_fade_in_once_and_stay(interval_s):
    retoucher = FrameRetoucher(FakeFinder(), tracker=FakeTracker([FACE]))
    engine = FakeEngine(BRIGHTER)
    levels = [level(retoucher.process(grey(i * interval_s), make_look(), engine)) for i in range(4)]
    assert 0 < levels[0] <= 10 and levels[1:] == [30, 30, 30]


def test_after_a_pause_of_the_camera_a_new_look_still_fades_in():
    session = Session()
    session.settle(make_look(1))
    _, result = session.step(6.0, make_look(2), make_layer(offset=90))
    assert level(result) == pytest.approx(30 * 2 / 3 + 90 / 3, abs=1)


def test_a_file_without_faces_never_calls_the_engine():
    retoucher = FrameRetoucher(FakeFinder(), tracker=FakeTracker([]))
    engine = FakeEngine()
    frame = grey(0.0)
    assert retoucher.process(frame, make_look(), engine).frame is frame
    assert not engine.calls


def test_an_error_of_the_engine_passes_through_and_the_next_frame_is_fine():
    retoucher = FrameRetoucher(FakeFinder(), tracker=FakeTracker([FACE]))
    with pytest.raises(RuntimeError, match="no device"):
        retoucher.process(grey(0.0), make_look(), FakeEngine(error=RuntimeError("no device")))
    assert retoucher.process(grey(0.04), make_look(), FakeEngine()).fresh


def test_frames_without_times_go_by_the_usual_interval():
    session = Session()
    look = make_look()
    levels = []
    for _ in range(12):
        frame = grey(0.0)
        frame.pts = None
        job = session.retoucher.prepare(frame, look)
        result = session.retoucher.finish(job, [(job, [BRIGHTER])])
        levels.append(level(result))
    assert 0 < levels[0] < 5 and levels[-1] == 30


def test_a_step_back_in_time_starts_anew():
    session = Session()
    session.settle(make_look())
    job, result = session.step(0.2, make_look(), layer=None)
    assert session.tracker.resets == 1
    assert result.frame is job.frame
    assert level(session.step(0.24, make_look())[1]) == 30


def test_no_decoded_frame_is_written():
    session = Session()
    job = session.retoucher.prepare(grey(0.0), make_look())
    before = planes_copy(job.frame)
    result = session.retoucher.finish(job, [(job, [make_layer(255, 108, -59, 61)])])
    assert result.frame is not job.frame
    for plane, old in zip(planes_copy(job.frame), before, strict=True):
        np.testing.assert_array_equal(plane, old)


def test_flickering_layers_are_smoothed():
    session = Session()
    look = make_look()
    session.settle(look)
    rng = np.random.default_rng(0)
    levels = []
    for i in range(1, 40):
        layer = make_layer(offset=30 + int(rng.integers(-15, 16)))
        levels.append(level(session.step(1.0 + i / 25, look, layer)[1]))
    assert np.std(levels[10:]) < 0.5 * 8.94  # that of the layers


def test_the_key_crop_is_of_the_face_asked_for_or_of_the_largest():
    large = make_face(1, centre=(180.0, 120.0), scale=0.9)
    small = make_face(2, centre=(60.0, 60.0), scale=0.3)
    session = Session([small, large])
    assert session.retoucher.key_crop(None) is None and session.retoucher.faces() == []
    frame = make_frame(seed=2)
    session.retoucher.prepare(frame, make_look(1, NOTHING))
    picture = picture_of(frame)
    for asked, face in ((None, large), (1, large), (2, small)):
        crop = session.retoucher.key_crop(asked)
        np.testing.assert_array_equal(crop, take_crop(picture, face.transform))
    assert session.retoucher.key_crop(3) is None
    assert [face.id for face in session.retoucher.faces()] == [2, 1]


def test_layers_as_the_engine_returns_them_are_not_kept_or_changed():
    layer = make_layer(offset=30)
    kept = EditLayer(layer.codes.copy(), layer.mask.copy(), layer.skin_luma)
    session = Session()
    session.settle(make_look(overlay=True, strength=0.5), layer=layer)
    np.testing.assert_array_equal(layer.codes, kept.codes)
    np.testing.assert_array_equal(layer.mask, kept.mask)


def test_with_its_own_tracker_it_finds_and_retouches_a_face():
    finder = FakeFinder([FaceBox(110.0, 70.0, 210.0, 170.0)])
    retoucher = FrameRetoucher(finder, webrtc=True)
    engine = FakeEngine(BRIGHTER)
    for i in range(15):
        result = retoucher.process(grey(i / 30), make_look(), engine)
    assert finder.found >= 1
    assert result.faces == 1 and level(result) == 30
