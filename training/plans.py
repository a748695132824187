"""Random plans that are true: they name a known subset of what was painted, some that is not there, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    HOME_ZONES,
    REGIONS,
    Category,
    Edit,
    InstructionPlan,
    Keep,
)

_AMOUNTS = (0.25, 0.3, 0.5, 0.6, 0.75, 0.8, 1.0, 1.0, 1.0)
_EVERYTHING = 0.32
"""How often all blemishes of the whole face are to go: what is asked most, and where untouched skin is hardest to
tell."""


def _regions(rng: np.random.Generator, category: Category | None) -> tuple[str, ...]:
    home = HOME_ZONES.get(category) if category else None
    if rng.random() < 0.65:
        return (FACE,)
    if home:
        return (str(rng.choice([r.value for r in home])),)
    count = int(rng.integers(1, 4))
    return tuple(str(r) for r in rng.choice([r.value for r in REGIONS], count, replace=False))


def random_plan(rng: np.random.Generator, painted: Sequence[Category]) -> InstructionPlan:
    """A plan about a face that carries the painted categories."""
    kind = rng.random()
    if kind < 0.05:
        return InstructionPlan(action="nothing")
    if kind < 0.05 + _EVERYTHING:
        return InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
    if kind < 0.05 + _EVERYTHING + 0.2:
        amount = float(rng.choice(_AMOUNTS))
        edits = [Edit(BLEMISHES, _regions(rng, None), amount)]
        keeps: list[Keep] = []
        if painted and rng.random() < 0.45:
            kept = rng.choice([c.value for c in painted], int(rng.integers(1, 3)))
            keeps = [Keep(str(c), (FACE,)) for c in dict.fromkeys(kept)]
        return InstructionPlan(tuple(edits), tuple(keeps))
    named = [c for c in painted if rng.random() < 0.55]
    if not named and painted:
        named = [painted[int(rng.integers(len(painted)))]]
    absent = [c for c in CATEGORIES if c not in painted]
    if absent and rng.random() < 0.3:
        named.append(absent[int(rng.integers(len(absent)))])
    edits = [
        Edit(c.value, _regions(rng, c), float(rng.choice(_AMOUNTS))) for c in dict.fromkeys(named)
    ]
    order = rng.permutation(len(edits))
    keeps = [Keep(c.value, (FACE,)) for c in painted if c not in named and rng.random() < 0.2]
    return InstructionPlan(tuple(edits[i] for i in order), tuple(keeps[:3]))
