"""The stream of batches for the planner's network: sentences of the corpus as word pieces, with their programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset

from engines.language.config import PlannerConfig
from engines.language.saved import load_pieces, save_pieces
from engines.language.text import TurnPieces, WordPieces, padded
from engines.language.tokens import INDEX, PAD, tokens
from training.language.corpus import example

_DROPOUT = 0.08
"""Share of merges that the tokenizer leaves out; which ones no seed decides."""
_MISTOLD = 0.1
"""How often the network is told wrongly whether something was asked before."""
_SORTED = 24
"""Batches that are drawn together, so that sentences of like length stand together."""

_LONG = 8
"""The longest of so many sentences come in half batches, which keeps the memory of a step down."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""Words (B, T), padding in front; programs (B, S), padding behind."""
Row = tuple[list[int], list[int], int]
"""Word pieces, program, letters."""


def learn_pieces(folder: Path, config: PlannerConfig, seed: int, sentences: int = 60_000) -> None:
    """Learns the tokenizer from so many sentences of the corpus and writes it."""
    rng = np.random.default_rng((seed, 77))
    texts = (example(rng).text for _ in range(sentences))
    save_pieces(TurnPieces(WordPieces.learned(texts, config.vocabulary)), folder)


class Sentences(IterableDataset[Batch]):
    """Batches without end."""

    def __init__(
        self, pieces: Path, config: PlannerConfig, batch: int, seed: tuple[int, ...]
    ) -> None:
        """`pieces` is the tokenizers' folder; every worker of every process draws with a seed of its own.

        The first and the last number of the seed are the same for all processes.
        """
        self.pieces, self.config, self.batch, self.seed = pieces, config, batch, seed

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((*self.seed, worker.id if worker else 0))
        # long sentences come at the same time to all processes, which wait for each other at every step
        order = np.random.default_rng((self.seed[0], self.seed[-1], worker.id if worker else 0))
        pieces = load_pieces(self.pieces)
        pieces.words.dropout(_DROPOUT)
        while True:
            rows = [self._row(pieces, rng) for _ in range(self.batch * _SORTED)]
            rows.sort(key=lambda row: row[2])
            half, long = (
                max(self.batch // 2, 1),
                len(rows) - len(rows) // _LONG // self.batch * self.batch,
            )
            chunks = [rows[i : i + self.batch] for i in range(0, long, self.batch)]
            chunks += [rows[i : i + half] for i in range(long, len(rows), half)]
            for i in order.permutation(len(chunks)):
                words, programs, _ = zip(*chunks[i], strict=True)
                yield (
                    torch.tensor(padded(words, pieces.count)),
                    torch.tensor(_padded_behind(programs)),
                )

    def _row(self, pieces: TurnPieces, rng: np.random.Generator) -> Row:
        while True:
            said = example(rng)
            written = tokens(tuple(dict.fromkeys(said.ops)))
            if len(written) <= self.config.most_steps:
                later = said.later != bool(rng.random() < _MISTOLD)
                words = pieces.numbers(said.text, later, self.config.most_words)
                return words, written, len(said.text)


def _padded_behind(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    longest = max(len(row) for row in rows)
    return [list(row) + [INDEX[PAD]] * (longest - len(row)) for row in rows]
