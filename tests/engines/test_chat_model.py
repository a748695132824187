"""engines.chat_model: a language model in a folder, with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.chat_model import ChatModel
from stream_retouch.errors import WeightsError
from tests.engines.chats import Scripted, save_llama, tokenizer

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
REMEDY = "name a folder that a causal language model was saved to by save_pretrained"


def never(said: str) -> bool:
    return False


def test_it_goes_on_greedily_from_the_beginning(tmp_path: Path) -> None:
    """What was read when it was loaded changes nothing of what is said."""
    from transformers import LlamaForCausalLM

    save_llama(tmp_path)
    chat = ChatModel.load(tmp_path, "do", "{", most_tokens=12)
    pieces = tokenizer()
    asked = pieces("<s>[user]do\n\n{7}[assistant]{", return_tensors="pt")["input_ids"]
    model = LlamaForCausalLM.from_pretrained(tmp_path)
    with torch.inference_mode():
        for _ in range(12):
            asked = torch.cat([asked, model(asked).logits[:, -1:].argmax(-1)], dim=1)
    told = pieces.decode(asked[0, -12:], skip_special_tokens=True)
    assert chat.answer("{7}", never) == "{" + told
    assert chat.answer("{7}", never) == "{" + told


def test_it_ends_when_it_is_enough() -> None:
    model = Scripted("twelve words")
    chat = ChatModel(model, tokenizer(), "do", "so: ")
    assert chat.answer("?", lambda said: said.endswith("twe")) == "so: twe"
    assert model.wrote == 3


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("<{{ messages[0].content }}>", "<do\n\nthis>{"),
        (None, "do\n\nthis\n\nAnswer:\n{"),
    ],
)
def test_the_question_stands_in_the_chat_template_if_there_is_one(
    template: str | None, asked: str
) -> None:
    model = Scripted("}")
    assert ChatModel(model, tokenizer(template), "do", "{").answer("this", never) == "{}"
    assert model.asked == asked


def nothing(folder: Path) -> None:
    """Leaves the folder empty."""


def other(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "t5"}))


def torn(folder: Path) -> None:
    save_llama(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])


def headless(folder: Path) -> None:
    save_llama(folder, headless=True)


def wordless(folder: Path) -> None:
    save_llama(folder)
    (folder / "tokenizer.json").unlink()


def with_code(folder: Path) -> None:
    save_llama(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('code of the folder was run')")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (nothing, "no config.json in it"),
        (other, "no language model that transformers can load"),
        (torn, r"transformers can load \(SafetensorError\)"),
        (headless, "no language model that transformers can load"),
        (wordless, "no language model that transformers can load"),
        (with_code, "no language model that transformers can load"),
    ],
)
def test_a_folder_without_a_model_is_told_with_the_remedy(
    made: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    made(tmp_path)
    with pytest.raises(WeightsError, match=f"{reason}.*; {REMEDY}"):
        ChatModel.load(tmp_path, "do")


def test_no_folder_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"no such folder; {REMEDY}"):
        ChatModel.load(tmp_path / "gone", "do")
