"""Faces that nobody has: training portraits bent, with patches of other people's skin, as further portraits of a cache.

``python -m training.mixed_portraits CACHE OUT`` writes a cache that holds the portraits of CACHE and COUNT mixed ones.

A few dozen sharp, unretouched persons are known by heart after some hundred thousand examples: measured on painted
scenes of the London persons (`benchmarks.quality.paired --persons trained`), untouched skin of those trained on stays
4 dB nearer to what it was than that of the validation persons, and Soft-IoU is .11 higher. What a network knows by
heart is which faint shade or spot is somebody's own. So here every mixed face has its own: shape and slow tones are one
person's, and what is finer comes, patch by patch, from up to three others of a similar tone, who may be mirrored and
lie a little off (`training.mixed_skin`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import MediaError, StreamRetouchError
from training.arrays import new_arrays
from training.mixed_skin import Plane, mixed
from training.portrait_cache import CachedPortrait, PortraitCache
from training.progress import progress
from training.tones import mean_tone

COUNT = 1500
MIXED_SHARE = 3.0
"""How often a mixed portrait is drawn for each time that one of those they are made of is."""
_DONORS = 3
_RAISED = {"canada": 5 / 3, "congress": 2.0}
"""How much more often than `training.splits` says portraits of these sources are taken: here many persons count."""
_TONES_APART = 0.25
"""How far a donor's skin may be from the face's, natural logarithm: standard deviation of the choice."""
_SAME_SOURCE = 10.0
"""How much rather a donor of the same photographers is taken: their noise and sharpening are alike."""


def donors(
    cache: PortraitCache, tones: Plane, face: int, count: int, rng: np.random.Generator
) -> list[int]:
    """Others whose skin may be lent to portrait `face`: of another person and a similar tone.

    Args:
        tones: (N, 3) of `mean_tone`.
    """
    mine = cache.records[face]
    near = np.exp(-np.square((tones - tones[face]) / _TONES_APART).sum(1) / 2)
    alike = [_SAME_SOURCE if r["source"] == mine["source"] else 1.0 for r in cache.records]
    others = [r["person_id"] != mine["person_id"] for r in cache.records]
    weights = shares(cache) * near * np.array(alike) * np.array(others)
    chosen = rng.choice(len(weights), count, p=weights / weights.sum())
    return [int(i) for i in chosen]


def shares(cache: PortraitCache) -> NDArray[np.float64]:
    """(N,) how often each portrait is taken; they sum to 1, and those for validation never are."""
    raised = [_RAISED.get(str(r["source"]), 1.0) for r in cache.records]
    weights = cache.shares * np.array(raised)
    return np.asarray(weights / weights.sum())


def build(
    cache_dir: Path, out: Path, count: int = COUNT, seed: int = 1, processes: int = 1
) -> Path:
    """Writes the cache with mixed portraits and returns its folder.

    Raises:
        MediaError: there is no cache in `cache_dir`, `training.found_marks` was not there, or the disk is too full.
    """
    cache = PortraitCache(cache_dir)
    if not cache.knows_own_marks:
        raise MediaError(str(cache_dir), "its own marks are not known; run training.found_marks")
    if out.resolve() == cache_dir.resolve():
        raise MediaError(str(out), "would overwrite the cache it is made of; name another folder")
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
    wanted = {n: (np.asarray(a).dtype, (total, *np.shape(a))) for n, a in names.items()}
    arrays = new_arrays(out, wanted, stale=[out / "index.json"])
    index = json.loads((cache_dir / "index.json").read_text(encoding="utf-8"))
    records = list(cache.records)
    for i, portrait in enumerate(cache):
        _put(arrays, i, portrait)
    # spawned: OpenCV has threads, whose locks a forked process might wait for without end
    workers = ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_begin, initargs=(cache_dir, seed)
    )
    with workers as pool:
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
    _opened = cache, np.stack([mean_tone(p) for p in cache]), seed


def _one(number: int) -> tuple[int, CachedPortrait]:
    """Mixed portrait `number`, and which portrait's face it has."""
    cache, tones, seed = _opened
    rng = np.random.default_rng((seed, number))
    chosen = int(rng.choice(len(cache), p=shares(cache)))
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


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.mixed_portraits", description=__doc__)
    parser.add_argument("cache", type=Path, help="of training.portrait_cache and found_marks")
    parser.add_argument("out", type=Path, help="another folder, for --cache of training.retouch")
    parser.add_argument("--count", type=int, default=COUNT, help="mixed ones (default 1500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(argv)
    if min(args.count, args.processes) < 1:
        parser.error("--count and --processes must be at least 1")
    try:
        print(build(args.cache, args.out, args.count, args.seed, args.processes))
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
