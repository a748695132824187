"""Many users on one GPU: a batcher takes what waits, nobody is mixed up or forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.batching import Batcher, shared
from engines.pool import EnginePool
from stream_retouch.engine import (
    CROP_SIZE,
    REQUEST_CHANNELS,
    REQUEST_SIZE,
    Batching,
    Conditioning,
    EditLayer,
)
from stream_retouch.errors import EngineBusy, EngineError
from stream_retouch.service.parts import neutral

PATIENCE_S = 20.0


class Engine:
    """Answers every crop with a layer that tells which it was, when it may; remembers how it was called."""

    name, crop_size, calls_at_once, cores_per_call = "fake", CROP_SIZE, 1, 1

    def __init__(self, crops_at_once: int = 1, may_go: bool = True) -> None:
        self.crops_at_once = crops_at_once
        self.batches: list[int] = []
        self.began, self.may_go = threading.Semaphore(0), threading.Event()
        if may_go:
            self.may_go.set()
        self.inside = 0
        self.error: Exception | None = None
        self.closed = 0

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        assert len(crops) == len(requests) == len(conditionings)
        self.inside += 1
        assert self.inside == 1, "it was called twice at once"
        self.batches.append(len(crops))
        self.began.release()
        assert self.may_go.wait(PATIENCE_S)
        self.inside -= 1
        if self.error is not None:
            raise self.error
        return [told(int(crop[0, 0, 0])) for crop in crops]

    def close(self) -> None:
        self.closed += 1


def told(number: int) -> EditLayer:
    return EditLayer(np.zeros((4, 1, 1), np.uint8), np.zeros((1, 1), np.uint8), float(number))


def asked(*numbers: int) -> tuple[Any, Any, Any]:
    """The arguments for crops with these numbers."""
    crops = np.zeros((len(numbers), CROP_SIZE, CROP_SIZE, 3), np.uint8)
    crops[:, 0, 0, 0] = numbers
    requests = np.zeros((len(numbers), REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32)
    return crops, requests, [neutral()] * len(numbers)


class Caller:
    """One call in a thread of its own."""

    def __init__(self, engine: Any, *numbers: int) -> None:
        self.got: list[int] | Exception | None = None
        self._thread = threading.Thread(target=self._call, args=(engine, numbers), daemon=True)
        self._thread.start()

    def _call(self, engine: Any, numbers: Sequence[int]) -> None:
        try:
            self.got = [int(layer.skin_luma) for layer in engine.retouch(*asked(*numbers))]
        except Exception as error:
            self.got = error

    def answer(self) -> list[int] | Exception | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.got


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it did not come to that")


def test_a_lone_call_runs_at_once_and_those_that_come_meanwhile_are_one_batch() -> None:
    engine = Engine(crops_at_once=8, may_go=False)
    batcher, sizes = Batcher(engine, PATIENCE_S), []
    assert isinstance(batcher, Batching)
    batcher.on_batch = sizes.append
    first = Caller(batcher, 1)
    assert engine.began.acquire(timeout=PATIENCE_S)
    others = [Caller(batcher, 10, 11), Caller(batcher, 20), Caller(batcher, 30, 31, 32)]
    until(lambda: len(batcher._waiting) == 3)
    engine.may_go.set()
    assert first.answer() == [1]
    assert [other.answer() for other in others] == [[10, 11], [20], [30, 31, 32]]
    batcher.close()
    assert engine.batches == [1, 6] and sizes == [1, 6]


def test_what_does_not_fit_goes_in_the_next_batch_and_the_oldest_go_first() -> None:
    engine = Engine(crops_at_once=4, may_go=False)
    batcher = Batcher(engine, PATIENCE_S)
    callers = [Caller(batcher, 1)]
    assert engine.began.acquire(timeout=PATIENCE_S)
    for i, numbers in enumerate([(2, 3, 4), (5, 6), (7, 8, 9, 10, 11)], 1):
        callers.append(Caller(batcher, *numbers))
        until(lambda: len(batcher._waiting) == i)  # noqa: B023 (called at once)
    engine.may_go.set()
    for caller, numbers in zip(callers, [[1], [2, 3, 4], [5, 6], [7, 8, 9, 10, 11]], strict=True):
        assert caller.answer() == numbers
    assert engine.batches == [1, 3, 2, 5]  # one that fits nowhere goes alone: the engine splits it
    batcher.close()


def test_a_call_that_cannot_begin_in_time_is_given_up_even_while_the_device_hangs() -> None:
    engine = Engine(crops_at_once=8, may_go=False)
    batcher = Batcher(engine, patience_s=0.02)
    hanging = Caller(batcher, 1)
    assert engine.began.acquire(timeout=PATIENCE_S)
    assert isinstance(Caller(batcher, 2).answer(), EngineBusy)
    assert not batcher._waiting and hanging.got is None
    engine.may_go.set()
    assert hanging.answer() == [1]  # what is being computed is waited for
    assert Caller(batcher, 3).answer() == [3]
    batcher.close()
    assert engine.batches == [1, 1]


def test_an_error_reaches_everybody_in_the_batch_each_with_one_of_his_own() -> None:
    engine = Engine(crops_at_once=8, may_go=False)
    batcher = Batcher(engine, PATIENCE_S)
    first = Caller(batcher, 1)
    assert engine.began.acquire(timeout=PATIENCE_S)
    both = [Caller(batcher, 2), Caller(batcher, 3)]
    until(lambda: len(batcher._waiting) == 2)
    engine.error = ValueError("out of memory")
    engine.may_go.set()
    told = [caller.answer() for caller in (first, *both)]
    assert len({id(error) for error in told}) == 3
    for error in told:
        assert isinstance(error, EngineError) and str(error) == "out of memory"
        assert error.__cause__ is engine.error
    engine.error = None
    assert Caller(batcher, 4).answer() == [4]
    batcher.close()


def test_answers_are_given_although_they_cannot_be_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(crops: int) -> None:
        raise ValueError(crops)

    batcher = Batcher(Engine(crops_at_once=8), PATIENCE_S)
    batcher.on_batch = broken
    assert Caller(batcher, 1).answer() == [1] and Caller(batcher, 2).answer() == [2]
    batcher.close()
    assert "could not be counted" in caplog.text


def test_a_device_is_busy_while_it_computes() -> None:
    engine = Engine(crops_at_once=8, may_go=False)
    batcher = Batcher(engine, PATIENCE_S)
    assert batcher.busy_s == 0.0
    caller = Caller(batcher, 1)
    assert engine.began.acquire(timeout=PATIENCE_S)
    first = batcher.busy_s
    until(lambda: batcher.busy_s > first)
    engine.may_go.set()
    caller.answer()
    batcher.close()
    assert batcher.busy_s == batcher.busy_s > 0


def test_closing_ends_the_wait_of_all() -> None:
    engine = Engine(crops_at_once=8, may_go=False)
    batcher = Batcher(engine, PATIENCE_S)
    running = Caller(batcher, 1)
    assert engine.began.acquire(timeout=PATIENCE_S)
    waiting = Caller(batcher, 2)
    until(lambda: len(batcher._waiting) == 1)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    until(lambda: batcher._closed)
    engine.may_go.set()
    closing.join(PATIENCE_S)
    assert running.answer() == [1]
    assert isinstance(waiting.answer(), EngineError)
    batcher.close()
    assert engine.closed >= 1
    with pytest.raises(EngineError, match="closed"):
        batcher.retouch(*asked(1))


def test_many_users_at_once_each_get_their_own_answers() -> None:
    engine = Engine(crops_at_once=4)
    for several in (Batcher(engine, patience_s=PATIENCE_S), EnginePool([Engine(), Engine()])):
        wrong: list[object] = []

        def use(user: int, device: Any = several, wrong: list[object] = wrong) -> None:
            for i in range(40):
                numbers = (user * 40 + i) % 256, (user + i) % 256
                got = [int(layer.skin_luma) for layer in device.retouch(*asked(*numbers))]
                if got != list(numbers):
                    wrong.append((numbers, got))

        users = [threading.Thread(target=use, args=(user,)) for user in range(6)]
        for user in users:
            user.start()
        for user in users:
            user.join(PATIENCE_S)
            assert not user.is_alive()
        assert not wrong
        several.close()
    assert max(engine.batches) <= 4


def test_an_engine_that_takes_batches_gets_them_and_one_that_cannot_be_copied_stays_alone() -> None:
    several, one = Engine(crops_at_once=8), Engine()
    batcher = shared(several, 2.0)
    assert isinstance(batcher, Batcher) and batcher.crops_at_once == 8
    batcher.close()
    assert several.closed and shared(one, 8.0) is one
