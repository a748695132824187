"""One face of several: its own shape and slow tones, bent a little, and finer patches of other people's skin.

Sums are of logarithms, so that a freckle is as deep on the skin it comes to as on that it comes from. What a patch
brings along is known as what it was: marks found there, and places that may be real ones.

Shapes: M side of the cached square, G side of the grid on which places are worked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.transform import ThinPlateSplineTransform

from stream_retouch.engine import LANDMARKS
from training.portrait_cache import MESH_MIRROR, CachedPortrait

_BENT, _OFF = 0.009, 0.006
"""Standard deviation of how far places move, sides of the square: of the face, and of a donor against it."""
_PATCHES = (4, 7)
"""Cells across the square from which patches grow."""
_SHARP = 9.0
"""How sharply they end."""
_SLOW = (0.022, 0.075)
"""Sigma of what stays the face's own, sides of the square."""
_MOST = 0.7
"""Greatest change, natural logarithm."""
_INSIDE = 0.012
"""How far from the rim of a donor's skin its patches end, sides of the square."""
_FEATURE, _AROUND = 0.09, 0.012
"""Where the mean change around is so great, it is hair, a nostril or an eyelid: none of it is taken at twice as much.
The second is the sigma of what is around, sides of the square."""
_GRID = 49
_NEAR = 4
"""Blurs are worked out on every so many pixels."""
_CONTROL = np.array(LANDMARKS)[::2]
_LOGARITHMS = np.log(np.maximum(np.arange(256, dtype=np.float32), 6.0))

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Skin:
    """A portrait moved onto a face's places."""

    log: Plane
    """(M, M, 3) natural logarithm of sRGB values."""
    clean: Plane
    """(M, M, 3) what its own marks add to the logarithm, to be taken off."""
    skin: Plane
    """(M, M) 0..1, as is `real`."""
    real: Plane
    found: NDArray[np.uint8]
    """(M, M)."""


def mixed(
    face: CachedPortrait, donors: Sequence[CachedPortrait], rng: np.random.Generator
) -> CachedPortrait:
    """`face`, bent, with patches of the donors' skin.

    Args:
        face: with `found` and `cleaned`, as the donors; all of one side.
    """
    side = face.side
    bend = _wander(rng, _BENT * side)
    points = face.landmarks + _at(bend, face.landmarks, side)
    # Where a point of the new face lies on the old one; the bend is so slow that its inverse is its opposite.
    own = _moved(face, _places(side) - bend)
    skins = [_moved(d, _onto(points, d, side, rng)) for d in donors]
    slow = float(np.exp(rng.uniform(*np.log(_SLOW)))) * side
    kept = _fine(own, own.skin, slow)
    log, clean = own.log.copy(), own.clean.copy()
    real, found = own.real.copy(), own.found.copy()
    for share, other in zip(_patches(rng, side, 1 + len(skins))[1:], skins, strict=True):
        both = own.skin * _inner(other.skin)
        change = np.clip(_fine(other, both, slow) - kept, -_MOST, _MOST)
        share = share * both * _plain(change)
        log += share[..., None] * change
        clean += share[..., None] * (other.clean - own.clean)
        real += share * (other.real - own.real)
        found = np.where(share > 0.5, other.found, np.where(share > 0.1, 0, found))
    return CachedPortrait(
        _bytes(np.exp(log)),
        points.astype(np.float32),
        _bytes(own.skin * 255),
        _bytes(real * 255),
        face.record,
        np.asarray(found, np.uint8),
        _bytes(np.exp(log + clean)),
    )


def _places(side: int) -> Plane:
    """(G, G, 2) pixels, x then y, in the middle of each of the grid's cells, as `cv2.resize` takes them."""
    step = (np.arange(_GRID, dtype=np.float32) + 0.5) * (side / _GRID) - 0.5
    return np.stack(np.meshgrid(step, step), -1)


def _wander(rng: np.random.Generator, size: float) -> Plane:
    """(G, G, 2) smooth offsets of standard deviation `size`, pixels."""
    coarse = rng.normal(0, size, (5, 5, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (_GRID, _GRID), interpolation=cv2.INTER_CUBIC), np.float32)


