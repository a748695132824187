"""Natural shades, blush and gleam in more variety than there are portraits: one face lends them to another.

A few hundred portraits are soon known by heart: whose cheeks are rosy by nature, whose eyes lie deep. Measured on
persons not trained on, that is where untouched skin was changed most: validation persons who were given tones of those
trained on were left alone 2 dB better than with their own. So the slow part of a portrait's tones, which source and
target share, is mixed with that of others, mirrored or not, place by place, and deepened, so that what must be left
alone is less a matter of memory. How little that has helped so far is told in TRIED.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.portrait_cache import CachedPortrait

CELLS = 64
"""Side of a tone map, which covers the cached square."""
_SIGMA = 1.4
"""Of what counts as slow, cells."""
_LEAST_SKIN = 0.08
_MOST = 0.55
"""Strongest gain that is lent, natural logarithm."""
_SHADED, _BLUSHED = (-0.35, 0.45), (-0.4, 1.2)
"""By what share shading and colour are deepened."""
_FIELD = 3
"""Places across the square at which it is drawn how much somebody lends."""

Tones = NDArray[np.float32]


def mean_tone(portrait: CachedPortrait) -> NDArray[np.float32]:
    """(3,) mean logarithm of the skin's sRGB values."""
    return _mean(*_skin(portrait))


def tone_map(portrait: CachedPortrait) -> Tones:
    """(CELLS, CELLS, 3) logarithm of the skin's sRGB values over their mean, smooth, fading to 0 off the skin."""
    log, weight = _skin(portrait)
    even = (log - _mean(log, weight)) * weight[..., None]
    smooth = cv2.GaussianBlur(even, (0, 0), _SIGMA)
    there = cv2.GaussianBlur(weight, (0, 0), _SIGMA)
    return np.asarray(smooth / (there + _LEAST_SKIN)[..., None], np.float32)


def _skin(portrait: CachedPortrait) -> tuple[Tones, NDArray[np.float32]]:
    """(CELLS, CELLS, 3) logarithm of sRGB values 0..1, and (CELLS, CELLS) how much each cell counts as skin."""
    size = (CELLS, CELLS)
    rgb = cv2.resize(np.asarray(portrait.rgb), size, interpolation=cv2.INTER_AREA)
    skin = cv2.resize(np.asarray(portrait.skin), size, interpolation=cv2.INTER_AREA)
    log = np.log(np.maximum(rgb.astype(np.float32), 8.0) / 255.0)
    return log, np.square(skin.astype(np.float32) / 255.0)


def _mean(log: Tones, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    total = max(float(weight.sum()), 1e-6)
    return np.asarray((log * weight[..., None]).sum((0, 1)) / total, np.float32)


def lent(own: Tones, others: Sequence[Tones], rng: np.random.Generator) -> Tones:
    """(CELLS, CELLS, 3) gains that take a face some way to others' tones, to each of them more here and less there, and
    deepen or flatten them: shading a little, colour more, as of those who blush."""
    mixture = own
    for other in others:
        coarse = rng.uniform(0.0, 1.0, (_FIELD, _FIELD)).astype(np.float32)
        share = cv2.resize(coarse, (CELLS, CELLS), interpolation=cv2.INTER_LINEAR)[..., None]
        mixture = mixture + share * ((other[:, ::-1] if rng.random() < 0.5 else other) - mixture)
    shading = mixture.mean(-1, keepdims=True)
    deeper = rng.uniform(*_SHADED) * shading + rng.uniform(*_BLUSHED) * (mixture - shading)
    change = mixture - own + deeper
    return np.asarray(np.exp(np.clip(change, -_MOST, _MOST)), np.float32)


def spread_over(gains: Tones, matrix: NDArray[np.float64], square: int, side: int) -> Tones:
    """(side, side, 3) gains for a picture cut from the cached square.

    Args:
        matrix: (2, 3) from pixels of the picture to the square's.
        square: side of the square, pixels.
    """
    scale = CELLS / square
    to_cells = matrix * scale
    to_cells[:, 2] += 0.5 * scale - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    moved = cv2.warpAffine(gains, to_cells, (side, side), flags=flags, borderMode=border)
    return np.asarray(moved, np.float32)
