"""Paints imperfections of known kind, place and strength on clean faces: exact ground truth for training.

``paint_face`` draws what the named categories ask for; ``compose`` turns the marks into pictures with any share of
any mark taken away. One module paints one kind, or a few that share their geometry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stream_retouch.language.plan import Category
from training.imperfections import (
    acne,
    circles,
    freckle,
    lines,
    mole,
    nasolabial_fold,
    pimple,
    pores,
    redness,
    scar,
    shine,
    spot,
    stray_hair,
    uneven_tone,
)
from training.imperfections.canvas import Canvas, Mark, category_masks, compose

__all__ = ["PAINTERS", "Canvas", "Mark", "Painter", "category_masks", "compose", "paint_face"]

Painter = Callable[[Canvas, np.random.Generator, float], list[Mark]]
"""(canvas, rng, strength 0..1 from faint to strong) -> marks."""

PAINTERS: dict[Category, Painter] = {
    Category.UNEVEN_TONE: uneven_tone.paint,
    Category.REDNESS: redness.paint,
    Category.DARK_CIRCLE: circles.paint_circles,
    Category.EYE_BAG: circles.paint_bags,
    Category.NASOLABIAL_FOLD: nasolabial_fold.paint,
    Category.FOREHEAD_WRINKLE: lines.paint_forehead,
    Category.CROWS_FEET: lines.paint_crows_feet,
    Category.FINE_LINE: lines.paint_fine,
    Category.PORES: pores.paint,
    Category.FRECKLE: freckle.paint,
    Category.SPOT: spot.paint,
    Category.SCAR: scar.paint,
    Category.ACNE: acne.paint,
    Category.PIMPLE: pimple.paint,
    Category.MOLE: mole.paint,
    Category.SHINE: shine.paint,
    Category.STRAY_HAIR: stray_hair.paint,
}
"""The painter of each category, in the order of the layers of a face: colour, relief, marks, gloss, hair."""


def paint_face(
    canvas: Canvas, rng: np.random.Generator, categories: Sequence[Category]
) -> list[Mark]:
    """The marks of the named categories, each at a strength of its own, in the order in which they are painted."""
    marks: list[Mark] = []
    for category, painter in PAINTERS.items():
        if category in categories:
            marks += painter(canvas, rng, float(rng.beta(1.4, 1.4)))
    return marks
