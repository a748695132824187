"""One scene after 4:2:0, and where on it each figure looks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.heldout import Scene
from benchmarks.quality.pictures import Box, Rgb, inside, to_frame, to_rgb
from stream_retouch.language.plan import CATEGORIES, Edit, InstructionPlan, amounts, request_map

COUNTS = 8.0
"""Code values from which a pixel counts as changed, M_gt's tau."""
SAME = 1.0
"""Code values up to which it counts as unchanged."""
_COVERED, _IN_REGION = 0.3, 0.5

Where = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One scene after 4:2:0, and where to look; all (H, W) or (H, W, 3)."""

    clean: Rgb
    source: Rgb
    target: Rgb
    wanted: Where
    """Asked to change."""
    still: Where
    """Skin where nothing was painted and nothing asked."""
    unnamed: Where
    """Painted, and asked to stay."""
    kept: Where
    """Inside the kept (category, region) pairs."""
    kinds: dict[str, Where]
    """`wanted`, by painted kind."""
    box: Box
    """The face's square."""


def views(scene: Scene) -> Views:
    """The scene as the figures see it."""
    clean, source, target = (to_rgb(to_frame(p)) for p in (scene.clean, scene.source, scene.target))
    height, width = clean.shape[:2]
    asked = np.abs(source - target).max(-1)
    painted = np.abs(source - clean).max(-1)
    wanted = asked > COUNTS
    skin = scene.skin[:height, :width] > 0.5
    x0, y0, side = scene.box
    return Views(
        clean=clean,
        source=source,
        target=target,
        wanted=wanted,
        still=skin & (asked <= SAME) & (painted <= SAME),
        unnamed=(painted > COUNTS) & (asked <= SAME),
        kept=_kept(scene)[:height, :width] & (asked <= SAME),
        kinds={
            kind.value: wanted & (cover[:height, :width] > _COVERED)
            for kind, cover in scene.by_kind.items()
        },
        box=(x0, y0, min(side, height - y0, width - x0)),
    )


def _kept(scene: Scene) -> Where:
    """(H, W) where a painted kind lies in a region in which the plan keeps it."""
    found = np.zeros(scene.skin.shape, bool)
    # what is kept, read as if it were asked for: so the plan's own rules say which pairs those are
    keeps = tuple(Edit(k.category, k.regions, 1.0) for k in scene.plan.keep)
    if not keeps:
        return found
    maps = request_map(amounts(InstructionPlan(keeps)), scene.regions)
    square, side = inside(scene.box), scene.box[2]
    for kind, cover in scene.by_kind.items():
        map_ = maps[CATEGORIES.index(kind)]
        if map_.any():
            region = cv2.resize(map_, (side, side), interpolation=cv2.INTER_LINEAR)
            found[square] |= (region > _IN_REGION) & (cover[square] > _COVERED)
    return found
