"""Whether a greater amount removes more: ``amount_monotone``.

For each face "all blemishes" at 0.25, 0.5, 0.75 and 1.0; removal = 1 - sum|out - target| / sum|source - target| over
the wanted pixels, the target always that of the whole amount. It must rise strictly each time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.heldout import Scene
from benchmarks.quality.ours import Row
from benchmarks.quality.scenes import all_blemishes
from benchmarks.quality.views import views
from training.progress import progress

AMOUNTS = (0.25, 0.5, 0.75, 1.0)


def rises(removed: Sequence[float]) -> bool:
    """Whether each is greater than the one before."""
    return all(b > a for a, b in itertools.pairwise(removed))


def removals(ours: Row, scenes: Iterable[Scene], count: int) -> dict[str, list[float]]:
    """What each amount removes, by scene, in the first `count` scenes."""
    found: dict[str, list[float]] = {}
    for scene in itertools.islice(scenes, count):
        s = views(scene)
        there = float(np.abs(s.source - s.target)[s.wanted].sum())
        shares = []
        for amount in AMOUNTS:
            out = ours.retouch(scene.source, all_blemishes(amount)).picture
            shares.append(1.0 - float(np.abs(out - s.target)[s.wanted].sum()) / max(there, 1e-9))
        found[scene.name] = [round(share, 4) for share in shares]
        progress("amounts", len(found), count)
    return found
