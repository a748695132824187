"""Colours of skin as log gains on sRGB code values: melanin, blood, shadow.

Directions follow the independent-component analysis of skin colour (Tsumura et al., SIGGRAPH 2003: melanin and
haemoglobin as additive optical densities per channel), paled by what skin scatters back, as judged by eye on
portraits; each is scaled so that its green component is 1. A field of density d becomes the gain
``exp(-d * direction)``: relative to the local skin, brown on light skin and nearly black on dark skin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MELANIN = np.array((0.63, 1.0, 1.26), np.float32)
HAEMOGLOBIN = np.array((0.27, 1.0, 0.92), np.float32)
EUMELANIN = np.array((0.84, 1.0, 1.07), np.float32)
"""Melanin so dense that it hides the skin: moles are nearly grey-brown, not orange."""
SHADOW = np.array((0.82, 1.0, 1.08), np.float32)
"""Shade in a fold: light that has bounced off skin is warm."""
VEIN = np.array((1.15, 1.0, 0.66), np.float32)
"""Venous blood seen through thin skin: bluish."""


def mix(rng: np.random.Generator, *parts: tuple[NDArray[np.float32], float]) -> NDArray[np.float32]:
    """(3,) weighted mean of directions with a little jitter of hue, green kept at 1."""
    direction = sum((w * d for d, w in parts), np.zeros(3, np.float32))
    direction = direction * np.exp(rng.normal(0.0, 0.04, 3))
    return (direction / direction[1]).astype(np.float32)
