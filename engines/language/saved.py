"""The planner's files: fp16 weights, their configuration, the tokenizer."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.text import WordPieces
from engines.language.tokens import VOCABULARY
from stream_retouch.errors import WeightsError

WEIGHTS, CONFIG, TOKENIZER = "planner.safetensors", "planner.json", "planner-tokenizer.json"


def save(model: PlannerNet, pieces: WordPieces, folder: Path) -> None:
    """Writes the three files."""
    halves = {k: v.half().contiguous() for k, v in model.state_dict().items()}
    save_file(halves, folder / WEIGHTS)
    config = {**dataclasses.asdict(model.config), "tokens": len(VOCABULARY)}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    pieces.save(folder / TOKENIZER)


def load(folder: Path) -> tuple[PlannerNet, WordPieces]:
    """The network in fp32, ready to answer, and its word pieces.

    Raises:
        WeightsError: a file is missing, broken or of another network.
    """
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        count = values.pop("tokens")
        if count != len(VOCABULARY):
            raise ValueError(f"it writes {count} kinds of token, this version {len(VOCABULARY)}")
        model = PlannerNet(PlannerConfig(**values))
        state = {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}
        model.load_state_dict(state)
        pieces = WordPieces.load(folder / TOKENIZER)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as problem:
        raise WeightsError(str(folder), f"no planner that fits ({problem})") from problem
    except Exception as problem:  # tokenizers raises bare Exception
        raise WeightsError(str(folder / TOKENIZER), f"no tokenizer ({problem})") from problem
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval(), pieces
