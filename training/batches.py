"""The stream of training batches: painted portraits, and pairs of somebody's own where there are any.

Batch number n of a process is made by a generator of its own, seeded by n. So it is the same however many workers
paint, and a training that goes on after a break sees what it would have seen without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset

from stream_retouch.engine import CROP_SIZE
from training.examples import Example, asked, collate, painted_face
from training.paste import CELLS
from training.plans import random_plan
from training.portrait_cache import PortraitCache
from training.recipe import Data
from training.tones import Tones, lent, tone_map


class Pairs(Protocol):
    """Examples that are not painted."""

    def example(self, rng: np.random.Generator, side: int, crop_size: int) -> Example:
        """One of them, drawn by `rng`; arguments as in `make_example`."""
        ...


class Batches(IterableDataset[dict[str, torch.Tensor]]):
    """Batches `first`, `first` + 1, ... without end, as `collate` returns them."""

    def __init__(
        self,
        cache: Path | None,
        batch: int,
        seed: tuple[int, ...],
        first: int = 0,
        crop_size: int = CROP_SIZE,
        data: Data | None = None,
        pairs: Pairs | None = None,
    ) -> None:
        """`cache` is the folder of a portrait cache; None if every example comes from `pairs`."""
        self.cache, self.batch, self.seed, self.first = cache, batch, seed, first
        self.crop_size, self.data, self.pairs = crop_size, data or Data(), pairs
        self._known: dict[int, Tones] = {}

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        mine, count = (worker.id, worker.num_workers) if worker else (0, 1)
        portraits = PortraitCache(self.cache) if self.cache else None
        number = self.first + mine
        while True:
            yield self._batch(portraits, np.random.default_rng((*self.seed, number)))
            number += count

    def _batch(
        self, portraits: PortraitCache | None, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        side = int(rng.choice(self.data.sides, p=self.data.side_shares))
        x0, y0 = (int(v) for v in rng.integers(0, self.crop_size // 2 - CELLS + 1, 2))
        examples: list[Example] = []
        while len(examples) < self.batch:
            examples += self._examples(portraits, rng, side)
        return collate(examples[: self.batch], (x0, y0))

    def _examples(
        self, portraits: PortraitCache | None, rng: np.random.Generator, side: int
    ) -> list[Example]:
        """One of a pair, or a few of one painted face."""
        if self.pairs and (portraits is None or rng.random() < self.data.ffhqr_share):
            return [self.pairs.example(rng, side, self.crop_size)]
        assert portraits is not None
        chosen = int(rng.choice(len(portraits), p=portraits.shares))
        gains = None
        if rng.random() < self.data.lent_tones:
            others = [self._tones(portraits, int(i)) for i in rng.choice(portraits.lenders, 2)]
            gains = lent(self._tones(portraits, chosen), others, rng)
        own = self.data.own_marks
        face = painted_face(portraits[chosen], rng, side, gains=gains, own_share=own)
        plans = [random_plan(rng, face.kinds) for _ in range(self.data.plans_a_face)]
        poor = bool(rng.random() >= self.data.good_cameras)
        return asked(face, rng, plans, self.crop_size, poor)

    def _tones(self, portraits: PortraitCache, i: int) -> Tones:
        if i not in self._known:
            self._known[i] = tone_map(portraits[i])
        return self._known[i]
