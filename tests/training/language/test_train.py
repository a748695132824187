"""The planner's training: a few steps bring the loss down, files come out that load, and it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engines.language import saved
from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.tokens import tokens
from stream_retouch.errors import SettingsError
from stream_retouch.language.program import parsed
from training.language.sentences import learn_pieces
from training.language.train import Job, loss, main, run


def test_a_few_programs_are_learned_by_heart() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    config = PlannerConfig(300, 32, 2, 64, 1, 1, 4, 16, 16)
    model = PlannerNet(config).eval()
    words = torch.tensor([[1, 20, 30], [1, 40, 50]])
    written = torch.tensor([tokens(parsed(f"edit {k} chin")) for k in ("mole", "scar")])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    before = float(loss(model, (words, written)).detach())
    for _ in range(120):
        found = loss(model, (words, written))
        optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    # label smoothing leaves about a third of a nat whatever is learned
    assert float(found.detach()) < 0.45 and before > 3


def test_training_runs_saves_and_goes_on(tmp_path: Path) -> None:
    learn_pieces(tmp_path, PlannerConfig(), 1, sentences=400)
    job = Job(tmp_path, minutes=5, steps=2, batch=8, workers=0, every=120)
    run(job)
    model, _ = saved.load(tmp_path)
    assert sum(p.numel() for p in model.parameters()) > 1e6
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert row["step"] == 2 and 0 <= row["validation"]["all"] <= 1
    with pytest.raises(SettingsError, match="--resume"):
        run(job)
    run(Job(tmp_path, minutes=5, steps=3, batch=8, workers=0, every=120, resume=True))
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert row["step"] == 3


def test_nothing_to_go_on_from_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "none"), "--resume"]) == 2
    assert "leave --resume out" in capsys.readouterr().out


def test_it_starts_from_another_planner_and_keeps_its_tokenizer(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    learn_pieces(first, PlannerConfig(), 1, sentences=400)
    run(Job(first, steps=1, batch=8, workers=0, every=120))
    run(Job(second, steps=0, batch=8, workers=0, every=120, init=first))
    (one, pieces), (other, same) = saved.load(first), saved.load(second)
    assert same.numbers("remove my zits", False, 96) == pieces.numbers("remove my zits", False, 96)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert main(["--out", str(tmp_path / "third"), "--init", str(tmp_path / "nowhere")]) == 2
