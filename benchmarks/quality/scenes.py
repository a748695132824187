"""Which portraits are measured, and what is painted on them.

The held-out split is frozen in `benchmarks/heldout.json`. The validation split paints the validation persons with the
same functions and seeds of its own, so that whoever chooses a setting need not look at the held-out persons.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import heldout
from benchmarks.heldout import Scene
from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    Edit,
    InstructionPlan,
    plan_to_json,
)
from training.splits import VALIDATION_PERSONS, Portrait, portraits

SPLITS = ("heldout", "validation")
TRAINED = "trained"
"""Those of the London persons, as the splits are, that the retoucher is trained on: no split to measure it by."""
VALIDATION_SEED, TUNING_SEED = 20270101, 20270102
"""Of the validation scenes, and of those that the classical filters are tuned on."""
_AMOUNT_SEED = {"heldout": 20270103, "validation": 20270104}
_AMOUNT_KINDS = 4


def people(shared: Path, split: str) -> list[Portrait]:
    """The portraits of a split or TRAINED, in the manifest's order.

    Raises:
        MediaError: there are none in the folder.
    """
    if split == "heldout":
        return portraits(shared, heldout=True)
    others = portraits(shared, heldout=False)
    if split == TRAINED:
        london = [p for p in others if p.person_id.startswith("london")]
        return [p for p in london if p.person_id not in VALIDATION_PERSONS]
    return [p for p in others if p.person_id in VALIDATION_PERSONS]


def scenes(shared: Path, split: str) -> Iterator[Scene]:
    """Two painted scenes of every portrait of the split."""
    if split == "heldout":
        return heldout.scenes(shared)
    return heldout.draw(people(shared, split), VALIDATION_SEED)


def tuning_scenes(shared: Path) -> Iterator[Scene]:
    """Two scenes of every validation person, with other marks than the validation scenes."""
    return heldout.draw(neutral(people(shared, "validation")), TUNING_SEED)


def amount_scenes(shared: Path, split: str) -> Iterator[Scene]:
    """Every neutral portrait with a few kinds of marks, the whole of them asked to go."""
    rng = np.random.default_rng(_AMOUNT_SEED[split])
    for portrait in neutral(people(shared, split)):
        chosen = rng.choice(len(CATEGORIES), _AMOUNT_KINDS, replace=False)
        kinds = tuple(CATEGORIES[i] for i in sorted(chosen))
        seed = int(rng.integers(2**31))
        yield heldout.paint(portrait, kinds, all_blemishes(1.0), seed, portrait.file.stem)


def neutral(chosen: Sequence[Portrait]) -> list[Portrait]:
    """Those that do not smile."""
    return [p for p in chosen if p.expression == "neutral"]


def all_blemishes(amount: float) -> InstructionPlan:
    """ "Remove all blemishes", or a share of them."""
    return InstructionPlan((Edit(BLEMISHES, (FACE,), amount),))


def print_of(scene: Scene) -> str:
    """What was painted and asked, as a line: for splits that no file holds."""
    plan, kinds = plan_to_json(scene.plan), [k.value for k in scene.kinds]
    return json.dumps([scene.name, scene.seed, kinds, plan, heldout.fingerprint(scene)])
