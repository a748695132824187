"""Portraits of nobody, and a portrait cache of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.training.mesh import made_up_mesh
from training.imperfections.anatomy import skin_of
from training.portrait_cache import COVER, CachedPortrait
from training.splits import VALIDATION_PERSONS

SIDE = 416


def made_up_portrait(seed: int) -> CachedPortrait:
    """Flat grainy skin on the made-up mesh."""
    rng = np.random.default_rng(seed)
    points = made_up_mesh(SIDE, COVER)
    colour = np.array((214, 174, 153)) * rng.uniform(0.5, 1.0)
    rgb = np.clip(colour * (1 + rng.normal(0, 0.012, (SIDE, SIDE, 1))), 0, 255).astype(np.uint8)
    skin = (skin_of(rgb, points) * 255).astype(np.uint8)
    return CachedPortrait(rgb, points, skin, np.zeros_like(skin), {"person_id": "nobody"})


def made_up_cache(folder: Path) -> Path:
    """Three portraits, the last of them for validation."""
    folder.mkdir()
    people = [made_up_portrait(i) for i in range(3)]
    for name in ("rgb", "landmarks", "skin"):
        np.save(folder / f"{name}.npy", np.stack([getattr(p, name) for p in people]))
    np.save(folder / "real.npy", np.stack([p.may_be_real for p in people]))
    persons = ("nobody_0", "nobody_1", min(VALIDATION_PERSONS))
    records = [{"person_id": p, "weight": 1.0, "ethnicity": ""} for p in persons]
    index = {"version": 1, "size": SIDE, "portraits": records}
    (folder / "index.json").write_text(json.dumps(index))
    return folder
