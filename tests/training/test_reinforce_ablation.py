"""The ablation of the reinforcement stage: two trainings that differ in it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.retouchgpt.checkpoint import save
from engines.retouchgpt.model import RetouchGPT
from stream_retouch.errors import SettingsError
from tests.training.tiny import NETWORK, tiny_run
from training.reinforce_ablation import FIGURES, ROWS, compared, table


def test_both_trainings_take_the_same_steps_and_every_row_is_measured(tmp_path: Path) -> None:
    save(RetouchGPT(NETWORK), tmp_path / "start.safetensors")
    job = tiny_run(tmp_path, scenes=1, batch=1)
    recipe = replace(job.recipe, init=str(tmp_path / "start.safetensors"))
    found = compared(recipe, job, minutes=1, steps=2)
    assert found["steps"] == 2
    assert tuple(found["rows"]) == ROWS
    assert all(set(FIGURES) & figures.keys() for figures in found["rows"].values())
    logs = [(job.out / name / "log.jsonl").read_text() for name in ROWS[1:]]
    assert ["psi" in log for log in logs] == [False, True]
    shown = table(found["rows"]).splitlines()
    assert len(shown) == 2 + len(ROWS)
    with pytest.raises(SettingsError, match="name another folder with --out"):
        compared(recipe, job, minutes=1, steps=2)
