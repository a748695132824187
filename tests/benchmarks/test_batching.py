"""benchmarks.batching on engines that do nothing: counts are of whom they should be, and words for bad arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from benchmarks import batching
from engines.parity import Samples
from engines.pool import EnginePool
from stream_retouch.engine import CROP_SIZE, REQUEST_CHANNELS, REQUEST_SIZE
from stream_retouch.service.parts import neutral
from tests.fakes import FakeEngine

GIVEN = Samples(
    np.zeros((2, CROP_SIZE, CROP_SIZE, 3), np.uint8),
    np.zeros((2, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32),
    [neutral()] * 2,
)


def row(users: int, ratio: float, starved: int = 0, wait: float | None = None) -> dict[str, Any]:
    return {
        "users": users,
        "one_at_a_time_per_s": 100.0,
        "shared_per_s": 100.0 * ratio,
        "ratio": ratio,
        "least_of_mean": 1.0,
        "answered": [1.0] * users,
        "wait_ms": None if wait is None else {"p50": wait, "p95": 2 * wait},
        "starved": starved,
    }


def test_every_user_gets_crops_and_none_twice() -> None:
    engine = FakeEngine()
    counts = batching.saturated(engine, batching.Wanted(GIVEN), 3, 0.05)
    assert sum(counts) == len(engine.calls) and min(counts) > 0
    assert all(len(crops) == 1 for crops, *_ in engine.calls)


def test_of_every_crop_that_was_answered_it_is_told_how_long_it_waited() -> None:
    for users, engine in ((1, FakeEngine()), (2, EnginePool([FakeEngine(), FakeEngine()]))):
        shares, waits = batching.paced(engine, batching.Wanted(GIVEN), users, 0.2)
        assert len(shares) == users and all(0 < share <= 1 for share in shares)
        # one that gave way to a newer one never began
        assert len(waits) == round(sum(shares) * 6) and all(wait >= 0 for wait in waits)


@pytest.mark.parametrize(
    ("got", "starved"), [([5, 5], 0), ([9, 1], 1), ([0, 0], 2), ([7, 4], 0), ([1.0], 0)]
)
def test_who_gets_less_than_half_of_the_mean_is_starved(got: Sequence[float], starved: int) -> None:
    assert batching.starved(got) == starved


def test_the_summary_tells_the_worst_row_and_the_lone_users_wait() -> None:
    rows = [row(1, 1.0, wait=0.1), row(2, 1.9), row(8, 1.6, starved=1)]
    figures = batching.summary(rows, EnginePool([FakeEngine(), FakeEngine()]))
    assert figures == {
        "lone_wait_ms": 0.1,
        "throughput_ratio": 1.6,
        "starved": 1,
        "calls_at_once": 2,
        "crops_at_once": 1,
    }
    assert batching.summary(rows[:1], FakeEngine())["throughput_ratio"] is None
    assert "| 8 | 100.0 | 160.0 | 1.60 |" in batching.table(rows)


def test_the_last_line_is_json_and_the_file_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"starved": 0, "rows": [row(1, 1.0)]}
    monkeypatch.setattr(batching, "measure_users", lambda users, seconds: ("a table", figures))
    out = tmp_path / "batching.md"
    assert batching.main(["--users", "1", "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == figures
    assert "a table" in out.read_text() and '"starved": 0' in out.read_text()


@pytest.mark.parametrize("users", ["0", "two", "1,,2", ""])
def test_users_that_are_no_numbers_are_refused(
    users: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        batching.main([f"--users={users}"])
    assert "write 1,2,4,8" in capsys.readouterr().err
