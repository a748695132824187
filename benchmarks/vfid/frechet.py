"""The Fréchet distance between two sets of vectors, each taken for a Gaussian.

``d^2 = |m1 - m2|^2 + Tr(S1 + S2 - 2 sqrt(S1 S2))`` (Dowson and Landau 1982; Heusel et al. 2017). The trace of the
square root is the sum of the square roots of the eigenvalues of ``sqrt(S1) S2 sqrt(S1)``, which is symmetric: two
calls of eigh instead of a general matrix root, the same value.

With fewer vectors than dimensions the covariances are rank deficient and the distance grows as the sets shrink.
Nothing is shrunk or regularised against that: figures are compared at the same set size only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

DRAWS = 12
"""Random halves that the split-half floor is the mean of."""
_FLAT = 1e-9
"""Share of a dimension's mean size below which it does not vary."""


def frechet(one: Vectors, other: Vectors) -> float:
    """Distance of two sets.

    Args:
        one: (N, D), N >= 2.
        other: (M, D), M >= 2.
    """
    apart = one.mean(axis=0) - other.mean(axis=0)
    a, b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (one, other))
    values, axes = np.linalg.eigh(a)
    root = (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T
    between = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)).sum()
    return float(max(apart @ apart + np.trace(a) + np.trace(b) - 2.0 * between, 0.0))


def units(reference: Vectors) -> NDArray[np.float64]:
    """(D,) what each dimension is multiplied with: 1 / (its standard deviation in the reference set * sqrt(D)).

    A dimension that does not vary there (a dead channel) gets 0: it would drown the others.
    """
    spread = reference.std(axis=0, ddof=1)
    varies = spread > _FLAT * (np.abs(reference).mean(axis=0) + _FLAT)
    scale = np.where(varies, spread, 1.0) * np.sqrt(reference.shape[1])
    return np.where(varies, 1.0 / scale, 0.0)


def split_half(reference: Vectors, groups: Sequence[str], seed: int = 7) -> float | None:
    """What the distance is between two halves of the reference set: what chance alone makes at half the set size.

    Args:
        reference: (N, D).
        groups: N names; vectors of one name (segments of one clip) stay in one half.

    Returns:
        Mean over DRAWS random splits; None when a half would have fewer than two vectors.
    """
    names = sorted(set(groups))
    of = np.array([names.index(g) for g in groups])
    rng = np.random.default_rng(seed)
    distances = []
    for _ in range(DRAWS if len(names) > 1 else 0):
        half = np.isin(of, rng.permutation(len(names))[: len(names) // 2])
        if min(half.sum(), (~half).sum()) >= 2:
            distances.append(frechet(reference[half], reference[~half]))
    return float(np.mean(distances)) if distances else None
