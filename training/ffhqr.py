"""Pairs of portraits and what a retoucher made of them, in FFHQR's own layout: found, checked, aligned, asked for.

    DIR/face_retouching/{train,test}/{source,target}/NAME.png

A pair is two files of one name (folders included, endings not). It is used if both can be read, have one size, show
the same (their pictures correlate) and hold a face that our own finder sees. Everything else is told in one list,
written to OUT/left_out.txt, and the training goes on with the rest. What was found is kept beside the portrait cache,
so the next start only looks at what is new.

The pairs do not say what was retouched, so the words of such an example are about "blemishes": all, none, an amount, or
some regions; the target is that share of the way from source to target.

FFHQR (Shafaei, Little and Schmidt, WACV 2021) is under CC BY-NC-SA 4.0: weights trained on it are non-commercial.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engines.face_finder import NetFinder
from stream_retouch.engine import CROP_SIZE, FaceFinder
from stream_retouch.errors import MediaError
from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    REGIONS,
    Edit,
    InstructionPlan,
    amounts,
    request_map,
)
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import picture_of
from stream_retouch.media.regions import MIRROR, alignment, face_maps
from stream_retouch.media.skin import skin_evidence
from training.examples import TOLD_APART, Example, asked_of, relit, shaken
from training.progress import progress
from training.validation import Scene
from training.warp import warped
from training.webcam import as_it_is, degraded

ALIKE = 0.9
"""Least correlation of the two pictures of a pair, in small luma."""
_SMALL = 64
"""Side of those, pixels."""
_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"))
_SEED = 20270112
_TOLD = 12
"""Lines of the list that are shown; the file has all."""

Rgb = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """One portrait before and after."""

    name: str
    source: Path
    target: Path
    landmarks: tuple[tuple[float, float], ...]
    """(K, 2) in pixels of both."""


@dataclass(frozen=True, slots=True)
class FFHQR:
    """The pairs of one split; implements `training.batches.Pairs`."""

    pairs: tuple[Pair, ...]

    def example(self, rng: np.random.Generator, side: int, crop_size: int) -> Example:
        """A pair with the tremble of a tracker, another light and a camera, and something true to ask of it."""
        pair = self.pairs[int(rng.integers(len(self.pairs)))]
        size, angle = float(np.exp(rng.normal(0, 0.035))), float(np.radians(rng.normal(0, 2.0)))
        shift = rng.normal(0, 0.012, 2)
        flip = bool(rng.random() < 0.5)
        return _asked(
            pair, rng, side, crop_size, _tremble(size, angle, shift), flip, true_plan(rng)
        )

    def scenes(self, count: int, crop_size: int) -> list[Scene]:
        """Up to `count` pairs, all blemishes asked for, to be measured."""
        layer = crop_size // 2
        side, found = layer * round(640 / layer), []
        plan = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
        still = _tremble(1.0, 0.0, np.zeros(2))
        for i, pair in enumerate(self.pairs[:count]):
            rng = np.random.default_rng((_SEED, i))
            example = _asked(pair, rng, side, crop_size, still, False, plan, poor=False)
            everywhere = np.ones((side, side), bool)
            found.append(Scene(example, example.target, everywhere, {}))
        return found


def opened(folder: Path, cache: Path, out: Path) -> tuple[FFHQR, FFHQR | None]:
    """Training and test pairs of a folder; what is left out is told, and written to `out`.

    Args:
        folder: holds ``face_retouching``, or is it.
        cache: folder in which findings are kept.

    Raises:
        MediaError: there is no pair to train on.
    """
    root = folder if folder.name == "face_retouching" else folder / "face_retouching"
    finder, odd, splits = NetFinder.load(), [], []
    for split in ("train", "test"):
        pairs, left_out = checked(root / split, finder, cache)
        splits.append(FFHQR(tuple(pairs)))
        odd += [f"{split}/{line}" for line in left_out]
    _tell(odd, out)
    if not splits[0].pairs:
        raise MediaError(
            str(folder),
            "no pairs under face_retouching/train/source and target; name the folder that holds"
            " face_retouching with --data ffhqr=DIR",
        )
    print(f"ffhqr: {len(splits[0].pairs)} pairs to train on, {len(splits[1].pairs)} to test on")
    return splits[0], splits[1] if splits[1].pairs else None


def checked(split: Path, finder: FaceFinder, cache: Path) -> tuple[list[Pair], list[str]]:
    """The good pairs of a split by name, and a line for everything that is none."""
    sources, targets = (_pictures(split / half) for half in ("source", "target"))
    odd = [
        f"{half}/{name}: is no picture"
        for half in ("source", "target")
        for name in _strangers(split / half)
    ]
    odd += [
        f"source/{n}: has no target of that name" for n in sorted(sources.keys() - targets.keys())
    ]
    odd += [
        f"target/{n}: has no source of that name" for n in sorted(targets.keys() - sources.keys())
    ]
    names = sorted(sources.keys() & targets.keys())
    key = hashlib.sha256(str(split.resolve()).encode()).hexdigest()[:12]
    index = cache / f"ffhqr-{split.name}-{key}.jsonl"
    known = _known(index)
    pairs = []
    index.parent.mkdir(parents=True, exist_ok=True)
    with index.open("a", encoding="utf-8") as file:
        for i, name in enumerate(names):
            stamp = [sources[name].stat().st_size, targets[name].stat().st_size]
            row = known.get(name)
            if row is None or row["bytes"] != stamp:
                found = _examined(sources[name], targets[name], finder)
                row = {"name": name, "bytes": stamp, **found}
                file.write(json.dumps(row) + "\n")
                progress(f"ffhqr {split.name}", i + 1, len(names))
            if row["odd"]:
                odd.append(f"{name}: {row['odd']}")
                continue
            points = tuple((float(x), float(y)) for x, y in row["landmarks"])
            pairs.append(Pair(name, sources[name], targets[name], points))
    return pairs, odd


def _pictures(folder: Path) -> dict[str, Path]:
    return {
        str(path.relative_to(folder).with_suffix("")): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() in _ENDINGS
    }


def _strangers(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() not in _ENDINGS:
            yield str(path.relative_to(folder))


def _known(index: Path) -> dict[str, dict[str, Any]]:
    """What earlier starts found; a line that was cut short is forgotten."""
    found = {}
    for line in index.read_text(encoding="utf-8").splitlines() if index.exists() else ():
        try:
            row = json.loads(line)
            found[row["name"]] = row
        except (ValueError, KeyError):
            continue
    return found


def _examined(source: Path, target: Path, finder: FaceFinder) -> dict[str, Any]:
    """The landmarks of a pair, or what is odd about it."""
    a, b = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in (source, target))
    if a is None or b is None:
        return {"odd": "a picture cannot be read", "landmarks": []}
    if a.shape != b.shape:
        return {"odd": f"sizes differ, {a.shape[1::-1]} and {b.shape[1::-1]}", "landmarks": []}
    # the small slope lets pictures of one colour be alike
    first, second = (_small(p).ravel() + 1e-3 * np.arange(_SMALL**2) for p in (a, b))
    alike = float(np.corrcoef(first, second)[0, 1])
    if not alike >= ALIKE:
        return {"odd": f"the two show different things, correlation {alike:.2f}", "landmarks": []}
    height, width = (n // 2 * 2 for n in a.shape[:2])
    even = np.ascontiguousarray(a[:height, :width], np.uint8)
    frame = av.VideoFrame.from_ndarray(even, "bgr24")
    faces = FaceTracker(finder).update(picture_of(frame), 0.0)
    if not faces:
        return {"odd": "no face is seen in it", "landmarks": []}
    return {"odd": "", "landmarks": np.round(faces[0].landmarks, 2).tolist()}


def _small(bgr: NDArray[Any]) -> NDArray[np.float64]:
    """(_SMALL, _SMALL) luma."""
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64)


def _tell(odd: Sequence[str], out: Path) -> None:
    if not odd:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "left_out.txt").write_text("\n".join(odd) + "\n", encoding="utf-8")
    rest = f"\n  and {len(odd) - _TOLD} more" if len(odd) > _TOLD else ""
    print(
        f"ffhqr: {len(odd)} left out, listed in {out / 'left_out.txt'}:\n  "
        + "\n  ".join(odd[:_TOLD])
        + rest,
        flush=True,
    )


def true_plan(rng: np.random.Generator) -> InstructionPlan:
    """About blemishes of any kind: nothing, some regions, an amount, or everything."""
    kind = rng.random()
    if kind < 0.08:
        return InstructionPlan(action="nothing")
    amount = 1.0 if rng.random() < 0.6 else float(rng.choice((0.25, 0.5, 0.75)))
    regions: tuple[str, ...] = (FACE,)
    if kind < 0.4:
        count = int(rng.integers(1, 5))
        names = rng.choice([r.value for r in REGIONS], count, replace=False)
        regions = tuple(str(n) for n in names)
    return InstructionPlan((Edit(BLEMISHES, regions, amount),))


def _tremble(size: float, angle: float, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) from the crop's pixels to those of the crop as it should lie; as in `examples.cut`."""
    turn = size * np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    middle = np.full(2, (CROP_SIZE - 1) / 2)
    return np.column_stack((turn, middle + shift * CROP_SIZE - turn @ middle))


