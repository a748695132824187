"""benchmarks.batch_timing on an engine whose time is told: which time counts, and for how many batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from benchmarks.batch_timing import (
    WARM_UP,
    batch,
    figures,
    graphs_ms,
    overlapped_ms,
    whole_ms,
)
from engines.parity import Samples
from stream_retouch.engine import CROP_SIZE, REQUEST_CHANNELS, REQUEST_SIZE, EditLayer
from stream_retouch.service.parts import neutral

GIVEN = Samples(
    np.arange(3, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 4, 4, 3), np.uint8),
    np.zeros((3, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32),
    [neutral()] * 3,
)
ASKED = batch(GIVEN, 4)


class Clocked:
    """An engine of which every step takes its own time; the first ones take a hundred times as long."""

    name, crop_size, calls_at_once, crops_at_once, cores_per_call = "clocked", CROP_SIZE, 1, 8, 0

    def __init__(self) -> None:
        self.now_s = 0.0
        self.steps: list[str] = []

    def clock(self) -> float:
        return self.now_s

    def _takes(self, step: str, ms: float) -> None:
        before = self.steps.count(step)
        self.steps.append(step)
        self.now_s += ms / 1e3 * (100 if before < WARM_UP else 1)

    def retouch(self, *asked: Any) -> list[EditLayer]:
        self._takes("retouch", 5.0)
        return []

    def begin(self, *asked: Any) -> Callable[[], list[EditLayer]]:
        self._takes("begin", 1.0)

        def finish() -> list[EditLayer]:
            self._takes("finish", 2.0)
            return []

        return finish

    def compute(self, count: int, runs: int = 1) -> None:
        for _ in range(runs):
            self._takes(f"compute {count}", 0.5)

    def close(self) -> None:
        pass


def test_a_batch_takes_the_crops_in_turn() -> None:
    assert [int(crop[0, 0, 0]) for crop in ASKED[0]] == [0, 1, 2, 0]
    assert len(ASKED[1]) == len(ASKED[2]) == 4


def test_of_whole_calls_those_that_warm_up_do_not_count() -> None:
    engine = Clocked()
    assert whole_ms(engine, ASKED, 7, engine.clock) == pytest.approx(5.0)
    assert len(engine.steps) == WARM_UP + 7


def test_overlapped_batches_are_begun_before_the_one_before_is_finished() -> None:
    engine = Clocked()
    assert overlapped_ms(engine, ASKED, 4, engine.clock) == pytest.approx(3.0)
    measured = engine.steps[2 * WARM_UP :]
    assert measured == ["begin", *["begin", "finish"] * 4, "finish"]  # two at once, none left


def test_graphs_alone_are_enqueued_in_one_go() -> None:
    engine = Clocked()
    assert graphs_ms(engine, 8, 6, engine.clock) == pytest.approx(0.5)
    assert engine.steps == ["compute 8"] * (WARM_UP + 6)


def test_crops_a_second_are_of_all_crops_of_a_batch() -> None:
    assert figures(8, 2.0) == {"ms": 2.0, "crops_per_s": 4000.0}