def _at(grid: Plane, points: NDArray[np.floating], side: int) -> Plane:
    """(N, 2) values of a (G, G, 2) grid at (N, 2) pixels."""
    cells = ((points + 0.5) * (_GRID / side) - 0.5).astype(np.float32)
    border = cv2.BORDER_REPLICATE
    found = cv2.remap(grid, cells[:, None, 0], cells[:, None, 1], cv2.INTER_LINEAR, None, border)
    return np.asarray(found[:, 0], np.float32)


def _onto(
    points: NDArray[np.floating], donor: CachedPortrait, side: int, rng: np.random.Generator
) -> Plane:
    """(G, G, 2) pixels of the donor for places of a face with these (478, 2) points, by a thin-plate spline."""
    theirs = np.asarray(donor.landmarks, np.float64)
    if rng.random() < 0.5:
        theirs = theirs[MESH_MIRROR]
    spline = ThinPlateSplineTransform.from_estimate(points[_CONTROL], theirs[_CONTROL])
    places = _places(side) + _wander(rng, _OFF * side)
    moved = spline(places.reshape(-1, 2).astype(np.float64))
    return np.asarray(moved.reshape(_GRID, _GRID, 2), np.float32)


def _moved(portrait: CachedPortrait, places: Plane) -> _Skin:
    """A portrait seen at (G, G, 2) of its pixels."""
    size = (portrait.side,) * 2
    x, y = (cv2.resize(np.ascontiguousarray(places[..., i]), size) for i in (0, 1))

    def seen(a: NDArray[np.uint8] | None, method: int) -> NDArray[np.uint8]:
        picture = np.asarray(a)
        return np.asarray(cv2.remap(picture, x, y, method, None, cv2.BORDER_REFLECT_101), np.uint8)

    rgb, cleaned = (seen(a, cv2.INTER_CUBIC) for a in (portrait.rgb, portrait.cleaned))
    log = _LOGARITHMS[rgb]
    skin, real = (
        seen(a, cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
        for a in (portrait.skin, portrait.may_be_real)
    )
    found = seen(portrait.found, cv2.INTER_NEAREST)
    return _Skin(log, _LOGARITHMS[cleaned] - log, skin, real, found)


def _fine(portrait: _Skin, where: Plane, sigma: float) -> Plane:
    """(M, M, 3) what of its logarithm is not slow, the slow part taken over skin alone."""
    size = (len(where) // _NEAR,) * 2
    log, weight = (
        cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in (portrait.log, where + 1e-3)
    )
    there = cv2.GaussianBlur(weight, (0, 0), sigma / _NEAR)
    slow = cv2.GaussianBlur(log * weight[..., None], (0, 0), sigma / _NEAR) / there[..., None]
    return portrait.log - cv2.resize(slow, where.shape, interpolation=cv2.INTER_LINEAR)


def _inner(skin: Plane) -> Plane:
    """(M, M) less of its rim."""
    px = round(_INSIDE * len(skin))
    smaller = cv2.erode(skin, np.ones((2 * px + 1,) * 2, np.uint8))
    return np.asarray(cv2.GaussianBlur(smaller, (0, 0), px / 2), np.float32)


def _plain(change: Plane) -> Plane:
    """(M, M) 1 where a change is no more than skin's own texture and marks, 0 where it is a feature."""
    size = len(change)
    small = cv2.resize(np.abs(change).mean(-1), (size // _NEAR,) * 2, interpolation=cv2.INTER_AREA)
    around = cv2.GaussianBlur(small, (0, 0), _AROUND * size / _NEAR)
    plain = np.clip(2 - around / _FEATURE, 0, 1)
    return np.asarray(cv2.resize(plain, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _patches(rng: np.random.Generator, side: int, count: int) -> Plane:
    """(count, M, M) shares that sum to 1, in patches with soft borders."""
    cells = int(rng.integers(_PATCHES[0], _PATCHES[1] + 1))
    fields = rng.normal(0, 1, (count, cells, cells)).astype(np.float32)
    wide = [cv2.resize(f, (side, side), interpolation=cv2.INTER_CUBIC) for f in fields]
    shares = np.exp(_SHARP * (np.stack(wide) - np.max(wide, axis=0)))
    return np.asarray(shares / shares.sum(0), np.float32)


def _bytes(values: Plane) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
