"""A planner that is given a sentence encoder: which word pieces stay, and what is not MiniLM is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.sentence import SentenceEncoder
from stream_retouch.errors import WeightsError
from training.language import minilm

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##s", "ж", "the", "spot", "wolf", "mole"]


def test_marks_and_letters_come_first_then_what_is_said() -> None:
    texts = ("the mole moles", "mole spot")
    kept = minilm.kept_pieces(VOCABULARY, texts, 9)
    assert kept[:4] == VOCABULARY[:4] and set(kept[4:6]) == {"a", "##s"}
    assert kept[6] == "mole" and "ж" not in kept and len(kept) == 9


def test_its_layers_and_the_kept_rows_are_taken_and_the_planner_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    given = PlannerConfig(300, 32, 2, 48, 1, 1, 3, 24, 20, 3, len(VOCABULARY))
    bert = SentenceEncoder(given).bert
    save_file(bert.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    model = PlannerNet(PlannerConfig(300, 32, 2, 48, 1, 1, 3, 24, 20)).eval()
    kept = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "mole", "spot"]
    with pytest.raises(WeightsError, match="not all-MiniLM-L6-v2"):
        minilm.with_sentences(model, tmp_path, kept, 2)
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr(minilm, "SHA256", digest)
    larger = minilm.with_sentences(model, tmp_path, kept, 2)
    assert larger.sentence is not None and len(larger.sentence.bert.encoder.layer) == 2
    rows = larger.sentence.bert.embeddings.word_embeddings.weight
    whole = bert.embeddings.word_embeddings.weight
    assert torch.equal(rows[4], whole[VOCABULARY.index("mole")])
    mine, theirs = larger.sentence.bert.encoder.layer[1], bert.encoder.layer[1]
    assert torch.equal(mine.intermediate.dense.weight, theirs.intermediate.dense.weight)
    assert torch.equal(
        larger.llm.layers[0].mlp.up_proj.weight, model.llm.layers[0].mlp.up_proj.weight
    )


def test_a_folder_without_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--minilm", str(tmp_path), "--planner", str(tmp_path), "--out", str(tmp_path / "x")]
    assert minilm.main(told) == 2
    assert "planner" in capsys.readouterr().out
