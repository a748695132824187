"""Aligned training portraits on disk: cut, scaled, and searched for skin and real marks once, then memory-mapped.

``python -m training.portrait_cache CACHE_DIR`` builds it. A cached square covers 1.25 canonical crops, so that a
similarity jitter of the crop stays inside; at 832 px it keeps the portraits' own resolution.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import MediaError, StreamRetouchError
from stream_retouch.media.regions import alignment
from training.arrays import new_arrays
from training.imperfections.anatomy import skin_of
from training.progress import progress
from training.real_marks import may_be_real
from training.splits import ETHNICITY_WEIGHTS, VALIDATION_PERSONS, Portrait, portraits

COVER = 1.25
"""Side of the cached square over side of the canonical crop; both have the same middle."""
_VERSION = 1
_SIZE = 832

_MIDDLE = (0, 1, 2, *range(4, 7), *range(8, 20), 94, 151, 152, 164, 168, 175, 195, 197, 199, 200)
_IRISES = ((468, 473), (469, 476), (470, 475), (471, 474), (472, 477))


def _mesh_mirror() -> NDArray[np.intp]:
    """MediaPipe numbers the right half of its mesh below 248 and the left half after it, in the same order."""
    mirror = np.arange(478)
    right = np.array([i for i in range(248) if i not in _MIDDLE])
    left = np.arange(248, 468)
    irises = np.array(_IRISES)
    mirror[right], mirror[left] = left, right
    mirror[irises], mirror[irises[:, ::-1]] = irises[:, ::-1], irises
    return mirror


MESH_MIRROR: NDArray[np.intp] = _mesh_mirror()
"""(478,) for each mesh point the one on the other side of the face: flipped = points[MESH_MIRROR], x mirrored."""


def square_to_frame(landmarks: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """(2, 3) transform from pixels of the cached square to pixels of the portrait with these (478, 2) landmarks."""
    crop_to_frame = alignment(landmarks[list(LANDMARKS)])
    step = COVER * CROP_SIZE / size
    first = (CROP_SIZE - 1) / 2 - step * (size - 1) / 2
    shift = crop_to_frame[:, :2] @ (first, first) + crop_to_frame[:, 2]
    return np.column_stack((crop_to_frame[:, :2] * step, shift))


def build(shared: Path, cache_dir: Path, size: int = _SIZE, limit: int | None = None) -> Path:
    """Writes the cache of every training portrait and returns its folder.

    A cache that is there already, of the same version, size and pictures, is left alone, with mixed portraits too.

    Args:
        shared: the shared data folder.
        size: side of the square, pixels.
        limit: only the first so many portraits (for a trial).

    Raises:
        MediaError: a portrait is missing or no picture, or the disk is too full.
    """
    people = portraits(shared, heldout=False)[:limit]
    index = cache_dir / "index.json"
    wanted = {"version": _VERSION, "size": size, "portraits": [_record(p) for p in people]}
    if index.is_file() and _is_of(json.loads(index.read_text(encoding="utf-8")), wanted):
        return cache_dir
    count, square_px = len(people), (size, size)
    arrays = new_arrays(
        cache_dir,
        {
            "rgb": (np.uint8, (count, *square_px, 3)),
            "skin": (np.uint8, (count, *square_px)),
            "real": (np.uint8, (count, *square_px)),
            "landmarks": (np.float32, (count, 478, 2)),
        },
        stale=(index, cache_dir / "found.npy", cache_dir / "cleaned.npy"),
    )
    for i, person in enumerate(people):
        square, mesh = _cut(person, size)
        where = skin_of(square, mesh)
        arrays["rgb"][i], arrays["landmarks"][i] = square, mesh
        arrays["skin"][i] = _bytes(where)
        arrays["real"][i] = _bytes(may_be_real(square, where))
        progress("portraits", i + 1, count)
    for array in arrays.values():
        array.flush()
    # The index goes last: a cache that was interrupted has none.
    index.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    return cache_dir


def _is_of(index: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a cache is of the wanted portraits; those of `training.mixed_portraits` come after them."""
    count = len(index.get("portraits", ())) - index.get("mixed", 0)
    mine = index.get("portraits", [])[:count]
    return {**wanted, "mixed": 0} == {**index, "mixed": 0, "portraits": mine}


