"""GuardedEngine: what is wrong with an answer, three in a row, a lost GPU, and who goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np
import pytest

from engines.batching import Overlapping
from engines.guarded import MOST_FAULTS, GuardedBatches, GuardedCopies, GuardedEngine, fault
from engines.pool import Copyable
from stream_retouch.engine import EditLayer, RetouchEngine
from stream_retouch.errors import DeviceFailure, EngineBusy, EngineError, WeightsError
from tests.engines.scripted import CODES, GOOD, MASK, ONE, Early, Scripted, Several

NAN = EditLayer(CODES, MASK, float("nan"))


class Later:
    """Runs what it is given when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, run: Callable[[], None]) -> None:
        self.waiting.append(run)

    def run(self) -> None:
        self.waiting.pop(0)()


def refused(engine: RetouchEngine, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        engine.retouch(*ONE)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (GOOD, None),
        (NAN, "not finite"),
        (EditLayer(CODES, MASK, float("inf")), "not finite"),
        (EditLayer(CODES[:3], MASK, 1.0), "codes of"),
        (EditLayer(CODES, MASK[:64], 1.0), "mask of"),
        (EditLayer(CODES.astype(np.float32), MASK, 1.0), "float32, not"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_with_an_answer_is_said(layer: EditLayer, words: str | None) -> None:
    said = fault([layer], 1, 256)
    assert said is None if words is None else words in (said or "")


def test_fewer_layers_than_crops_are_wrong() -> None:
    assert fault([GOOD], 2, 256) == "1 edit layers for 2 crops"


def test_three_wrong_answers_in_a_row_end_an_engines_service_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second, later = Scripted("first", NAN), Scripted("second", GOOD), Later()
    engine = GuardedEngine(first, [lambda: second], later)
    for _ in range(MOST_FAULTS):
        assert not later.waiting
        refused(engine, "the engine first gave numbers that are not finite; build it again")
    refused(engine, "the engine first is out of service; the log says why")
    assert first.closed == 0
    later.run()
    assert engine.retouch(*ONE) == [GOOD] and engine.name == "second" and first.closed == 1
    told = [record.message for record in caplog.records]
    assert told == [
        "the engine first is taken out of service: it gave numbers that are not finite, 3 times in a row",
        "the engine second goes on",
    ]


def test_a_right_answer_in_between_is_forgiveness() -> None:
    later = Later()
    engine = GuardedEngine(Scripted("first", NAN, NAN, GOOD, NAN, NAN, GOOD), (), later)
    for right in (False, False, True, False, False, True):
        if right:
            assert engine.retouch(*ONE) == [GOOD]
        else:
            refused(engine, "not finite")
    assert not later.waiting


def test_a_failure_of_the_gpu_ends_its_service_at_once(caplog: pytest.LogCaptureFixture) -> None:
    later = Later()
    lost = Scripted("first", DeviceFailure("the GPU has no memory left; end what else runs on it"))
    engine = GuardedEngine(lost, [lambda: Scripted("second", GOOD)], later)
    refused(engine, "the GPU has no memory left")
    later.run()
    assert engine.retouch(*ONE) == [GOOD]
    assert "out of service: the GPU has no memory left" in caplog.text


def test_other_failures_of_a_library_count_as_wrong_answers() -> None:
    later = Later()
    engine = GuardedEngine(Scripted("first", RuntimeError("bad graph\nmore")), (), later)
    for _ in range(MOST_FAULTS):
        refused(engine, r"the engine first failed \(bad graph\)")
    assert len(later.waiting) == 1


def test_a_caller_in_the_wrong_and_a_busy_engine_are_no_faults() -> None:
    later = Later()
    engine = GuardedEngine(Scripted("first", EngineError("crops are; pass others")), (), later)
    busy = GuardedEngine(Scripted("first", EngineBusy()), (), later)
    for _ in range(MOST_FAULTS + 1):
        refused(engine, "pass others")
        refused(busy, "no time")
    assert not later.waiting


def broken() -> RetouchEngine:
    raise EngineError("not built; build it")


def gone() -> RetouchEngine:
    raise WeightsError("w", "no such file")


def test_those_that_cannot_be_used_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    later, large = Later(), Scripted("large", GOOD, crop_size=512)
    follow = [broken, lambda: large, gone, lambda: Scripted("last", GOOD)]
    engine = GuardedEngine(Scripted("first", DeviceFailure("lost")), follow, later)
    refused(engine, "lost")
    later.run()
    assert engine.retouch(*ONE) == [GOOD] and engine.name == "last" and large.closed == 1
    assert "cannot be used either: not built; build it" in caplog.text
    assert "the engine large is for crops of 512" in caplog.text


def test_where_no_engine_is_left_frames_pass_and_it_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    later = Later()
    engine = GuardedEngine(Scripted("first", DeviceFailure("lost")), [broken], later)
    refused(engine, "lost")
    later.run()
    refused(engine, "out of service")
    assert caplog.records[-1].levelno == logging.ERROR
    assert "no engine is left, so frames pass through" in caplog.text


def test_one_that_is_loaded_after_the_end_is_closed() -> None:
    later, second = Later(), Scripted("second", GOOD)
    engine = GuardedEngine(Scripted("first", DeviceFailure("lost")), [lambda: second], later)
    refused(engine, "lost")
    engine.close()
    later.run()
    assert second.closed == 1
    refused(engine, "the engine is closed; load it again")
    engine.close()


def test_the_next_engine_is_loaded_in_a_thread_of_its_own() -> None:
    loaded, threads = threading.Event(), list[str]()

    def load() -> RetouchEngine:
        threads.append(threading.current_thread().name)
        loaded.set()
        return Scripted("second", GOOD)

    engine = GuardedEngine(Scripted("first", DeviceFailure("lost")), [load])
    refused(engine, "lost")
    assert loaded.wait(10) and threads == ["next engine"]
    engine.close()


def test_copies_of_an_engine_are_guarded_each_for_itself() -> None:
    later = Later()
    engine = GuardedCopies(Several("first", GOOD), [lambda: Scripted("second", GOOD)], later)
    assert isinstance(engine, Copyable) and engine.cores_per_call == 1
    copy = engine.another()
    assert isinstance(copy, GuardedCopies) and copy is not engine
    assert copy.retouch(*ONE) == [GOOD]
    assert copy.cores_per_call == 1 and engine.another(2).cores_per_call == 2
    assert not isinstance(GuardedEngine(Scripted("first", GOOD)), Copyable)


def early(*script: EditLayer | Exception, at_once: bool = False) -> Early:
    engine = Early("first", *script)
    engine.at_once = at_once
    return engine


def test_an_engine_whose_batches_overlap_stays_so_behind_its_guard() -> None:
    first = early(GOOD)
    engine = GuardedBatches(first, (), Later())
    assert isinstance(engine, Overlapping) and not isinstance(engine, Copyable)
    assert not isinstance(GuardedEngine(Scripted("first", GOOD)), Overlapping)
    both = [engine.begin(*ONE), engine.begin(*ONE)]
    assert first.begun == 2
    assert [finish() for finish in both] == [[GOOD], [GOOD]] and engine.retouch(*ONE) == [GOOD]
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        engine.begin(*ONE)


@pytest.mark.parametrize("at_once", [False, True], ids=["when finished", "when begun"])
def test_wrong_answers_and_failures_of_batches_count_at_either_moment(at_once: bool) -> None:
    later = Later()
    script = NAN, RuntimeError("bad graph"), NAN
    engine = GuardedBatches(early(*script, at_once=at_once), (), later)
    for words in ("not finite", r"failed \(bad graph\)", "not finite"):
        assert not later.waiting
        with pytest.raises(EngineError, match=words):
            engine.begin(*ONE)()
    assert len(later.waiting) == 1
    with pytest.raises(EngineError, match="out of service"):
        engine.begin(*ONE)


@pytest.mark.parametrize("at_once", [False, True], ids=["when finished", "when begun"])
def test_after_a_failure_of_the_gpu_batches_go_on_with_an_engine_that_has_none(
    at_once: bool,
) -> None:
    later, second = Later(), Scripted("second", GOOD, NAN)
    lost = early(DeviceFailure("lost; start again"), at_once=at_once)
    engine = GuardedBatches(lost, [lambda: second], later)
    with pytest.raises(DeviceFailure, match="lost"):
        engine.begin(*ONE)()
    later.run()
    finish = engine.begin(*ONE)
    assert len(second.script) == 2  # nobody waits when a batch is begun
    assert finish() == [GOOD]
    with pytest.raises(EngineError, match="second gave numbers that are not finite"):
        engine.begin(*ONE)()


@pytest.mark.parametrize("said", [NAN, GOOD], ids=["wrong", "right"])
def test_a_batch_that_outlives_its_engine_says_nothing_of_the_next(said: EditLayer) -> None:
    later = Later()
    follow = Scripted("second", *[NAN] * (MOST_FAULTS - 1), GOOD, NAN)
    first = early(DeviceFailure("lost; start again"), said)
    engine = GuardedBatches(first, [lambda: follow], later)
    lost, outlives = engine.begin(*ONE), engine.begin(*ONE)
    with pytest.raises(DeviceFailure):
        lost()
    later.run()
    for _ in range(MOST_FAULTS - 2):
        refused(engine, "second gave")
    if said is GOOD:
        follow.script = [NAN]
        assert outlives() == [GOOD]
        for _ in range(2):
            refused(engine, "second gave")
        refused(engine, "out of service")  # its faults were not forgiven
    else:
        with pytest.raises(EngineError, match="first gave"):
            outlives()
        refused(engine, "second gave")
        assert engine.retouch(*ONE) == [GOOD]  # and none was added