def _asked(
    pair: Pair,
    rng: np.random.Generator,
    side: int,
    crop_size: int,
    tremble: NDArray[np.float64],
    flip: bool,
    plan: InstructionPlan,
    poor: bool = True,
) -> Example:
    """The pair as an example; `poor` adds another light, the tracker's error and a camera."""
    points = np.array(pair.landmarks)
    to_frame = alignment(points)
    crop = np.column_stack(
        (to_frame[:, :2] @ tremble[:, :2], to_frame[:, :2] @ tremble[:, 2] + to_frame[:, 2])
    )
    landmarks = np.linalg.solve(crop[:, :2], (points - crop[:, 2]).T).T
    pictures = [_warped(path, crop, side) for path in (pair.source, pair.target)]
    if flip:
        landmarks = (landmarks * (-1, 1) + (CROP_SIZE - 1, 0))[MIRROR]
        pictures = [np.ascontiguousarray(p[:, ::-1]) for p in pictures]
    before, after = pictures
    difference = np.abs(before.astype(np.float32) - after).max(-1)
    masks = np.clip(difference / TOLD_APART, 0, 1).astype(np.float32)
    tracked = shaken(landmarks, rng) if poor else landmarks
    maps = face_maps(tracked, skin_evidence(before, tracked))
    request = request_map(amounts(plan), maps.regions, maps.uncut)
    both = np.concatenate(pictures)
    lit = relit(both, rng) if poor else both.astype(np.float32) / np.float32(255)
    source, wanted = lit[:side], lit[side:]
    share = cv2.resize(request.max(0), (side, side), interpolation=cv2.INTER_LINEAR)[..., None]
    target = np.asarray(source + (wanted - source) * share, np.float32)
    if poor:
        source8, target8 = degraded(source, target, rng)
    else:
        source8, (target8,) = as_it_is(source, [target])
    layer = crop_size // 2
    mask = cv2.resize(masks, (layer, layer), interpolation=cv2.INTER_AREA)
    every = np.repeat(mask[None], len(CATEGORIES), 0)
    nowhere = np.zeros((layer, layer), np.float32)
    skin = maps.regions.max(0)
    return asked_of(
        source8, target8, plan, request, every, nowhere, skin, crop_size, labelled=False
    )


def _warped(path: Path, crop: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """(side, side, 3) RGB of a picture; `crop` is from pixels of a CROP_SIZE crop to the picture's."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(str(path), "cannot be read any more; leave the pairs where they are")
    step = CROP_SIZE / side
    matrix = np.column_stack(
        (crop[:, :2] * step, crop[:, :2] @ np.full(2, (step - 1) / 2) + crop[:, 2])
    )
    return warped(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), matrix, side)
