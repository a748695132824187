"""The frame path keeps going, whatever the engine does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import pytest

from stream_retouch.language.plan import InstructionPlan, amounts
from stream_retouch.media.retouch import Look
from stream_retouch.metrics import Metrics
from stream_retouch.service.engine_lane import HANGS_S
from stream_retouch.service.engine_turns import EngineTurns
from stream_retouch.service.ladder import RUNGS
from stream_retouch.service.load import Effort
from stream_retouch.service.parts import neutral
from stream_retouch.service.priority import lower_priority
from stream_retouch.service.worker import FrameWorker
from tests.service.fakes import (
    PATIENCE_S,
    FakeEngine,
    FakePeer,
    FakeRetoucher,
    frame_at,
    until,
)


class Bench:
    """One worker with a fake on every side."""

    def __init__(
        self,
        budget_s: float,
        *face_ids: int,
        engine: FakeEngine | None = None,
        turns: EngineTurns | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.peer = FakePeer()
        self.engine = engine or FakeEngine()
        self.retoucher = FakeRetoucher(*face_ids)
        self.metrics = Metrics()
        self.look = Look(0, InstructionPlan(), amounts(InstructionPlan()), neutral(), {})
        self.applied: list[tuple[int, float]] = []
        self.faces: list[frozenset[int]] = []
        self.worker = FrameWorker(
            self.peer,
            self.retoucher,
            self.engine,
            turns or EngineTurns(),
            lambda: self.look,
            self.metrics,
            budget_s=budget_s,
            on_applied=lambda version, pts_s, _: self.applied.append((version, pts_s)),
            on_faces=self.faces.append,
            label="test",
            clock=clock,
        )
        self.worker.start()

    def through(self, index: int) -> tuple[av.VideoFrame, av.VideoFrame]:
        """Sends a frame through; what went in and what came out."""
        frame = frame_at(index)
        self.peer.frames.put(frame)
        return frame, self.peer.out.get(timeout=PATIENCE_S)

    def ask(self, index: int) -> None:
        """Puts a frame in; until the engine has been asked about it."""
        asked = self.retoucher.asked
        count = len(asked)
        self.peer.frames.put(frame_at(index))
        until(lambda: asked[count:] == [index])

    def close(self) -> None:
        """Ends the worker; its threads must be gone."""
        self.engine.gate.set()
        assert self.worker.close(PATIENCE_S)

    def counted(self, result: str) -> float:
        """Frames counted with this result."""
        return (
            self.metrics.registry.get_sample_value(
                "stream_retouch_frames_total", {"result": result}
            )
            or 0.0
        )


@pytest.fixture
def patient() -> Iterator[Bench]:
    """A worker that always waits for its engine; one face."""
    bench = Bench(PATIENCE_S, 1)
    yield bench
    bench.close()


@pytest.fixture
def hurried() -> Iterator[Bench]:
    """A worker that never waits for its engine; one face."""
    bench = Bench(0.0, 1)
    yield bench
    bench.close()


def test_an_engine_in_time_makes_every_frame_fresh(patient: Bench) -> None:
    for index in range(5):
        frame, out = patient.through(index)
        assert out is not frame and out.pts == index
    assert patient.counted("fresh") >= 4  # the fifth is counted after it was sent
    assert patient.retoucher.answers == [[0], [1], [2], [3], [4]]


def test_frames_flow_while_the_engine_hangs_and_reuse_is_counted(hurried: Bench) -> None:
    index = 0
    while not hurried.worker.stats().reused:  # until a first answer has come, late
        hurried.through(index)
        index += 1
    hurried.engine.gate.clear()
    for held in range(index, index + 10):
        _, out = hurried.through(held)
        assert out.pts == held
    assert hurried.worker.stats().reused >= 9
    assert hurried.worker.stats().failed == 0


def test_a_late_engine_gets_the_newest_frame_and_skips_the_ones_between(hurried: Bench) -> None:
    hurried.engine.gate.clear()
    hurried.through(0)
    assert hurried.engine.entered.acquire(timeout=PATIENCE_S)
    for index in range(1, 6):
        hurried.through(index)
    hurried.engine.gate.set()
    assert hurried.engine.entered.acquire(timeout=PATIENCE_S)
    assert hurried.engine.seen == [0, 5]


def test_an_engine_known_to_be_too_slow_is_not_waited_for() -> None:
    now = [0.0]
    engine = FakeEngine()
    engine.on_call = lambda: now.__setitem__(0, now[0] + 0.060)  # a call takes 60 ms
    bench = Bench(0.020, 1, engine=engine, clock=lambda: now[0])
    index = 0
    while not bench.worker.stats().reused:
        bench.through(index)
        index += 1
    engine.gate.clear()
    # From here on the clock stands still: a frame that waited for its budget would never leave.
    for held in range(index, index + 5):
        bench.through(held)
    bench.close()


def test_an_engine_that_hangs_after_quick_calls_is_waited_for_once() -> None:
    now = [0.0]
    bench = Bench(PATIENCE_S, 1, clock=lambda: now[0])
    for index in range(3):
        bench.through(index)  # each call took no time
    bench.engine.gate.clear()
    bench.ask(3)
    until(lambda: bench.engine.seen[-1] == 3)
    now[0] = HANGS_S + 0.001
    for index in range(4, 8):
        # The clock stands still: a frame that waited would never leave.
        bench.peer.frames.put(frame_at(index))
        until(lambda i=index: i in bench.retoucher.prepared)
    assert [bench.peer.out.get(timeout=PATIENCE_S).pts for _ in range(5)] == [3, 4, 5, 6, 7]
    bench.close()


def test_each_of_two_frames_with_one_time_stamp_gets_its_own_edit(patient: Bench) -> None:
    patient.engine.gate.clear()
    patient.ask(5)
    assert patient.engine.entered.acquire(timeout=PATIENCE_S)
    patient.ask(5)
    patient.engine.gate.set()
    for _ in range(2):
        patient.peer.out.get(timeout=PATIENCE_S)
    patient.close()
    assert patient.retoucher.answers == [[5], [5]] and patient.counted("fresh") == 2


def test_newcomers_are_looked_for_when_no_frame_waits_or_seldom(patient: Bench) -> None:
    patient.through(0)
    until(lambda: patient.retoucher.looked == [0])
    patient.engine.gate.clear()
    patient.ask(1)
    until(lambda: patient.engine.seen[-1] == 1)
    patient.ask(2)
    patient.engine.gate.set()
    for _ in range(2):
        patient.peer.out.get(timeout=PATIENCE_S)
    until(lambda: patient.retoucher.looked == [0, 2])  # and not while the second waited


def test_late_answers_reach_the_next_frame_oldest_first(hurried: Bench) -> None:
    index = 0
    while not any(hurried.retoucher.answers):
        hurried.through(index)
        index += 1
    arrived = [pts for answers in hurried.retoucher.answers for pts in answers]
    assert arrived == sorted(arrived)


def test_a_frame_whose_engine_raises_leaves_as_it_came(
    patient: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    patient.engine.error = RuntimeError("device lost")
    with caplog.at_level(logging.INFO):
        for index in range(4):
            frame, out = patient.through(index)
            assert out is frame
        patient.engine.error = None
        frame, out = patient.through(4)
        assert out is not frame
        patient.through(5)
    assert patient.worker.stats().failed == 4 == patient.counted("failed")
    raised = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.getMessage() for r in raised] == ["test: the engine raised"]
    assert "test: well again after 4 failed frames" in caplog.messages


def test_a_frame_that_cannot_be_prepared_leaves_as_it_came(
    patient: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    patient.retoucher.error = ValueError("odd picture")
    for index in range(3):
        frame, out = patient.through(index)
        assert out is frame
    patient.retoucher.error = None
    frame, out = patient.through(3)
    assert out is not frame
    assert caplog.messages.count("test: a frame left as it came") == 1


def test_a_frame_without_a_face_never_asks_the_engine(patient: Bench) -> None:
    patient.retoucher.seen = []
    for index in range(3):
        patient.through(index)
    assert patient.engine.seen == []
    assert patient.counted("passed") >= 2
    assert patient.worker.stats().fresh_share == 1.0


def test_the_first_frame_of_a_look_and_changes_of_faces_are_told(patient: Bench) -> None:
    patient.look = Look(3, InstructionPlan(), patient.look.table, neutral(), {})
    for index in range(6, 9):
        patient.through(index)
    patient.retoucher.seen = []
    patient.through(9)
    patient.close()
    assert patient.applied == [(3, 0.2)]
    assert patient.faces == [frozenset({1}), frozenset()]


def test_two_workers_never_call_their_shared_engine_at_once() -> None:
    engine, turns = FakeEngine(), EngineTurns()
    benches = [Bench(PATIENCE_S, 1, engine=engine, turns=turns) for _ in range(2)]
    for index in range(30):
        for bench in benches:
            bench.peer.frames.put(frame_at(index))
        for bench in benches:
            assert bench.peer.out.get(timeout=PATIENCE_S).pts == index
    for bench in benches:
        bench.close()
    assert engine.overlaps == 0
    assert len(engine.seen) == 60


def test_while_one_waits_the_next_is_prepared_and_both_are_fresh(patient: Bench) -> None:
    patient.engine.gate.clear()
    patient.ask(0)
    assert patient.engine.entered.acquire(timeout=PATIENCE_S)
    patient.ask(1)
    patient.engine.gate.set()
    assert [patient.peer.out.get(timeout=PATIENCE_S).pts for _ in range(2)] == [0, 1]
    patient.close()
    assert patient.counted("fresh") == 2 and patient.counted("dropped") == 0
    assert patient.retoucher.answers == [[0], [1]]


def test_frames_that_cannot_be_prepared_in_time_are_counted_as_dropped(patient: Bench) -> None:
    patient.engine.gate.clear()
    patient.ask(0)
    assert patient.engine.entered.acquire(timeout=PATIENCE_S)
    patient.ask(1)
    for index in range(2, 5):
        patient.peer.frames.put(frame_at(index))
    patient.engine.gate.set()
    assert [patient.peer.out.get(timeout=PATIENCE_S).pts for _ in range(3)] == [0, 1, 4]
    patient.close()
    assert patient.worker.stats().dropped == 2 == patient.counted("dropped")


def test_frames_leave_in_their_order_whatever_they_need(patient: Bench) -> None:
    patient.engine.gate.clear()
    patient.ask(0)
    patient.retoucher.seen = []
    patient.peer.frames.put(frame_at(1))  # asks for nothing
    until(lambda: patient.retoucher.prepared == [0, 1])
    assert patient.peer.out.empty()
    patient.engine.gate.set()
    assert [patient.peer.out.get(timeout=PATIENCE_S).pts for _ in range(2)] == [0, 1]


@pytest.mark.parametrize("way", ["bypassed", "failed"])
def test_one_that_cannot_be_retouched_does_not_overtake_the_one_that_waits(
    patient: Bench, way: str
) -> None:
    patient.engine.gate.clear()
    patient.ask(0)
    if way == "bypassed":
        patient.worker.rung = RUNGS[-1]
    else:
        patient.retoucher.error = ValueError("odd picture")
    patient.peer.frames.put(frame_at(1))
    assert [patient.peer.out.get(timeout=PATIENCE_S).pts for _ in range(2)] == [0, 1]
    patient.close()
    assert patient.counted(way) == 1 and patient.worker.effort().frames == 2


def test_a_frame_that_was_overtaken_at_the_engine_is_not_waited_for() -> None:
    turns = EngineTurns()
    bench = Bench(PATIENCE_S, 1, turns=turns)
    assert turns.acquire()  # somebody else has the engine
    bench.ask(0)
    until(lambda: turns.waiting == 1)
    bench.ask(1)
    assert bench.peer.out.get(timeout=PATIENCE_S).pts == 0
    turns.release()
    assert bench.peer.out.get(timeout=PATIENCE_S).pts == 1
    bench.close()
    assert bench.engine.seen == [1]
    assert bench.retoucher.answers == [[], [1]]


def test_closing_ends_both_threads_and_may_be_repeated() -> None:
    before = set(threading.enumerate())
    bench = Bench(PATIENCE_S, 1)
    bench.through(0)
    bench.close()
    bench.close()
    assert set(threading.enumerate()) == before


def test_closing_is_bounded_when_the_engine_hangs(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(PATIENCE_S, 1)
    bench.engine.gate.clear()
    bench.peer.frames.put(frame_at(0))
    assert bench.engine.entered.acquire(timeout=PATIENCE_S)
    began = time.monotonic()
    assert not bench.worker.close(0.05)
    assert time.monotonic() - began < PATIENCE_S / 2
    assert "test: a call of the engine did not end; it is left behind" in caplog.messages
    # The frame that waited for the engine was let go.
    assert bench.peer.out.get(timeout=PATIENCE_S).pts == 0
    bench.close()


def test_a_thread_can_always_be_made_more_polite() -> None:
    def twice() -> None:
        lower_priority(40)
        lower_priority(40)

    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()


# Rungs


def test_on_the_first_rung_every_second_frame_asks_the_engine_and_all_leave(patient: Bench) -> None:
    patient.through(0)
    patient.worker.rung = RUNGS[1]
    for index in range(1, 9):
        _, out = patient.through(index)
        assert out.pts == index
    patient.close()
    assert patient.engine.seen == [0, 2, 4, 6, 8]
    assert patient.counted("fresh") == 5 and patient.counted("reused") == 4


def test_on_the_last_rung_frames_go_through_as_they_came_and_are_counted(patient: Bench) -> None:
    patient.through(0)
    patient.worker.rung = RUNGS[-1]
    for index in range(1, 5):
        frame, out = patient.through(index)
        assert out is frame
    patient.close()
    assert patient.engine.seen == [0] and patient.counted("bypassed") == 4
    stats = patient.worker.stats()
    assert stats.fresh_share is not None and stats.fresh_share < 1 and stats.faces == 1
    effort = patient.worker.effort()
    assert effort.frames == 5 and effort.busy_s > 0


def test_a_rung_makes_the_picture_smaller_and_a_failing_engine_does_not_make_it_large_again(
    patient: Bench,
) -> None:
    patient.worker.rung = RUNGS[3]
    patient.engine.error = RuntimeError("device lost")
    large = av.VideoFrame(1280, 720, "yuv420p")
    large.pts, large.time_base = 0, Fraction(1, 30)
    patient.peer.frames.put(large)
    out = patient.peer.out.get(timeout=PATIENCE_S)
    assert (out.width, out.height, out.pts) == (640, 360, 0)


def test_waiting_for_the_engine_is_no_work() -> None:
    now = [0.0]
    engine = FakeEngine()
    engine.on_call = lambda: now.__setitem__(0, now[0] + 0.5)
    bench = Bench(PATIENCE_S, 1, engine=engine, clock=lambda: now[0])
    bench.through(0)
    bench.close()
    assert bench.worker.effort() == Effort(frames=1, busy_s=0.0)
