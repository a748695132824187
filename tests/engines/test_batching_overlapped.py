"""A batcher whose engine begins a batch while another computes: who goes when, whose answers, whose errors."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.batching import Batcher, Overlapping
from stream_retouch.engine import Conditioning, EditLayer
from stream_retouch.errors import EngineBusy, EngineError
from tests.engines.test_batching import PATIENCE_S, Caller, Engine, asked, told, until

Finish = Callable[[], list[EditLayer]]


class Gate:
    """Something that is tried, and goes on when it may."""

    def __init__(self, is_open: bool) -> None:
        self._tried, self._may, self.is_open = (
            threading.Semaphore(0),
            threading.Semaphore(0),
            is_open,
        )

    def go_through(self) -> None:
        self._tried.release()
        if not self.is_open:
            assert self._may.acquire(timeout=PATIENCE_S)

    def reached(self) -> None:
        """Returns when it is tried."""
        assert self._tried.acquire(timeout=PATIENCE_S)

    def one(self) -> None:
        self._may.release()

    def open(self) -> None:
        """For everybody from now on."""
        self.is_open = True
        self._may.release()


class Stepped(Engine):
    """Answers one call after the other, when it may."""

    def __init__(self, crops_at_once: int) -> None:
        super().__init__(crops_at_once)
        self.running = Gate(False)

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        self.running.go_through()
        return super().retouch(crops, requests, conditionings)


class Pipeline(Engine):
    """Answers as `Engine` does, begun and finished when it may; remembers what came after what."""

    def __init__(self, crops_at_once: int = 8, is_open: bool = False) -> None:
        super().__init__(crops_at_once)
        self.log: list[str] = []
        self.beginning, self.finishing = Gate(is_open), Gate(is_open)
        self.errors: dict[str, Exception] = {}
        """By what is then raised, for example ``begin 3``."""
        self._under_way: deque[str] = deque()

    def begin(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> Finish:
        numbers = [int(crop[0, 0, 0]) for crop in crops]
        name = " ".join(map(str, numbers))
        self._does(f"begin {name}", self.beginning)
        self._under_way.append(name)
        assert len(self._under_way) <= 2 and len(crops) == len(requests) == len(conditionings)

        def finish() -> list[EditLayer]:
            assert self._under_way[0] == name, "another one is older"
            try:
                self._does(f"finish {name}", self.finishing)
            finally:
                self._under_way.popleft()
            return [told(number) for number in numbers]

        return finish

    def _does(self, what: str, gate: Gate) -> None:
        assert not self.closed
        self.log.append(what)
        gate.go_through()
        if what in self.errors:
            raise self.errors[what]


def waiting(batcher: Batcher, calls: int) -> None:
    until(lambda: len(batcher._waiting) == calls)


def two_under_way(
    engine: Pipeline, batcher: Batcher, between: Callable[[], object] = lambda: None
) -> list[Caller]:
    """Calls 1 and 2 in a batch each, both begun, the first about to be finished; `between` the one and the other."""
    callers = [Caller(batcher, 1)]
    engine.beginning.reached()
    between()
    callers.append(Caller(batcher, 2))
    waiting(batcher, 1)
    engine.beginning.one()
    engine.beginning.reached()
    engine.beginning.one()
    engine.finishing.reached()
    return callers


def test_a_lone_call_is_finished_at_once() -> None:
    engine = Pipeline(is_open=True)
    assert isinstance(engine, Overlapping)
    batcher = Batcher(engine, PATIENCE_S)
    assert [Caller(batcher, i).answer() for i in (1, 2)] == [[1], [2]]
    assert engine.log == ["begin 1", "finish 1", "begin 2", "finish 2"]
    batcher.close()


def test_what_is_waiting_is_begun_in_one_batch_while_the_one_before_computes() -> None:
    engine, sizes = Pipeline(), list[int]()
    batcher = Batcher(engine, PATIENCE_S)
    batcher.on_batch = sizes.append
    first = Caller(batcher, 1)
    engine.beginning.reached()
    others = [Caller(batcher, 10, 11)]
    waiting(batcher, 1)
    others.append(Caller(batcher, 20))
    waiting(batcher, 2)
    engine.beginning.open()
    engine.finishing.reached()
    assert engine.log == ["begin 1", "begin 10 11 20", "finish 1"] and first.got is None
    engine.finishing.open()
    assert first.answer() == [1] and [caller.answer() for caller in others] == [[10, 11], [20]]
    batcher.close()
    assert engine.log[3:] == ["finish 10 11 20"] and sizes == [1, 3] and engine.closed == 1


def test_batches_are_finished_in_the_order_in_which_they_were_begun_two_at_a_time() -> None:
    engine = Pipeline(crops_at_once=2)
    batcher = Batcher(engine, PATIENCE_S)
    callers = [Caller(batcher, 1)]
    engine.beginning.reached()
    for i, numbers in enumerate([(2, 3), (4,), (5, 6, 7), (8,)], 1):
        callers.append(Caller(batcher, *numbers))
        waiting(batcher, i)
    engine.beginning.open()
    engine.finishing.open()
    assert [caller.answer() for caller in callers] == [[1], [2, 3], [4], [5, 6, 7], [8]]
    order = ["begin 1", "begin 2 3", "finish 1", "begin 4", "finish 2 3", "begin 5 6 7", "finish 4"]
    assert engine.log == [*order, "begin 8", "finish 5 6 7", "finish 8"]
    batcher.close()


@pytest.mark.parametrize("what", ["begin 2", "finish 1", "finish 2"])
def test_an_error_of_either_moment_is_told_to_its_own_batch_alone(what: str) -> None:
    engine, sizes = Pipeline(), list[int]()
    batcher = Batcher(engine, PATIENCE_S)
    batcher.on_batch = sizes.append
    engine.errors[what] = ValueError("lost")
    callers = two_under_way(engine, batcher)
    engine.beginning.open()
    engine.finishing.open()
    for name, caller in zip("12", callers, strict=True):
        got = caller.answer()
        if what.endswith(name):
            assert isinstance(got, EngineError) and str(got) == "lost"
        else:
            assert got == [int(name)]
    assert Caller(batcher, 3).answer() == [3]
    batcher.close()
    assert sizes == [1, 1, 1]


def test_an_error_reaches_every_call_of_a_batch_that_could_not_begin_each_with_one_of_his_own() -> (
    None
):
    engine = Pipeline()
    batcher = Batcher(engine, PATIENCE_S)
    engine.errors["begin 2 3"] = ValueError("lost")
    first = Caller(batcher, 1)
    engine.beginning.reached()
    both = []
    for number in (2, 3):
        both.append(Caller(batcher, number))
        waiting(batcher, len(both))
    engine.beginning.open()
    engine.finishing.open()
    assert first.answer() == [1]
    errors = [caller.answer() for caller in both]
    assert errors[0] is not errors[1] and all(str(error) == "lost" for error in errors)
    batcher.close()


def test_time_in_which_two_batches_are_under_way_counts_once() -> None:
    now, engine = [10.0], Pipeline()
    batcher = Batcher(engine, PATIENCE_S, lambda: now[0])
    callers = two_under_way(engine, batcher, lambda: now.insert(0, 11.0))
    now[0] = 13.0
    assert batcher.busy_s == 3.0
    engine.finishing.one()
    assert callers[0].answer() == [1]
    engine.finishing.reached()
    now[0] = 14.0
    assert batcher.busy_s == 4.0
    engine.finishing.one()
    assert callers[1].answer() == [2]
    now[0] = 99.0
    assert batcher.busy_s == 4.0
    last = Caller(batcher, 3)
    engine.beginning.reached()
    now[0] = 100.0
    assert batcher.busy_s == 5.0
    engine.beginning.open()
    engine.finishing.open()
    assert last.answer() == [3]
    batcher.close()
    assert batcher.busy_s == 5.0


def test_closing_finishes_what_is_begun_and_ends_the_wait_of_the_others() -> None:
    engine = Pipeline()
    batcher = Batcher(engine, PATIENCE_S)
    callers = two_under_way(engine, batcher)
    last = Caller(batcher, 3)
    waiting(batcher, 1)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    until(lambda: batcher._closed)
    engine.finishing.open()
    closing.join(PATIENCE_S)
    assert not closing.is_alive() and engine.closed == 1
    assert [caller.answer() for caller in callers] == [[1], [2]]
    got = last.answer()
    assert isinstance(got, EngineError) and "closed" in str(got)
    with pytest.raises(EngineError, match="closed"):
        batcher.retouch(*asked(1))


def test_a_call_that_cannot_begin_in_time_is_given_up_while_another_one_begins() -> None:
    engine = Pipeline()
    batcher = Batcher(engine, patience_s=0.02)
    first = Caller(batcher, 1)
    engine.beginning.reached()  # it hangs there: no call after it begins
    assert isinstance(Caller(batcher, 2).answer(), EngineBusy)
    assert not batcher._waiting and first.got is None
    engine.beginning.open()
    engine.finishing.open()
    assert first.answer() == [1]
    batcher.close()


def test_of_an_engine_that_cannot_overlap_no_batch_is_taken_before_the_one_before_is_done() -> None:
    engine = Stepped(crops_at_once=2)
    batcher = Batcher(engine, PATIENCE_S)
    callers = [Caller(batcher, 1)]
    engine.running.reached()
    for i, numbers in enumerate([(2, 3), (4,)], 1):
        callers.append(Caller(batcher, *numbers))
        waiting(batcher, i)
    engine.running.one()
    engine.running.reached()  # with 2 and 3
    callers.append(Caller(batcher, 5))
    waiting(batcher, 2)
    engine.running.open()
    assert [caller.answer() for caller in callers] == [[1], [2, 3], [4], [5]]
    assert engine.batches == [1, 2, 2]
    batcher.close()


def test_many_users_at_once_each_get_their_own_answers() -> None:
    engine = Pipeline(crops_at_once=4, is_open=True)
    batcher, right = Batcher(engine, PATIENCE_S), list[bool]()

    def use(user: int) -> None:
        for i in range(40):
            numbers = (user * 40 + i) % 256, (user + i) % 256
            got = [int(layer.skin_luma) for layer in batcher.retouch(*asked(*numbers))]
            right.append(got == list(numbers))

    users = [threading.Thread(target=use, args=(user,)) for user in range(6)]
    for user in users:
        user.start()
    for user in users:
        user.join(PATIENCE_S)
        assert not user.is_alive()
    batcher.close()
    assert right == [True] * 240 and engine.batches == []  # every crop went through begin
