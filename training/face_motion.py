"""A portrait's face moves: lids close, brows rise, the mouth opens, narrows and widens.

Each movement is a warp of one strip of the picture whose inverse is known in closed form, so the
landmarks go exactly where the picture goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE

Floats = NDArray[np.float64]

# MediaPipe mesh indices of the inner edge of the lips, from the person's right corner to the left.
INNER_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_MOUTH_CORNERS = (61, 291)
_UNDER_NOSE, _CHIN = 2, 152
_MIN_GAP = 0.02
"""Rows of a warp keep this distance, pixels, so that it can be undone."""


@dataclass(frozen=True, slots=True, eq=False)
class StripWarp:
    """Moves what lies in a strip along v, piecewise linearly; u runs across.

    Every row is a curve v(u). What lay on ``before[i]`` comes to lie on ``after[i]``; the first and
    the last row, and both ends of all rows, stay where they are.
    """

    origin: Floats
    """(2,) where u = v = 0."""
    axis: Floats
    """(2,) unit vector of u; v is that turned by +90 degrees (clockwise as one looks at it)."""
    u: Floats
    """(n,) where the rows are known, rising."""
    before: Floats
    """(m, n), rising along m."""
    after: Floats
    """(m, n), rising along m."""

    def forward(self, points: Floats) -> Floats:
        """Where (N, 2) points go."""
        return self._moved(points, self.before, self.after)

    def backward(self, points: Floats) -> Floats:
        """Where what is now at these (N, 2) points came from."""
        return self._moved(points, self.after, self.before)

    def places(self, points: Floats) -> Floats:
        """(N, 2) points as (u, v)."""
        off = points - self.origin
        return np.stack([off @ self.axis, off @ self._down], axis=1)

    def rows(self, u: Floats, after: bool) -> Floats:
        """(m, N) the rows at u."""
        rows = self.after if after else self.before
        return np.stack([np.interp(u, self.u, row) for row in rows])

    @property
    def _down(self) -> Floats:
        return np.array([-self.axis[1], self.axis[0]])

    def _moved(self, points: Floats, was: Floats, will_be: Floats) -> Floats:
        places = self.places(points)
        near = (
            (places[:, 0] > self.u[0])
            & (places[:, 0] < self.u[-1])
            & (places[:, 1] > was[0].min())
            & (places[:, 1] < was[-1].max())
        )
        u, v = places[near].T
        old = np.stack([np.interp(u, self.u, row) for row in was])
        new = np.stack([np.interp(u, self.u, row) for row in will_be])
        moved = v.copy()
        for i in range(len(old) - 1):
            inside = (v >= old[i]) & (v < old[i + 1])
            share = (v - old[i]) / (old[i + 1] - old[i])
            moved = np.where(inside, new[i] + share * (new[i + 1] - new[i]), moved)
        out = points.copy()
        out[near] += (moved - v)[:, None] * self._down
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Warps one after the other, and the one whose strip opens the mouth."""

    warps: tuple[StripWarp, ...]
    mouth: StripWarp | None = None
    """Opens between its rows 1 and 2."""

    def forward(self, points: Floats) -> Floats:
        """Where (N, 2) points go."""
        for warp in self.warps:
            points = warp.forward(points)
        return points

    def backward(self, points: Floats) -> Floats:
        """Where what is now at these (N, 2) points came from."""
        for warp in reversed(self.warps):
            points = warp.backward(points)
        return points

    def mouth_depth(self, points: Floats) -> Floats:
        """(N,) 0 at the upper lip to 1 at the lower where (N, 2) points look into the mouth, else
        NaN."""
        if self.mouth is None:
            return np.full(len(points), np.nan)
        u, v = self.mouth.places(points).T
        upper, lower = self.mouth.rows(u, after=True)[1:3]
        share = (v - upper) / np.maximum(lower - upper, _MIN_GAP)
        return np.where((lower - upper > 0.5) & (share > 0) & (share < 1), share, np.nan)


def expression(mesh: Floats, rng: np.random.Generator) -> Expression:
    """A drawn expression of the face with this (478, 2) mesh; the lips come last."""
    warps: list[StripWarp] = []
    shut = 1.0
    if (kind := rng.random()) < 0.3:
        shut = rng.uniform(0.06, 0.2) if kind < 0.14 else rng.uniform(0.2, 0.9)
    elif kind < 0.38:
        shut = rng.uniform(1.1, 1.35)
    lift = rng.normal(0, 0.12) if rng.random() < 0.3 else 0.0
    alone = int(rng.integers(0, 12))  # 0 and 1: that eye alone
    for side in (0, 1):
        if alone not in (0, 1) or alone == side:
            if shut != 1.0 or lift:
                warps.append(eye_warp(mesh, bool(side), shut, lift))
    if rng.random() < 0.25:
        warps.append(mouth_width_warp(mesh, rng.uniform(0.72, 1.14)))
    if rng.random() < 0.35:
        moved = Expression(tuple(warps)).forward(mesh)
        mouth = mouth_open_warp(moved, rng.uniform(0.05, 0.75))
        return Expression((*warps, mouth), mouth)
    return Expression(tuple(warps))


