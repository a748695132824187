"""The command that proves the GPU engines: what it prints of what it has found."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch

from engines import verify
from engines.manifest import Parity
from engines.parity import Samples
from engines.verify import BATCHES, CALLS, Row, table
from tests.engines.scripted import GOOD, ONE, Scripted

PARITY = Parity(76.19, 46.33, 41.98, 0.99924, 1)
ROWS = [
    Row("inductor 512 fp16", PARITY, {1: 0.5, 8: 1.0, 32: 4.0}),
    Row("tensorrt 512", problem="no NVIDIA GPU can be used", could_run=False),
    Row("tensorrt 256 fp16", problem="engine refused: edit_snr_db is 3.0"),
]


def test_each_row_says_what_was_found_or_why_nothing_was() -> None:
    lines = table(ROWS).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == (
        "| inductor 512 fp16 | 76.2 | 46.3 | 42.0 | 0.9992 | 1 | 0.500 | 1.000 | 4.000 | 8000 | passed |"
    )
    assert lines[3].endswith("| not tried: no NVIDIA GPU can be used |")
    assert lines[4].endswith("| failed: engine refused: edit_snr_db is 3.0 |")


def test_a_timing_is_the_median_of_whole_calls_in_milliseconds() -> None:
    ticks = iter(range(10**6))
    given = Samples(ONE[0], ONE[1], ONE[2])
    engine = Scripted("first", GOOD)
    assert verify.timings(engine, given, lambda: next(ticks) * 0.002) == dict.fromkeys(BATCHES, 2.0)
    assert next(ticks) == 2 * len(BATCHES) * (CALLS + CALLS // 10)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: the command builds on it")
def test_without_a_gpu_it_verifies_what_it_can_and_says_what_it_could_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # its half has a test of its own
    assert verify.main(["--size", "256"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("no GPU: ")
    assert "Not verified on this machine:" in lines[-2] and "tensorrt 256" in lines[-2]
    report = json.loads(lines[-1])
    assert report["gpu"] is None and report["failed"] == []
    passed = {row["what"]: row["parity"] for row in report["rows"] if not row["problem"]}
    assert set(passed) == {f"typed graph 256 {each}" for each in ("fp16", "bf16", "f32")}
    assert np.isfinite([each["edit_snr_db"] for each in passed.values()]).all()
