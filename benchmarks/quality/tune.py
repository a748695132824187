"""Looks for the best setting of each classical filter: ``python -m benchmarks.quality --tune``.

Validation persons, painted as the scenes that are measured, with other seeds. The winners go into `filters.BEST`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.filters import FILTERS, GRID, Setting
from benchmarks.quality.pictures import inside
from benchmarks.quality.scenes import neutral, people, tuning_scenes
from benchmarks.quality.views import views
from training.progress import progress


def settings(name: str) -> Iterator[Setting]:
    """All of a filter's grid."""
    keys = GRID[name]
    for values in itertools.product(*keys.values()):
        yield dict(zip(keys, values, strict=True))


def tune(shared: Path, scenes: int) -> dict[str, list[dict[str, float]]]:
    """Gain in dB of every setting, by filter, the best first.

    Args:
        scenes: how many to look at, at most.
    """
    count = min(scenes, 2 * len(neutral(people(shared, "validation"))))
    errors = {name: np.zeros(sum(1 for _ in settings(name))) for name in GRID}
    before = 0.0
    for number, scene in enumerate(itertools.islice(tuning_scenes(shared), count)):
        s = views(scene)
        square = inside(s.box)
        source, target, wanted = s.source[square], s.target[square], s.wanted[square]
        skin = scene.skin[square][: len(source), : len(source)]
        before += float(((source - target)[wanted] ** 2).sum())
        for name, sums in errors.items():
            for i, setting in enumerate(settings(name)):
                out = FILTERS[name](source, skin, s.box[2] / 100.0, setting)
                sums[i] += float(((out - target)[wanted] ** 2).sum())
        progress("tuning", number + 1, count)
    return {name: _ranked(name, sums, before) for name, sums in errors.items()}


def _ranked(name: str, errors: NDArray[np.float64], before: float) -> list[dict[str, float]]:
    rows = [
        {**setting, "masked_psnr_gain_db": round(10.0 * float(np.log10(before / error)), 4)}
        for setting, error in zip(settings(name), errors, strict=True)
    ]
    return sorted(rows, key=lambda row: -row["masked_psnr_gain_db"])
