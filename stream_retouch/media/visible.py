"""Landmarks of which some are hidden: what the rest says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.regions import ALIGNMENT_WEIGHTS

Floats = NDArray[np.float64]

SUFFICIENT = 0.25
"""Part of the alignment's spread that visible points must have; below, guesses have a say too."""
LEAST_VISIBLE = 0.1
"""How much of one at most, where nothing else is left: with both eyes hidden, guesses still say more
about scale and roll than a few points on the nose."""
GUESSED_S = 10.0
"""Time constant with which hidden points go to where they are guessed."""


def with_hidden(points: Floats, visibility: Floats, shape: Floats, dt_s: float) -> Floats:
    """The landmarks with hidden ones moved to where the face's own last shape has them.

    The shape is laid over the visible points by weighted least squares, so it follows the face; a
    hand that confuses the guess of a hidden mouth then neither turns nor scales the crop. Slowly
    hidden points go to the guesses nevertheless: a head may stay turned for minutes.

    Args:
        points: (K, 2) as seen, frame pixels.
        visibility: (K,) 0..1.
        shape: (K, 2) the last landmarks, crop pixels.
        dt_s: how old they are.

    Returns:
        (K, 2) frame pixels; `points` themselves where everything is visible.
    """
    if visibility.min() >= 1.0:
        return points
    placed = _laid_over(shape, points, _weights(visibility, shape))
    share = np.maximum(visibility, min(dt_s / GUESSED_S, 1.0))[:, None]
    return np.asarray(share * points + (1.0 - share) * placed)


def inside(points: Floats, width: int, height: int) -> NDArray[np.bool_]:
    """(K,) which points lie in a frame of that size."""
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5))


def _weights(visibility: Floats, shape: Floats) -> Floats:
    """(K,) how much each point has a say; those of hidden ones would let the face drift off."""
    visible = ALIGNMENT_WEIGHTS * visibility
    short = max(
        0.0, 1.0 - _spread(visible, shape) / (SUFFICIENT * _spread(ALIGNMENT_WEIGHTS, shape))
    )
    return np.asarray(visible + ALIGNMENT_WEIGHTS * (LEAST_VISIBLE * short * short))


def _spread(weights: Floats, shape: Floats) -> float:
    """How firmly points of these weights hold a turn and a scale."""
    middle = weights @ shape / max(float(weights.sum()), 1e-9)
    return float(weights @ ((shape - middle) ** 2).sum(axis=1))


def _laid_over(shape: Floats, points: Floats, weights: Floats) -> Floats:
    """`shape` turned, scaled and moved onto `points` (Umeyama 1991; in the plane one complex
    division)."""
    weights = weights / max(float(weights.sum()), 1e-9)
    source, target = shape @ np.array([1, 1j]), points @ np.array([1, 1j])
    from_, to = weights @ source, weights @ target
    centred = source - from_
    spread = float(weights @ np.abs(centred) ** 2)
    turn = (weights * centred.conj()) @ (target - to) / max(spread, 1e-9)
    placed = centred * turn + to
    return np.stack([placed.real, placed.imag], axis=1)


def clean_visibility(visibility: NDArray[np.floating]) -> Floats:
    """As float64 in 0..1; what is no number is hidden."""
    return np.clip(np.nan_to_num(visibility.astype(np.float64)), 0.0, 1.0)
