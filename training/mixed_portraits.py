"""Faces that nobody has: training portraits bent, with patches of other people's skin, as further portraits of a cache.

``python -m training.mixed_portraits CACHE OUT`` writes a cache that holds the portraits of CACHE and COUNT mixed ones.

A few dozen sharp, unretouched persons are known by heart after some hundred thousand examples: measured on painted
scenes of the London persons (`benchmarks.quality.paired`), untouched skin of those trained on stays 4 dB nearer to
what it was than that of the validation persons, and Soft-IoU is .11 higher. What a network knows by heart is which
faint shade or spot is somebody's own. So here every mixed face has its own: shape and slow tones are one person's, bent
a little; what is finer comes, patch by patch, from up to three others of a similar tone, who may be mirrored and lie a
little off. Sums are of logarithms, so that a freckle is as deep on the skin it comes to as on that it comes from.

Shapes: M side of the cached square, G side of the grid on which places are worked out.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.transform import ThinPlateSplineTransform

from stream_retouch.engine import LANDMARKS
from stream_retouch.errors import MediaError
from training.portrait_cache import MESH_MIRROR, CachedPortrait, PortraitCache
from training.progress import progress

COUNT = 1500
MIXED_SHARE = 3.0
"""How often a mixed portrait is drawn for each time that one of those they are made of is."""
_DONORS = 3
_TONES_APART = 0.25
"""How far a donor's skin may be from the face's, natural logarithm: standard deviation of the choice."""
_SAME_SOURCE = 10.0
"""How much rather a donor of the same photographers is taken: their noise and sharpening are alike."""
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
_DARKEST = 6.0

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


def donors(
    cache: PortraitCache, tones: Plane, face: int, count: int, rng: np.random.Generator
) -> list[int]:
    """Others whose skin may be lent to portrait `face`: of another person and a similar tone.

    Args:
        tones: (N, 3) of `tone`.
    """
    mine = cache.records[face]
    near = np.exp(-np.square((tones - tones[face]) / _TONES_APART).sum(1) / 2)
    alike = [_SAME_SOURCE if r["source"] == mine["source"] else 1.0 for r in cache.records]
    others = [r["person_id"] != mine["person_id"] for r in cache.records]
    weights = cache.shares * near * np.array(alike) * np.array(others)
    chosen = rng.choice(len(weights), count, p=weights / weights.sum())
    return [int(i) for i in chosen]


def tone(portrait: CachedPortrait) -> Plane:
    """(3,) mean logarithm of its skin's sRGB values."""
    small = tuple(
        cv2.resize(np.asarray(a), (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
        for a in (portrait.rgb, portrait.skin)
    )
    log = np.log(np.maximum(small[0], _DARKEST))
    weight = np.square(small[1])[..., None]
    return np.asarray((log * weight).sum((0, 1)) / max(float(weight.sum()), 1e-6), np.float32)


def build(
    cache_dir: Path, out: Path, count: int = COUNT, seed: int = 1, processes: int = 1
) -> Path:
    """Writes the cache with mixed portraits and returns its folder.

    Raises:
        MediaError: there is no cache in `cache_dir`, or `training.found_marks` has not been there.
    """
    cache = PortraitCache(cache_dir)
    if not cache.knows_own_marks:
        raise MediaError(str(cache_dir), "its own marks are not known; run training.found_marks")
    if out.resolve() == cache_dir.resolve():
        raise MediaError(str(out), "would overwrite the cache it is made of; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.json").unlink(missing_ok=True)
    first = cache[0]
    names = {
        "rgb": first.rgb,
        "skin": first.skin,
        "real": first.may_be_real,
        "landmarks": first.landmarks,
        "found": first.found,
        "cleaned": first.cleaned,
    }
    total = len(cache) + count
    arrays = {
        n: np.lib.format.open_memmap(
            out / f"{n}.npy", "w+", dtype=np.asarray(a).dtype, shape=(total, *np.shape(a))
        )
        for n, a in names.items()
    }
    index = json.loads((cache_dir / "index.json").read_text(encoding="utf-8"))
    records = list(cache.records)
    for i, portrait in enumerate(cache):
        _put(arrays, i, portrait)
    with ProcessPoolExecutor(processes, initializer=_begin, initargs=(cache_dir, seed)) as pool:
        for i, (chosen, portrait) in enumerate(pool.map(_one, range(count))):
            _put(arrays, len(cache) + i, portrait)
            records.append(_record(cache, chosen, count))
            progress("mixed portraits", i + 1, count)
    for array in arrays.values():
        array.flush()
    index |= {"portraits": records, "mixed": count}
    (out / "index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    return out


def _put(arrays: Mapping[str, NDArray[Any]], i: int, portrait: CachedPortrait) -> None:
    arrays["rgb"][i], arrays["skin"][i] = portrait.rgb, portrait.skin
    arrays["real"][i], arrays["landmarks"][i] = portrait.may_be_real, portrait.landmarks
    arrays["found"][i], arrays["cleaned"][i] = portrait.found, portrait.cleaned


def _begin(cache_dir: Path, seed: int) -> None:
    """Once in every process."""
    global _opened
    cv2.setNumThreads(1)
    cache = PortraitCache(cache_dir)
    _opened = cache, np.stack([tone(p) for p in cache]), seed


def _one(number: int) -> tuple[int, CachedPortrait]:
    """Mixed portrait `number`, and which portrait's face it has."""
    cache, tones, seed = _opened
    rng = np.random.default_rng((seed, number))
    chosen = int(rng.choice(len(cache), p=cache.shares))
    lent = donors(cache, tones, chosen, _DONORS, rng)
    return chosen, mixed(cache[chosen], [cache[d] for d in lent], rng)


_opened: tuple[PortraitCache, Plane, int]


def _record(cache: PortraitCache, chosen: int, count: int) -> dict[str, str | float]:
    """Of a mixed portrait: of the face it has, but for its weight."""
    weights = sum(float(r["weight"]) for r in cache.records)
    return dict(cache.records[chosen]) | {
        "person_id": "mixed",
        "source": "mixed",
        "ethnicity": "",
        "weight": MIXED_SHARE * weights / count,
    }


def _places(side: int) -> Plane:
    """(G, G, 2) pixels of the square, x then y."""
    step = np.linspace(0, side - 1, _GRID, dtype=np.float32)
    return np.stack(np.meshgrid(step, step), -1)


def _wander(rng: np.random.Generator, size: float) -> Plane:
    """(G, G, 2) smooth offsets of standard deviation `size`, pixels."""
    coarse = rng.normal(0, size, (5, 5, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (_GRID, _GRID), interpolation=cv2.INTER_CUBIC), np.float32)


def _at(grid: Plane, points: NDArray[np.floating], side: int) -> Plane:
    """(N, 2) values of a (G, G, 2) grid at (N, 2) pixels."""
    cells = (points * ((_GRID - 1) / (side - 1))).astype(np.float32)
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


_LOGARITHMS = np.log(np.maximum(np.arange(256, dtype=np.float32), _DARKEST))


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path, help="of training.portrait_cache and found_marks")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    print(build(options.cache, options.out, options.count, options.seed, options.processes))


if __name__ == "__main__":
    main()
