"""The shared engine is given in turns: nobody starves, and four faces get no more than one."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, REQUEST_CHANNELS, REQUEST_SIZE, Conditioning, EditLayer
from stream_retouch.errors import EngineBusy
from stream_retouch.language.plan import InstructionPlan, amounts
from stream_retouch.media.retouch import Job, Look
from stream_retouch.metrics import Metrics
from stream_retouch.service.engine_lane import EngineFailed, EngineLane
from stream_retouch.service.engine_turns import EngineTurns
from stream_retouch.service.load import EngineUse
from stream_retouch.service.parts import neutral
from stream_retouch.service.service import Service
from stream_retouch.service.sessions import Sessions
from stream_retouch.settings import Settings
from tests.fakes import make_layer
from tests.service.fakes import PATIENCE_S, FakePeer, face, frame_at, parts, until


class Queue:
    """Threads that each want one turn, and the order in which they got it."""

    def __init__(self) -> None:
        self.turns = EngineTurns()
        self.got: list[str] = []
        self.threads: list[threading.Thread] = []

    def join(self, name: str, timeout_s: float | None = None) -> None:
        """One more waits; the next one comes after it."""

        def want() -> None:
            if self.turns.acquire(name, timeout_s):
                self.got.append(name)
                self.turns.release()
            else:
                self.got.append(f"not {name}")

        before = self.turns.waiting
        self.threads.append(threading.Thread(target=want))
        self.threads[-1].start()
        if timeout_s is None:
            until(lambda: self.turns.waiting == before + 1)

    def end(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def test_turns_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    queue = Queue()
    assert queue.turns.acquire()
    for name in "cabdef":
        queue.join(name)
    queue.turns.release()
    queue.end()
    assert queue.got == list("cabdef")
    assert queue.turns.acquire(timeout_s=0)  # nobody holds it any more


def test_a_wait_ends_in_time_and_leaves_no_hole_in_the_queue() -> None:
    queue = Queue()
    assert queue.turns.acquire()
    queue.join("first", timeout_s=0.0)
    queue.end()
    queue.join("second")
    queue.turns.release()
    queue.end()
    assert queue.got == ["not first", "second"]


def test_who_leaves_waits_no_longer_and_never_again_and_the_others_stay() -> None:
    class Owner:
        pass

    queue, owner = Queue(), Owner()
    assert queue.turns.acquire()
    queue.join("one")
    given: list[bool] = []
    thread = threading.Thread(target=lambda: given.append(queue.turns.acquire(owner)))
    thread.start()
    until(lambda: queue.turns.waiting == 2)
    queue.turns.leave(owner)
    thread.join(PATIENCE_S)
    assert given == [False] and queue.turns.waiting == 1
    queue.turns.release()
    queue.end()
    assert queue.got == ["one"]
    assert not queue.turns.acquire(owner)


def test_the_time_it_is_held_is_summed_up() -> None:
    now = [0.0]
    turns = EngineTurns(clock=lambda: now[0])
    for _ in range(3):
        assert turns.acquire()
        now[0] += 0.25
        assert turns.held_s % 1 in (0.25, 0.5, 0.75)
        turns.release()
        now[0] += 10
    assert turns.held_s == 0.75


def test_as_many_as_are_allowed_hold_the_engine_and_more_may_be_allowed_later() -> None:
    now = [0.0]
    turns = EngineTurns(clock=lambda: now[0])
    turns.allow(2)
    assert turns.at_once == 2
    assert turns.acquire() and turns.acquire(timeout_s=0) and not turns.acquire(timeout_s=0)
    now[0] = 0.5
    assert turns.held_s == 1.0
    turns.release()
    now[0] = 0.75
    turns.release()
    assert turns.held_s == 1.25

    queue = Queue()
    assert queue.turns.acquire()
    queue.join("a")
    queue.join("b")
    queue.turns.allow(3)
    queue.end()
    assert sorted(queue.got) == ["a", "b"]


class SteppedEngine:
    """Does one call at a time, when it is told to; notes whose faces it saw."""

    name = "stepped"
    crop_size = CROP_SIZE
    calls_at_once = crops_at_once = cores_per_call = 1

    def __init__(self) -> None:
        self.step = threading.Semaphore(0)
        self.began: list[tuple[int, int]] = []
        """Session and frame of every crop."""
        self.error: Exception | None = None
        self.largest = 0

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        assert len(crops) == len(requests) == len(conditionings)
        self.largest = max(self.largest, len(crops))
        self.began.append((int(crops[0, 0, 0, 0]), int(crops[0, 0, 0, 1])))
        assert self.step.acquire(timeout=PATIENCE_S)
        if self.error is not None:
            raise self.error
        return [make_layer() for _ in crops]

    def close(self) -> None:
        pass


class House:
    """Sessions, by number, that share one engine; each always has a job waiting."""

    def __init__(self, *faces: int) -> None:
        self.engine, self.turns = SteppedEngine(), EngineTurns()
        self.faces = faces
        self.lanes = [
            EngineLane(self.engine, self.turns, Metrics(), f"{i}", time.monotonic)
            for i in range(len(faces))
        ]
        self.frame = 0
        for lane in self.lanes:
            lane.start()

    def job(self, session: int) -> Job:
        """The next frame of a session."""
        count = self.faces[session]
        crops = np.zeros((count, CROP_SIZE, CROP_SIZE, 3), np.uint8)
        crops[..., 0], crops[..., 1] = session, self.frame % 256
        look = Look(0, InstructionPlan(), amounts(InstructionPlan()), neutral(), {})
        faces = [face(i) for i in range(count)]
        requests = np.zeros((count, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32)
        known = frozenset(range(count))
        frame = frame_at(self.frame)
        return Job(
            frame, None, self.frame / 30, look, faces, known, faces, crops, requests,
            [neutral()] * count,
        )  # fmt: skip

    def picture(self) -> None:
        """A new frame for everybody."""
        self.frame += 1
        for session, lane in enumerate(self.lanes):
            lane.put(self.job(session))

    def answers(self, session: int, job: Job) -> list[tuple[Job, list[EditLayer]]]:
        """What that session's lane answers to the job, however long it takes."""
        lane = self.lanes[session]
        lane.put(job)
        lane.wait(job, time.monotonic() + PATIENCE_S)
        return lane.answers(job)

    def everybody_waits(self) -> None:
        """Until one has the engine and all others wait for it."""
        until(lambda: self.turns.waiting == len(self.lanes) - 1)

    def turn(self) -> None:
        """The engine does one call."""
        before = len(self.engine.began)
        self.everybody_waits()
        self.engine.step.release()
        until(lambda: len(self.engine.began) == before + 1)

    def close(self) -> None:
        self.engine.step.release(100)
        for lane in self.lanes:
            lane.stop()
        for lane in self.lanes:
            lane.thread.join(PATIENCE_S)
            assert not lane.thread.is_alive()


