"""FrameRetoucher when faces come and go: their strength, and the look that waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from stream_retouch.engine import EditLayer
from stream_retouch.media.faces import Face
from stream_retouch.media.frames import picture_of
from stream_retouch.media.retouch import KEPT_S, FrameRetoucher, Job, Look, Retouched
from tests.fakes import (
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
from tests.media.drawn_faces import ANN, FPS, DrawnFaceFinder, picture, placed

FACE = make_face(7)
BRIGHTER = make_layer(offset=30)
RATE = 25


class Session:
    """A retoucher whose tracker is told, frame by frame, who is there."""

    def __init__(self) -> None:
        self.tracker = FakeTracker()
        self.retoucher = FrameRetoucher(FakeFinder(), tracker=self.tracker)
        self.frames = 0

    def step(
        self,
        faces: Sequence[Face],
        look: Look,
        layer: EditLayer | None = BRIGHTER,
        times: int = 1,
    ) -> tuple[Job, Retouched]:
        """The next frame with these faces, answered by `layer` in time, or not at all for None."""
        self.tracker.script = [list(faces)]
        for _ in range(times):
            grey = np.full((240, 320, 3), 100.0)
            frame = make_frame(320, 240, rgb=grey, pts=self.frames * 90000 // RATE)
            self.frames += 1
            job = self.retoucher.prepare(frame, look)
            answers = [] if layer is None else [(job, [layer] * len(job.subjects))]
            done = self.retoucher.finish(job, answers)
        return job, done


def level(job: Job, done: Retouched, x: int = 160, y: int = 120) -> int:
    """By how many codes the luma there was raised."""
    before = picture_of(job.frame).y
    return int(planes_copy(done.frame)[0][y, x]) - int(before[y, x])


@pytest.mark.parametrize("strength, share", [(1.0, 1.0), (0.5, 0.5), (0.1, 0.1)])
def test_an_edit_is_shown_as_strongly_as_its_face(strength: float, share: float) -> None:
    session, look = Session(), make_look()
    full = level(*session.step([FACE], look, times=20))
    shown = level(*session.step([replace(FACE, strength=strength)], look))
    assert full > 20 and shown == pytest.approx(share * full, abs=1)


def test_a_face_that_is_back_shows_its_last_edit_before_there_is_a_new_one() -> None:
    session, look = Session(), make_look()
    full = level(*session.step([FACE], look, times=20))
    session.step([], look, times=20)
    assert level(*session.step([FACE], look, layer=None)) == full
    assert level(*session.step([FACE], look)) == full


def test_a_face_that_is_back_has_nothing_but_its_strength_to_fade_it_in() -> None:
    session, look = Session(), make_look()
    full = level(*session.step([FACE], look, times=20))
    session.step([], look, times=10)
    shown = [
        level(*session.step([replace(FACE, strength=share)], look)) for share in (0.25, 0.75, 1.0)
    ]
    assert shown == pytest.approx([0.25 * full, 0.75 * full, full], abs=1)


def test_after_long_the_edit_is_forgotten() -> None:
    session, look = Session(), make_look()
    session.step([FACE], look, times=20)
    job, _ = session.step([], look, times=round(KEPT_S * RATE) + 2)
    assert job.known == frozenset()
    assert level(*session.step([FACE], look, layer=None)) == 0


def test_an_edit_is_never_shown_on_another_face() -> None:
    session, look = Session(), make_look()
    session.step([FACE], look, times=20)
    session.step([], look, times=3)
    assert level(*session.step([make_face(8)], look, layer=None)) == 0


def test_a_look_that_changed_while_a_face_was_away_does_not_fade_out_on_it() -> None:
    session = Session()
    session.step([FACE], make_look(1), times=20)
    session.step([], make_look(1), times=5)
    assert level(*session.step([FACE], make_look(2), layer=None)) == 0
    other = make_layer(offset=-30)
    assert level(*session.step([FACE], make_look(2), other)) < -20


def test_who_left_a_moment_ago_is_still_known_and_keeps_its_conditioning() -> None:
    session = Session()
    own = make_conditioning(42.0)
    look = make_look(by_face={7: own})
    session.step([FACE], look)
    job, done = session.step([], look)
    assert job.known == {7} and done.faces == 0
    job, _ = session.step([FACE, make_face(8)], look)
    assert job.known == {7, 8} and job.conditionings[0] is own


def test_a_look_applies_on_faces_in_view_only() -> None:
    session = Session()
    session.step([FACE], make_look(1), times=5)
    session.step([], make_look(2), times=3)
    assert session.step([], make_look(2))[1].applied is None
    assert session.step([FACE], make_look(2))[1].applied == 2


def test_a_hand_before_a_real_track_fades_the_edit_out_and_in_and_never_snaps() -> None:
    """All of it: a drawn face is covered for half a second."""
    retoucher, engine = FrameRetoucher(DrawnFaceFinder()), FakeEngine(BRIGHTER)
    truth, look, shown = placed(160, 90), make_look(), []
    for i in range(60):
        seen = picture(truth, who=ANN) if not 30 <= i < 45 else picture()
        rgb = np.repeat(seen.y[:, :, None], 3, axis=2).astype(np.float64)
        frame = make_frame(320, 180, rgb=rgb, full_range=True, pts=round(i * 90000 / FPS))
        done = retoucher.process(frame, look, engine)
        at = (66, 160)  # the forehead, grey with and without the face
        shown.append(int(planes_copy(done.frame)[0][at]) - int(picture_of(frame).y[at]))
    assert shown[29] > 25 and shown[59] == shown[29] and shown[40] == 0
    assert np.abs(np.diff(shown[29:])).max() <= 8
