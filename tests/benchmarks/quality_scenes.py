"""A made-up scene: grey skin with two painted spots, one of which is asked to go."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.heldout import Scene
from stream_retouch.language.plan import REGIONS, Category, Edit, InstructionPlan, Keep, Region
from training.splits import Portrait

SIDE = 64
MOLE, SPOT = (slice(16, 24), slice(16, 24)), (slice(40, 48), slice(40, 48))


def scene(keep: bool = True) -> Scene:
    """A mole (dark by 40) that is to go from the upper left, a spot (dark by 40) that stays on the lower right."""
    clean = np.full((SIDE, SIDE, 3), 120, np.uint8)
    source, target = clean.copy(), clean.copy()
    source[MOLE] = source[SPOT] = target[SPOT] = 80
    cover = {kind: np.zeros((SIDE, SIDE), np.float32) for kind in (Category.MOLE, Category.SPOT)}
    cover[Category.MOLE][MOLE] = cover[Category.SPOT][SPOT] = 1.0
    regions = np.zeros((len(REGIONS), 32, 32), np.float32)
    regions[REGIONS.index(Region.RIGHT_CHEEK), :, :16] = 1.0
    regions[REGIONS.index(Region.LEFT_CHEEK), :, 16:] = 1.0
    keeps = (Keep("spot", ("left_cheek",)),) if keep else ()
    plan = InstructionPlan((Edit("mole", ("face",), 1.0),), keeps)
    points = np.zeros((478, 2), np.float32)
    portrait = Portrait(
        Path("made_up.jpg"), "made_up", "london", points, points[:, 0], "neutral", "", "", 1.0
    )
    kinds = (Category.MOLE, Category.SPOT)
    skin = np.ones((SIDE, SIDE), np.float32)
    box = (0, 0, SIDE)
    return Scene(
        "made up", portrait, kinds, plan, clean, source, target, cover, skin, box, regions, 1
    )