def test_when_the_engine_is_short_four_faces_get_no_more_turns_than_one() -> None:
    house = House(4, 1, 1)
    house.picture()
    for _ in range(30):
        house.turn()
        house.picture()  # every lane always has another job
    shares = Counter(session for session, _ in house.engine.began[1:])
    house.close()
    assert set(shares.values()) == {10}
    assert house.engine.largest == 1


def test_a_turn_comes_after_one_face_of_each_of_the_others() -> None:
    house = House(4, 4, 1, 2)
    house.picture()
    for _ in range(40):
        house.turn()
        house.picture()
    order = [session for session, _ in house.engine.began]
    house.close()
    for i in range(4, len(order) - 3):
        assert sorted(order[i : i + 4]) == [0, 1, 2, 3]


def test_what_is_left_when_the_others_want_nothing_goes_to_the_four_faces() -> None:
    house = House(4, 1)
    for session in (0, 1):
        house.lanes[session].put(house.job(session))
        until(lambda s=session: len(house.engine.began) + house.turns.waiting == s + 1)
    house.engine.step.release(5)
    until(lambda: len(house.engine.began) == 5)
    order = [session for session, _ in house.engine.began]
    house.close()
    assert order == [0, 1, 0, 0, 0]


def test_a_session_that_waited_long_brings_its_newest_frame() -> None:
    house = House(1, 1)
    house.lanes[0].put(house.job(0))
    until(lambda: len(house.engine.began) == 1)
    for _ in range(5):
        house.frame += 1
        house.lanes[1].put(house.job(1))
        until(lambda: house.turns.waiting == 1)
    house.engine.step.release()
    until(lambda: len(house.engine.began) == 2)
    house.close()
    assert house.engine.began == [(0, 0), (1, 5)]


