"""A planner that is given pieces of further languages: shorter words there, the same answers elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.saved import load, save
from engines.language.text import TurnPieces, WordPieces
from training.language.grow import main, with_pieces, with_room

ENGLISH = ("remove the spots on my chin", "keep my freckles") * 9
RUSSIAN = ("убери пятна", "оставь веснушки", "убери прыщи") * 9


@pytest.fixture
def planner() -> tuple[PlannerNet, WordPieces]:
    torch.manual_seed(2)
    pieces = WordPieces.learned(ENGLISH, 300)
    return PlannerNet(PlannerConfig(pieces.count, 32, 2, 64, 1, 1, 4, 48, 16)).eval(), pieces


def test_old_words_stay_new_ones_are_shorter(planner: tuple[PlannerNet, WordPieces]) -> None:
    model, pieces = planner
    larger, more = with_pieces(model, pieces, RUSSIAN, pieces.count + 20)
    assert pieces.count < more.count <= pieces.count + 20
    assert larger.config.vocabulary == more.count
    said, written = more.numbers(ENGLISH[0], False, 48), torch.tensor([[1, 5, 9]])
    assert said == pieces.numbers(ENGLISH[0], False, 48)
    words = torch.tensor([said])
    torch.testing.assert_close(larger(words, written), model(words, written))
    assert len(more.numbers(RUSSIAN[0], False, 48)) < len(pieces.numbers(RUSSIAN[0], False, 48))


def test_a_new_piece_starts_between_those_it_is_made_of(
    planner: tuple[PlannerNet, WordPieces],
) -> None:
    model, pieces = planner
    larger, more = with_pieces(model, pieces, RUSSIAN, pieces.count + 1)
    one, other = more.merges[-1]
    rows = larger.encoder.words.weight
    mean = (rows[more.number(one)] + rows[more.number(other)]) / 2
    torch.testing.assert_close(rows[more.number(one + other)], mean)


def test_room_for_more_leaves_what_is_there(planner: tuple[PlannerNet, WordPieces]) -> None:
    model, _ = planner
    larger = with_room(model, 7, 60)
    assert (larger.config.queries, larger.config.most_words) == (7, 60)
    assert torch.equal(larger.prompts[3:], model.prompts)
    assert torch.equal(larger.encoder.position[:49], model.encoder.position)
    assert torch.equal(larger.encoder.position[49:], model.encoder.position[37:])
    assert len(larger.prompts.unique(dim=0)) == 7
    words = torch.tensor([[0, *range(3, 62)]])
    assert larger(words, torch.tensor([[1, 5]])).isfinite().all()
    assert with_room(model, 1, 1).config == model.config


def test_the_command_writes_a_planner(
    planner: tuple[PlannerNet, WordPieces], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--out", str(tmp_path / "grown"), "--pieces", "400", "--sentences", "60"]
    assert main([*told, "--planner", str(tmp_path)]) == 2
    assert "no planner that fits" in capsys.readouterr().out
    model, words = planner
    save(model, TurnPieces(words), tmp_path)
    assert main([*told, "--planner", str(tmp_path), "--queries", "6"]) == 0
    model, pieces = load(tmp_path / "grown")
    assert words.count < pieces.count == model.config.vocabulary <= 400
    assert model.config.queries == 6
