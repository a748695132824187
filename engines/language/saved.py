"""The planner's files: weights, their configuration, the tokenizers.

Matrices are kept in 8 bits with a scale for every row, all else in fp16; in memory everything is fp32.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.sentence import SentencePieces
from engines.language.text import TurnPieces, WordPieces
from engines.language.tokens import VOCABULARY
from stream_retouch.errors import WeightsError

WEIGHTS, CONFIG, TOKENIZER = "planner.safetensors", "planner.json", "planner-tokenizer.json"
SENTENCE = "planner-sentence-tokenizer.json"
_SCALE = ".scale"
_LEAST = 64
"""Matrices with fewer columns stay in fp16: a scale a row would be no saving."""


def packed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices (R, C) as int8 beside ``NAME.scale`` (R,) in fp16; everything else in fp16."""
    found = {}
    for name, value in state.items():
        if value.ndim == 2 and value.shape[1] >= _LEAST:
            # the scale as it will be read, so that rounding it costs nothing
            scale = (value.abs().amax(1) / 127).half().clamp(min=6.2e-5)
            rounded = (value / scale.float()[:, None]).round().clamp(-127, 127)
            found[name], found[name + _SCALE] = rounded.to(torch.int8), scale
        else:
            found[name] = value.half().contiguous()
    return found


def unpacked(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """fp32 again."""
    return {
        name: value.float() * state[name + _SCALE].float()[:, None]
        if value.dtype == torch.int8
        else value.float()
        for name, value in state.items()
        if not name.endswith(_SCALE)
    }


def save(model: PlannerNet, pieces: TurnPieces, folder: Path) -> None:
    """Writes the files."""
    save_file(packed(model.state_dict()), folder / WEIGHTS)
    config = {**dataclasses.asdict(model.config), "tokens": len(VOCABULARY)}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    save_pieces(pieces, folder)


def save_pieces(pieces: TurnPieces, folder: Path) -> None:
    """Writes the tokenizers."""
    pieces.words.save(folder / TOKENIZER)
    if pieces.sentence is not None:
        pieces.sentence.save(folder / SENTENCE)


def load_pieces(folder: Path) -> TurnPieces:
    """The tokenizers of a folder."""
    sentence = folder / SENTENCE
    return TurnPieces(
        WordPieces.load(folder / TOKENIZER),
        SentencePieces.load(sentence) if sentence.is_file() else None,
    )


def load(folder: Path) -> tuple[PlannerNet, TurnPieces]:
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
        model.load_state_dict(unpacked(load_file(folder / WEIGHTS)))
        pieces = load_pieces(folder)
        if (pieces.sentence is None) != (model.sentence is None):
            raise ValueError(f"a sentence encoder and {SENTENCE} belong together")
        if pieces.sentence is not None and pieces.count != model.config.vocabulary:
            raise ValueError(
                f"{TOKENIZER} has {pieces.count} pieces, not {model.config.vocabulary}"
            )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as problem:
        raise WeightsError(str(folder), f"no planner that fits ({problem})") from problem
    except Exception as problem:  # tokenizers raises bare Exception
        raise WeightsError(str(folder / TOKENIZER), f"no tokenizer ({problem})") from problem
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval(), pieces