def test_all_faces_of_a_picture_are_answered_together_and_counted_as_one_stage() -> None:
    house = House(4)
    job = house.job(0)
    house.engine.step.release(4)
    answers = house.answers(0, job)
    house.close()
    assert [(asked is job, len(edits)) for asked, edits in answers] == [(True, 4)]


def test_an_engine_that_raises_gives_its_turn_back() -> None:
    house = House(2, 1)
    house.engine.error = RuntimeError("device lost")
    job = house.job(0)
    house.engine.step.release()
    with pytest.raises(EngineFailed):
        house.answers(0, job)
    house.engine.error = None
    other = house.job(1)
    house.engine.step.release()
    assert len(house.answers(1, other)) == 1
    house.close()


def test_a_session_that_ends_while_another_hangs_in_the_engine_waits_for_nobody() -> None:
    house = House(1, 4)
    house.lanes[0].put(house.job(0))
    until(lambda: len(house.engine.began) == 1)
    house.lanes[1].put(house.job(1))
    until(lambda: house.turns.waiting == 1)
    house.lanes[1].stop()
    house.lanes[1].thread.join(PATIENCE_S)
    assert not house.lanes[1].thread.is_alive() and not house.turns.waiting
    house.close()


def test_an_engine_of_batches_gets_all_faces_of_a_picture_at_once() -> None:
    house = House(4)
    house.engine.crops_at_once = 3
    house.engine.step.release(2)
    job = house.job(0)
    ((asked, layers),) = house.answers(0, job)
    assert asked is job and len(layers) == 4
    assert house.engine.largest == 3 and len(house.engine.began) == 2
    house.close()


def test_an_engine_without_time_is_no_failure_and_nobody_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(1)
    house.engine.step.release(2)
    house.engine.error = EngineBusy()
    assert house.answers(0, house.job(0)) == []
    house.engine.error = None
    job = house.job(0)
    assert house.answers(0, job)[0][0] is job
    house.close()
    assert not caplog.records


class BatchingEngine(SteppedEngine):
    """One that puts the crops of many calls together, on a device of its own."""

    calls_at_once, crops_at_once, cores_per_call = 16, 8, 0

    def __init__(self) -> None:
        super().__init__()
        self.on_batch: Callable[[int], None] = lambda crops: None
        self.busy_s = 0.0


class HastyEngine(SteppedEngine):
    """One that has used idle cores."""

    haste_s = 0.7


def test_sessions_give_as_many_turns_as_the_engine_takes_calls_and_count_its_batches() -> None:
    metrics, engine = Metrics(), BatchingEngine()
    sessions = Sessions(Settings(), metrics, FakePeer, lambda finder: pytest.fail(), math.inf)
    assert sessions.engine_turns.at_once == 1
    sessions.share(engine)
    assert sessions.engine_turns.at_once == 16
    engine.on_batch(5)
    engine.on_batch(3)
    assert b"stream_retouch_engine_batch_crops_sum 8.0" in metrics.render()
    engine.busy_s = 1.5
    assert sessions._engine_use() == EngineUse(1.5, 1, 0)
    sessions.share(SteppedEngine())
    assert sessions.engine_turns.acquire()
    use = sessions._engine_use()
    assert use.calls_at_once == use.cores_per_call == 1 and use.held_s > 0 and use.haste_s == 0
    sessions.share(HastyEngine())
    assert sessions._engine_use().haste_s == 0.7


@pytest.mark.parametrize("hangs", [False, True])
def test_an_engine_of_several_calls_is_closed_when_none_is_in_it(hangs: bool) -> None:
    engine = BatchingEngine()
    closed: list[bool] = []
    engine.close = lambda: closed.append(True)  # type: ignore[method-assign]
    service = Service(
        replace(Settings(), shutdown_timeout_s=0.1), replace(parts(), engine=engine), None,
        FakePeer, lambda finder: pytest.fail(), FakePeer, lambda stream: pytest.fail(), math.inf,
    )  # fmt: skip
    turns = service.sessions.engine_turns
    if hangs:
        assert turns.acquire()
    service._close_parts(0.05)
    assert closed == ([] if hangs else [True])
    assert turns.acquire(timeout_s=0)  # those that were had are given back
