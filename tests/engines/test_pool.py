"""Many users on the cores of one computer: side by side, each answered by one engine; all cores for who is alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.batching import shared
from engines.pool import LONE_S, LONE_THREADS, EnginePool
from stream_retouch.engine import Hasty
from stream_retouch.errors import EngineError
from tests.engines.test_batching import PATIENCE_S, Caller, Engine, asked


class Copies(Engine):
    """One of which there can be more."""

    def another(self, threads: int | None = None) -> Copies:
        copy = Copies()
        copy.cores_per_call = threads or self.cores_per_call
        return copy


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Timed(Engine):
    """Every call takes so long."""

    def __init__(self, clock: Clock, takes_s: float) -> None:
        super().__init__()
        self._clock, self.takes_s = clock, takes_s
        self.meanwhile: Callable[[], None] = lambda: None

    def retouch(self, *arguments: Any) -> Any:
        self._clock.now_s += self.takes_s
        self.meanwhile()
        return super().retouch(*arguments)


def lone_pool(wide_takes_s: float = 0.004) -> tuple[EnginePool, Clock, list[Timed], Timed]:
    """A pool of two engines of 6 ms and a wide one."""
    clock = Clock()
    narrow, wide = [Timed(clock, 0.006) for _ in range(2)], Timed(clock, wide_takes_s)
    return EnginePool(narrow, wide, clock), clock, narrow, wide


def test_two_users_of_a_pool_run_side_by_side_and_a_third_waits_for_one_of_them() -> None:
    engines = [Engine(may_go=False), Engine(may_go=False)]
    pool = EnginePool(engines)
    assert pool.calls_at_once == 2 and pool.crops_at_once == 1
    callers = [Caller(pool, i) for i in (1, 2, 3)]
    for engine in engines:
        assert engine.began.acquire(timeout=PATIENCE_S)
    assert [engine.batches for engine in engines] == [[1], [1]]
    engines[0].may_go.set()
    assert engines[0].began.acquire(timeout=PATIENCE_S)  # the third one's
    engines[1].may_go.set()
    assert sorted(str(caller.answer()) for caller in callers) == ["[1]", "[2]", "[3]"]
    pool.close()
    pool.close()
    assert all(engine.closed for engine in engines)
    with pytest.raises(EngineError, match="closed"):
        pool.retouch(*asked(1))


def test_closing_a_pool_ends_the_wait_for_an_engine() -> None:
    engine = Engine(may_go=False)
    pool = EnginePool([engine])
    running = Caller(pool, 1)
    assert engine.began.acquire(timeout=PATIENCE_S)
    waiting = Caller(pool, 2)
    pool.close()
    engine.may_go.set()
    assert running.answer() == [1]
    got = waiting.answer()  # it may have had its turn before the pool was closed
    assert got == [2] or isinstance(got, EngineError)


def test_an_engine_that_raises_is_free_again() -> None:
    engine = Engine()
    pool = EnginePool([engine])
    engine.error = EngineError("broken; mend it")
    with pytest.raises(EngineError, match="broken"):
        pool.retouch(*asked(1))
    engine.error = None
    assert pool.retouch(*asked(4))[0].skin_luma == 4.0


def test_who_has_been_alone_for_a_while_gets_all_cores_until_another_one_comes() -> None:
    pool, clock, narrow, wide = lone_pool()
    pool.retouch(*asked(1))
    assert not wide.batches  # somebody else may come yet
    clock.now_s += LONE_S
    assert pool.retouch(*asked(2))[0].skin_luma == 2.0
    assert wide.batches == [1]
    assert Caller(pool, 3).answer() == [3]
    pool.retouch(*asked(4))  # no more alone
    assert wide.batches == [1] and sum(len(engine.batches) for engine in narrow) == 3
    clock.now_s += LONE_S
    pool.retouch(*asked(5, 6))
    assert wide.batches == [1, 2]
    pool.close()
    assert wide.closed == 1
    with pytest.raises(EngineError, match="closed"):
        pool.retouch(*asked(1))


def test_who_comes_while_all_cores_work_for_another_is_served_beside() -> None:
    pool, clock, _, wide = lone_pool()
    pool.retouch(*asked(1))
    clock.now_s += LONE_S
    others: list[object] = []
    wide.meanwhile = lambda: others.append(Caller(pool, 3).answer())
    assert pool.retouch(*asked(2))[0].skin_luma == 2.0
    assert others == [[3]] and wide.batches == [1]


def test_what_the_haste_of_a_lone_user_costs_is_told_apart() -> None:
    pool, clock, _, wide = lone_pool()
    assert isinstance(pool, Hasty) and pool.haste_s == 0
    pool.retouch(*asked(1))
    clock.now_s += LONE_S
    pool.retouch(*asked(2))  # 4 ms on each of two cores, and not 6 on one
    assert pool.haste_s == pytest.approx(0.002)
    wide.takes_s = 0.3  # others had the cores: that was not haste
    pool.retouch(*asked(3))
    assert pool.haste_s == pytest.approx(0.002 + 0.006)
    wide.takes_s = 0.001
    pool.retouch(*asked(4))
    assert pool.haste_s == pytest.approx(0.002 + 0.006)


def test_a_wide_engine_that_raises_is_free_again() -> None:
    pool, clock, _, wide = lone_pool()
    pool.retouch(*asked(1))
    clock.now_s += LONE_S
    wide.error = EngineError("broken; mend it")
    with pytest.raises(EngineError, match="broken"):
        pool.retouch(*asked(2))
    wide.error = None
    pool.retouch(*asked(3))
    assert wide.batches == [1, 1]


@pytest.mark.parametrize(("cores", "engines"), [(1.0, 1), (1.9, 1), (2.0, 2), (4.5, 4), (24.0, 24)])
def test_there_is_one_engine_for_each_core(cores: float, engines: int) -> None:
    engine = Copies()
    made = shared(engine, cores)
    assert made.calls_at_once == engines
    assert (made is engine) == (engines == 1)
    if isinstance(made, EnginePool):
        wide = made._wide
        assert isinstance(wide, Copies) and wide.cores_per_call == LONE_THREADS
    made.close()


@pytest.mark.parametrize(
    ("cores", "processes", "engines", "hurries"),
    [
        (2.0, 2, 1, True),
        (4.0, 2, 2, True),
        (8.0, 3, 2, True),
        (1.0, 2, 1, False),
        (2.0, 4, 1, True),
    ],
)
def test_processes_share_the_cores_and_each_hurries_who_is_alone_in_it(
    cores: float, processes: int, engines: int, hurries: bool
) -> None:
    made = shared(Copies(), cores, processes)
    assert made.calls_at_once == engines
    assert isinstance(made, EnginePool) == hurries
    if isinstance(made, EnginePool):
        assert made._wide is not None
    made.close()


def test_engines_of_two_threads_are_half_as_many() -> None:
    engine = Copies()
    engine.cores_per_call = 2
    made = shared(engine, 4.0)
    assert isinstance(made, EnginePool) and made.calls_at_once == 2 and made._wide is None


def test_a_pool_of_real_engines_answers_as_one_does(
    weights: Path, cache: Path, batch: tuple[Any, Any, Any]
) -> None:
    openvino = pytest.importorskip("engines.openvino", reason="openvino is not installed")
    engine = openvino.OpenVINOEngine.load(weights, cache=cache, precision="f32")
    expected = engine.retouch(*batch)
    pool = shared(engine, 2.0)
    assert isinstance(pool, EnginePool) and pool.calls_at_once == 2
    assert pool.cores_per_call == engine.cores_per_call == 1
    both = [pool._free[0].retouch(*batch), pool._free[1].retouch(*batch), pool.retouch(*batch)]
    for layers in both:
        for one, other in zip(layers, expected, strict=True):
            np.testing.assert_array_equal(one.codes, other.codes)
            np.testing.assert_array_equal(one.mask, other.mask)
    pool.close()


def test_a_lone_user_gets_the_same_picture(
    weights: Path, cache: Path, batch: tuple[Any, Any, Any]
) -> None:
    openvino = pytest.importorskip("engines.openvino", reason="openvino is not installed")
    engine = openvino.OpenVINOEngine.load(weights, cache=cache, precision="f32")
    wide = engine.another(LONE_THREADS)
    assert wide.cores_per_call == LONE_THREADS and engine.another().cores_per_call == 1
    for one, other in zip(wide.retouch(*batch), engine.retouch(*batch), strict=True):
        # sums in another order
        np.testing.assert_allclose(one.codes.astype(int), other.codes.astype(int), atol=1)
        np.testing.assert_allclose(one.mask.astype(int), other.mask.astype(int), atol=1)
