"""Figures of the load from counters that only grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_retouch.service.load import (
    IDLE,
    MACHINE_S,
    SESSION_S,
    Effort,
    EngineUse,
    LoadMeter,
    Strain,
    usable_cores,
)

NONE = EngineUse()
"""The engine was never called."""
STILL = {"still": Effort()}
"""A session whose video stands."""


def test_the_first_look_knows_nothing() -> None:
    load, strains = LoadMeter().note(
        5.0, 7.0, EngineUse(3.0), 9.0, {"a": Effort(100, 50.0, 100, 100)}
    )
    assert load == IDLE
    assert strains == {"a": Strain(0.0, 0.0, 0.0)}


def test_shares_are_of_the_last_moments_only() -> None:
    meter = LoadMeter()
    steps = round(2 * MACHINE_S / 0.5)
    for i in range(steps + 1):
        at = i * 0.5
        bad = min(at, MACHINE_S)  # overloaded in the first half, well in the second
        effort = Effort(round(30 * at), 0.2 * at + 0.5 * bad, round(30 * at), round(30 * bad))
        load, strains = meter.note(
            at, 0.4 * at + 1.5 * bad, EngineUse(0.25 * at), 40.0 * (bad == at), {"a": effort}
        )
        if at == MACHINE_S:
            assert load.cores == pytest.approx(1.9) and load.late_share == 1
            assert strains["a"].busy == pytest.approx(0.7) and strains["a"].late_share == 1
        if at == MACHINE_S + SESSION_S:
            assert strains["a"] == Strain(30.0, 0.0, pytest.approx(0.2))
            assert 0.5 < load.late_share < 1
    assert load.late_share == 0
    assert load.cores == pytest.approx(0.45)  # 0.2 working and 0.25 of the engine, 0.4 of processor
    assert load.engine == pytest.approx(0.25)
    assert load.lag_ms < 5


def test_a_session_that_ends_takes_nothing_back_and_one_that_comes_brings_no_past() -> None:
    meter = LoadMeter()
    meter.note(0.0, 0.0, NONE, 0.0, {"a": Effort(900, 9.0, 900, 900)})
    meter.note(
        1.0, 0.0, NONE, 0.0, {"a": Effort(930, 9.5, 930, 900), "b": Effort(500, 80.0, 500, 500)}
    )
    left, strains = meter.note(2.0, 0.0, NONE, 0.0, {"b": Effort(530, 80.5, 530, 500)})
    assert left == IDLE  # what it took is free at once
    assert strains == {"b": Strain(30.0, 0.0, pytest.approx(0.5))}
    load, _ = meter.note(3.0, 0.0, NONE, 0.0, {"b": Effort(560, 81.0, 560, 500)})
    assert load.cores == pytest.approx(0.5) and load.late_share == 0


def test_the_late_first_frames_of_a_young_session_are_no_late_machine() -> None:
    meter = LoadMeter()
    for i in range(9):
        effort = Effort(15 * i, 0.1 * i, 15 * i, 15 * min(i, 4))
        load, strains = meter.note(
            0.5 * i, 0.0, NONE, 0.0, {"a": effort}, {"a"} if i < 5 else set()
        )
        assert load.late_share == 0
        assert strains["a"].late_share == (0 if i in (0, 6, 7, 8) else 1 if i < 5 else 0.5)
    assert load.cores == pytest.approx(0.2)


def test_processor_time_counts_when_it_is_more_than_the_working_time() -> None:
    meter = LoadMeter()
    meter.note(0.0, 10.0, NONE, 0.0, STILL)
    assert meter.note(2.0, 13.0, NONE, 0.0, STILL)[0].cores == pytest.approx(1.5)


def test_what_was_done_before_the_first_session_is_no_load() -> None:
    meter = LoadMeter()
    assert meter.note(0.0, 0.0, NONE, 0.0, {})[0] == IDLE
    assert meter.note(1.0, 2.0, NONE, 0.0, {})[0] == IDLE  # two seconds of loading
    assert meter.note(1.5, 2.0, NONE, 0.0, STILL)[0].cores == 0
    assert meter.note(2.5, 2.5, NONE, 0.0, STILL)[0].cores == pytest.approx(0.5 / 1.5)


def test_the_engine_uses_the_cores_of_its_calls_and_a_gpu_none() -> None:
    for calls, cores_per_call, share, cores in ((1, 1, 1.0, 1.2), (2, 1, 0.6, 1.2), (1, 0, 1.0, 0)):
        meter = LoadMeter()
        meter.note(0.0, 0.0, EngineUse(), 0.0, STILL)
        load, _ = meter.note(2.0, 0.0, EngineUse(2.4, calls, cores_per_call), 0.0, STILL)
        assert load.engine == pytest.approx(share) and load.cores == pytest.approx(cores)


def test_what_a_lone_user_gets_beyond_need_is_not_in_use() -> None:
    meter = LoadMeter()
    meter.note(0.0, 0.0, EngineUse(haste_s=1.0), 0.0, STILL)
    load, _ = meter.note(2.0, 2.0, EngineUse(0.4, haste_s=1.2), 0.0, STILL)
    assert load.cores == pytest.approx(0.9)


def test_a_quota_of_a_container_is_fewer_cores(tmp_path: Path) -> None:
    without = usable_cores(tmp_path)
    assert without >= 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path) == 0.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == without
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("25000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == 0.25
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert usable_cores(tmp_path) == without