def eye_warp(mesh: Floats, left: bool, opening: float, lift: float) -> StripWarp:
    """Closes or widens one eye and moves its brow.

    Args:
        mesh: (478, 2) face mesh, pixels.
        left: which eye, the person's own.
        opening: of the eye, 1 as it is, 0 shut.
        lift: of the brow, in eye widths.
    """
    eye, brow = (LEFT_EYE, LEFT_BROW) if left else (RIGHT_EYE, RIGHT_BROW)
    outer, inner = mesh[eye[0]], mesh[eye[8]]
    first, last = (inner, outer) if left else (outer, inner)
    width, origin, axis = _frame(first, last)
    u = np.linspace(-width, width, 17)
    lower = _curve(mesh[list(eye[:9])], origin, axis, u)
    upper = _curve(mesh[[eye[0], *eye[:8:-1], eye[8]]], origin, axis, u)
    upper = np.minimum(upper, lower)
    brow_row = np.minimum(_curve(mesh[list(brow[5:])], origin, axis, u), upper - 0.1 * width)
    taper = np.cos(np.pi / 2 * u / width) ** 2
    gap = lower - upper
    rest = lower - 0.15 * max(0.0, 1 - opening) * gap
    before = np.stack([brow_row - 0.9 * width, brow_row, upper, lower, lower + 0.6 * width])
    after = np.stack(
        [before[0], brow_row - lift * width * taper, rest - opening * gap, rest, before[4]]
    )
    return StripWarp(origin, axis, u, _rising(before), _rising(after))


def mouth_open_warp(mesh: Floats, opening: float) -> StripWarp:
    """Opens the mouth by `opening` mouth widths and drops the jaw with it."""
    width, origin, axis = _frame(mesh[_MOUTH_CORNERS[0]], mesh[_MOUTH_CORNERS[1]])
    u = np.linspace(-1.6 * width, 1.6 * width, 33)
    lower = _curve(mesh[list(INNER_LOWER_LIP)], origin, axis, u)
    upper = np.minimum(_curve(mesh[list(INNER_UPPER_LIP)], origin, axis, u), lower)
    under_nose, chin = (
        float((mesh[i] - origin) @ [-axis[1], axis[0]]) for i in (_UNDER_NOSE, _CHIN)
    )
    drop = opening * width
    lips = np.clip(1 - (2 * u / width) ** 2, 0, None) ** 0.7
    jaw = np.cos(np.pi / 2 * u / (1.6 * width)) ** 2
    flat = np.ones_like(u)
    before = np.stack([under_nose * flat, upper, lower, chin * flat, (chin + 1.2 * width) * flat])
    after = before + drop * np.stack([0 * u, -0.1 * lips, 0.8 * lips, 0.75 * jaw, 0 * u])
    return StripWarp(origin, axis, u, _rising(before), _rising(after))


def mouth_width_warp(mesh: Floats, share: float) -> StripWarp:
    """Makes the mouth `share` times as wide; the strip lies across the mouth's axis."""
    width, origin, axis = _frame(mesh[_MOUTH_CORNERS[0]], mesh[_MOUTH_CORNERS[1]])
    up = np.array([axis[1], -axis[0]])  # u; v then runs along the mouth
    u = np.linspace(-0.55 * width, 0.55 * width, 13)
    taper = np.cos(np.pi / 2 * u / (0.55 * width)) ** 2
    corner = 0.5 * width * np.ones_like(u)
    before = np.stack([-2.4 * corner, -corner, corner, 2.4 * corner])
    grown = corner * (1 + (share - 1) * taper)
    after = np.stack([before[0], -grown, grown, before[3]])
    return StripWarp(origin, up, u, before, after)


def _frame(first: Floats, last: Floats) -> tuple[float, Floats, Floats]:
    """Distance, middle and unit direction from one point to the other."""
    along = last - first
    width = max(float(np.hypot(*along)), 1e-3)
    return width, (first + last) / 2, along / width


def _curve(points: Floats, origin: Floats, axis: Floats, u: Floats) -> Floats:
    """v of the line through the points at u, level beyond its ends."""
    off = points - origin
    along, down = off @ axis, off @ np.array([-axis[1], axis[0]])
    order = np.argsort(along)
    return np.asarray(np.interp(u, along[order], down[order]))


def _rising(rows: Floats) -> Floats:
    step = _MIN_GAP * np.arange(len(rows))[:, None]
    return np.asarray(np.maximum.accumulate(rows - step, axis=0) + step)