@dataclass(frozen=True, slots=True, eq=False)
class CachedPortrait:
    """One portrait of the cache; arrays are views of the memory map."""

    rgb: NDArray[np.uint8]
    """(side, side, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(478, 2) in pixels of the square."""
    skin: NDArray[np.uint8]
    """(side, side) paintable skin, 0..255."""
    may_be_real: NDArray[np.uint8]
    """(side, side) where a real mark may be, 0..255: the loss looks away."""
    record: dict[str, str | float]
    """file, person_id, source, expression, gender, ethnicity, weight."""
    found: NDArray[np.uint8] | None = None
    """(side, side) kinds of the marks that `training.found_marks` found, None before it has been here."""
    cleaned: NDArray[np.uint8] | None = None
    """(side, side, 3) RGB without them."""
    mirrored: NDArray[np.intp] = field(default_factory=lambda: MESH_MIRROR)

    @property
    def side(self) -> int:
        """Side of the square, pixels."""
        return int(self.rgb.shape[0])

    @property
    def crop_side(self) -> float:
        """Side of the canonical crop inside the square, pixels; both have the same middle."""
        return self.side / COVER


class PortraitCache(Sequence[CachedPortrait]):
    """The cache in a folder, memory-mapped and read-only: every worker process may open it.

    Raises:
        MediaError: there is none, or it was made by another version.
    """

    def __init__(self, cache_dir: Path) -> None:
        try:
            index = json.loads((cache_dir / "index.json").read_text(encoding="utf-8"))
            names = ("rgb", "landmarks", "skin", "real")
            self._arrays = [np.load(cache_dir / f"{name}.npy", mmap_mode="r") for name in names]
        except (OSError, ValueError) as error:
            raise MediaError(
                str(cache_dir), "no portrait cache here; run python -m training.portrait_cache"
            ) from error
        if index["version"] != _VERSION:
            raise MediaError(
                str(cache_dir),
                "portrait cache of another version; run python -m training.portrait_cache",
            )
        self._found = [
            np.load(path, mmap_mode="r")
            for path in (cache_dir / "found.npy", cache_dir / "cleaned.npy")
            if path.is_file()
        ]
        self.knows_own_marks = len(self._found) == 2
        """Whether `training.found_marks` has been here."""
        self.records: list[dict[str, str | float]] = index["portraits"]
        self.validation: list[int] = [
            i for i, r in enumerate(self.records) if r["person_id"] in VALIDATION_PERSONS
        ]
        """Portraits that are not trained on."""
        weights = np.array(
            [
                float(r["weight"]) * ETHNICITY_WEIGHTS.get(str(r["ethnicity"]), 1.0)
                for r in self.records
            ]
        )
        if len(self.validation) < len(weights):
            weights[self.validation] = 0.0
        self.shares: NDArray[np.float64] = weights / weights.sum()
        """(N,) how often each portrait is to be drawn; they sum to 1, and those for validation are never."""
        mixed = [r.get("source") == "mixed" for r in self.records]
        self.lenders: NDArray[np.intp] = np.flatnonzero((self.shares > 0) & ~np.array(mixed))
        """Numbers of those whose slow tones are lent, each as often: for that, a portrait need not be sharp."""

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, i: int) -> CachedPortrait:  # type: ignore[override]
        rgb, landmarks, skin, real = (array[i] for array in self._arrays)
        found = [array[i] for array in self._found] if self.knows_own_marks else [None, None]
        return CachedPortrait(rgb, landmarks, skin, real, self.records[i], *found)


def _cut(person: Portrait, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    picture = cv2.imread(str(person.file), cv2.IMREAD_COLOR)
    if picture is None:
        raise MediaError(str(person.file), "no readable picture; copy the portraits again")
    matrix = square_to_frame(person.landmarks, size)
    square = cv2.warpAffine(
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB),
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    mesh = np.linalg.solve(matrix[:, :2], (person.landmarks - matrix[:, 2]).T).T
    return np.asarray(square, np.uint8), mesh.astype(np.float32)


def _bytes(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)


def _record(person: Portrait) -> dict[str, str | float]:
    return {
        "file": person.file.name,
        "person_id": person.person_id,
        "source": person.source,
        "expression": person.expression,
        "gender": person.gender,
        "ethnicity": person.ethnicity,
        "weight": person.weight,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.portrait_cache", description=__doc__)
    parser.add_argument("cache_dir", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--size", type=int, default=_SIZE)
    options = parser.parse_args(arguments)
    try:
        print(build(options.shared, options.cache_dir, options.size))
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
