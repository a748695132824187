"""Random fields that marks are made uneven with. Large ones are cut from tiles made once."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

TILE_UNIT = 4.0
"""Pixels per unit in a pore tile."""
_TILE = 768
"""Side of a tile, pixels; for pores 192 units, more than a face."""
_TILES = 4


def lerp(low: float, high: float, share: float) -> float:
    """`low` at share 0, `high` at share 1."""
    return low + (high - low) * share


def smoothstep(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@lru_cache(maxsize=32)
def _cloud_tile(level: int) -> NDArray[np.float32]:
    """(768, 768) smooth noise of unit variance with features of 2**(level / 2) pixels."""
    step = 2.0 ** (level / 2.0)
    rng = np.random.default_rng(7100 + level)
    knots = rng.standard_normal((int(_TILE / step) + 4,) * 2, np.float32)
    full = cv2.resize(knots, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    tile = np.ascontiguousarray(full[:_TILE, :_TILE])
    return (tile - tile.mean()) / tile.std()


def cloud(
    rng: np.random.Generator, h: int, w: int, cell: float, octaves: int = 2
) -> NDArray[np.float32]:
    """(h, w) smooth noise with about unit variance; its largest features measure `cell` pixels.

    Cut from tiles at a random place, turned and negated at random; `h` and `w` are at most 768.
    """
    out = np.zeros((h, w), np.float32)
    weight, total = 1.0, 0.0
    level = round(2.0 * np.log2(max(cell, 1.0)))
    for octave in range(octaves):
        tile = _cloud_tile(max(level - 2 * octave, 0))
        y, x = (int(rng.integers(0, _TILE - n + 1)) for n in (h, w))
        turn = int(rng.integers(16))
        tile = tile.T if turn & 1 else tile
        piece = tile[y : y + h, x : x + w][:: -1 if turn & 2 else 1, :: -1 if turn & 4 else 1]
        out += piece * np.float32(weight if turn & 8 else -weight)
        total += weight * weight
        weight *= 0.55
    return out * np.float32(1.0 / np.sqrt(total))


def ribbon(rng: np.random.Generator, knots: int) -> NDArray[np.float32]:
    """(64,) smooth noise along a line with about unit variance."""
    line = rng.standard_normal((1, max(knots, 2)), np.float32)
    smooth: NDArray[np.float32] = cv2.resize(line, (64, 1), interpolation=cv2.INTER_CUBIC)[0]
    return smooth * 1.3


def splat(
    shape: tuple[int, int],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    radius: NDArray[np.float32],
    amount: NDArray[np.float32],
    aspect: NDArray[np.float32],
    angle: NDArray[np.float32],
    hardness: float = 1.4,
) -> NDArray[np.float32]:
    """(h, w) sum of many small soft ellipses, one per entry, placed to a fraction of a pixel.

    Args:
        radius: where an ellipse has fallen to about 0.4, pixels.
        hardness: 1 = Gaussian, larger = flatter top and steeper edge.
    """
    h, w = shape
    typical = float(np.median(radius)) if radius.size > 32 else np.inf
    if typical < 0.7 * float(radius.max(initial=0.0)):
        small = radius <= typical
        few = (x, y, radius, amount, aspect, angle)
        return sum(
            (splat(shape, *(v[part] for v in few), hardness) for part in (small, ~small)),
            np.zeros(shape, np.float32),
        )
    reach = int(np.ceil(2.0 * float(radius.max(initial=0.5)))) + 1
    near = (x > -reach) & (x < w - 1 + reach) & (y > -reach) & (y < h - 1 + reach)
    x, y, r, amount, aspect, angle = (
        v[near].astype(np.float32)[:, None, None] for v in (x, y, radius, amount, aspect, angle)
    )
    # A rim of 2 * reach takes what falls beside the field, so no stamp is cut.
    offset = np.arange(-reach, reach + 1)
    ix, iy = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    dx = offset.astype(np.float32) + (ix - x).astype(np.float32)
    dy = offset.astype(np.float32)[:, None] + (iy - y).astype(np.float32)
    c, s = np.cos(angle) / r, np.sin(angle) / r
    q = (c * dx + s * dy) ** 2 + ((c / aspect) * dy - (s / aspect) * dx) ** 2
    value = amount * np.exp(
        np.float32(-0.9) * (q if hardness == 1.0 else q ** np.float32(hardness))
    )
    wide, high = w + 4 * reach, h + 4 * reach
    index = (iy + offset[:, None] + 2 * reach) * wide + (ix + offset + 2 * reach)
    total = np.bincount(index.ravel(), weights=value.ravel(), minlength=wide * high)
    field = total.reshape(high, wide)[2 * reach : 2 * reach + h, 2 * reach : 2 * reach + w]
    return field.astype(np.float32)


@lru_cache(maxsize=1)
def _pore_tiles() -> NDArray[np.float32]:
    """(4, 768, 768) depth 0..1 of pores, about 1.6 units apart, of uneven size."""
    rng = np.random.default_rng(20240611)
    tiles = []
    for _ in range(_TILES):
        step = 1.6 * TILE_UNIT
        n = int(_TILE / step)
        gx, gy = np.meshgrid(np.arange(n), np.arange(n))
        x = (gx + 0.5 * (gy % 2) + rng.normal(0, 0.24, gx.shape)).ravel() * step
        y = (gy + rng.normal(0, 0.24, gx.shape)).ravel() * step
        size = np.exp(rng.normal(0.0, 0.22, x.size))
        keep = rng.random(x.size) < 0.93
        tiles.append(
            splat(
                (_TILE, _TILE),
                *(a[keep].astype(np.float32) for a in (x, y, 1.1 * size)),
                amount=np.clip(0.6 * size**0.9 + rng.normal(0, 0.1, x.size), 0.08, 1.1)[
                    keep
                ].astype(np.float32),
                aspect=rng.uniform(0.6, 1.0, x.size)[keep].astype(np.float32),
                angle=rng.normal(0.6, 0.5, x.size)[keep].astype(np.float32),
                hardness=1.0,
            )
        )
    return np.minimum(np.stack(tiles), 1.2)


def pores(
    rng: np.random.Generator, h: int, w: int, unit: float, scale: float = 1.0
) -> NDArray[np.float32]:
    """(h, w) depth 0..1 of a random piece of pored skin; `scale` widens pores and their distances."""
    zoom = unit * scale / TILE_UNIT
    tile = _pore_tiles()[int(rng.integers(_TILES))]
    if rng.random() < 0.5:
        tile = tile[:, ::-1]
    th, tw = min(int(np.ceil(h / zoom)), _TILE), min(int(np.ceil(w / zoom)), _TILE)
    y, x = int(rng.integers(0, _TILE - th + 1)), int(rng.integers(0, _TILE - tw + 1))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return cv2.resize(tile[y : y + th, x : x + tw], (w, h), interpolation=method)
