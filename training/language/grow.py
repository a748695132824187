"""Gives a planner word pieces, prompts and places for words: python -m training.language.grow --planner DIR --out DIR

What the network knows stays. The pieces it has keep their numbers; new ones are learned from sentences of other
languages, stand behind them, and start as the mean of the two they are merged from. New prompts are varied copies of
the old ones and stand before them, next to the words; new places repeat the last ones. Training then goes on with
``python -m training.language.train --init DIR``.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from engines.language.config import PlannerConfig
from engines.language.network import PlannerNet
from engines.language.saved import load, save
from engines.language.text import TurnPieces, WordPieces
from stream_retouch.errors import StreamRetouchError
from training.language.corpus import foreign

_ROWS = "encoder.words.weight"
_SENTENCES = 40_000
_SPARE = 2
"""Pieces that are learned for each that is wanted: many are there already."""
_VARIED = 0.3


def with_pieces(
    model: PlannerNet, pieces: WordPieces, texts: Sequence[str], count: int
) -> tuple[PlannerNet, WordPieces]:
    """A planner with at most `count` pieces, learned from texts; the network answers to old pieces as before."""
    learned = WordPieces.learned(texts, _SPARE * count)
    more, merges = pieces.joined_by(learned.merges, count)
    state = model.state_dict()
    rows = list(state[_ROWS])
    for one, other in merges:
        rows.append((rows[more.number(one)] + rows[more.number(other)]) / 2)
    config = dataclasses.replace(model.config, vocabulary=more.count)
    return _filled(config, state, {_ROWS: torch.stack(rows)}), more


def with_room(model: PlannerNet, queries: int, most_words: int) -> PlannerNet:
    """A planner with so many prompts, and places for so many pieces of a turn; no fewer than it has."""
    config, state = model.config, model.state_dict()
    queries, most_words = max(queries, config.queries), max(most_words, config.most_words)
    prompts, places = state["prompts"], state["encoder.position"]
    copied = prompts[torch.arange(queries - len(prompts)) % len(prompts)]
    varied = copied + torch.randn_like(copied) * _VARIED * prompts.std()
    last = places[torch.arange(len(places), most_words + 1) - (most_words + 1 - len(places))]
    tensors = {
        "prompts": torch.cat((varied, prompts)),
        "encoder.position": torch.cat((places, last)),
    }
    config = dataclasses.replace(config, queries=queries, most_words=most_words)
    return _filled(config, state, tensors)


def _filled(
    config: PlannerConfig, state: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor]
) -> PlannerNet:
    model = PlannerNet(config)
    model.load_state_dict({**state, **tensors})
    return model.eval()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--planner", type=Path, required=True, help="folder of the planner")
    parser.add_argument("--out", type=Path, required=True, help="folder of the grown one")
    parser.add_argument("--pieces", type=int, default=3584, help="in all, at most")
    parser.add_argument(
        "--sentences", type=int, default=_SENTENCES, help="that they are learned from"
    )
    parser.add_argument("--queries", type=int, default=24, help="prompts, at least")
    parser.add_argument("--words", type=int, default=128, help="pieces of a turn, at least")
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args(arguments)
    rng = np.random.default_rng(told.seed)
    torch.manual_seed(told.seed)
    try:
        model, pieces = load(told.planner)
        texts = [foreign(rng)[0] for _ in range(told.sentences)]
        larger, more = with_pieces(model, pieces.words, texts, told.pieces)
        larger = with_room(larger, told.queries, told.words)
        told.out.mkdir(parents=True, exist_ok=True)
        save(larger, TurnPieces(more, pieces.sentence), told.out)
    except StreamRetouchError as problem:
        print(problem)
        return 2
    print(f"{pieces.count} pieces, now {more.count}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
