"""Training examples: a clean aligned portrait, painted; a true plan; the picture that plan asks for.

Shapes: B batch, R side of the aligned picture at frame resolution, K categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engines.retouchgpt.canonical import amount_class, tokens
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.language.plan import (
    CATEGORIES,
    REGIONS,
    Category,
    InstructionPlan,
    Region,
    amounts,
    request_map,
)
from stream_retouch.media.edits import Edit
from stream_retouch.media.regions import FaceMaps, face_maps
from stream_retouch.media.skin import skin_evidence
from stream_retouch.media.texture import texture_of
from training.imperfections import Canvas, Mark, category_masks, compose, paint_face
from training.own_marks import own_marks
from training.paste import CELLS
from training.plans import random_plan
from training.portrait_cache import CachedPortrait
from training.tones import Tones, spread_over
from training.warp import warped
from training.webcam import all_degraded, as_it_is, widest

SIDES = (256, 384, 512, 640)
"""Sides of the aligned picture at frame resolution, whole cells of the layer; a batch has one."""
SIDE_SHARES = (0.15, 0.3, 0.35, 0.2)
"""How often each is drawn."""
_HARD = {
    Category.UNEVEN_TONE: 2.0,
    Category.SHINE: 2.0,
    Category.SCAR: 2.0,
    Category.FRECKLE: 1.5,
    Category.PORES: 1.3,
    Category.REDNESS: 1.3,
}
KIND_SHARES = np.array([_HARD.get(c, 1.0) for c in CATEGORIES])
KIND_SHARES /= KIND_SHARES.sum()
"""How often each kind is painted: those that are learned last more often."""
TOLD_APART = 8.0
"""A pixel that is to change by more than so many code values belongs to the imperfections."""
OWN_SHARE = 0.7
"""How often a portrait's own marks, where they are known, count as painted ones do, unless a recipe says otherwise."""
MAX_WORDS = 48
_BROW_TOPS = (LANDMARKS.index(105), LANDMARKS.index(334))
_EYE_CORNERS = (LANDMARKS.index(33), LANDMARKS.index(263))


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training pair."""

    source: NDArray[np.uint8]
    """(R, R, 3) RGB, painted and degraded."""
    target: NDArray[np.uint8]
    """(R, R, 3) RGB, what the plan asks for, degraded alike."""
    crop: NDArray[np.uint8]
    """(S, S, 3) RGB, what the network sees; L = S / 2."""
    request: NDArray[np.float32]
    """(17, 32, 32)."""
    masks: NDArray[np.uint8]
    """(17, L, L) ground truth of every painted category, 0..255."""
    changed: NDArray[np.uint8]
    """(L, L) M_gt: how far source and target differ, 255 from TOLD_APART code values on."""
    look_away: NDArray[np.uint8]
    """(L, L) where an unpainted mark may be real, 0..255."""
    words: NDArray[np.int64]
    """(MAX_WORDS,) canonical words of the plan."""
    classes: NDArray[np.int64]
    """(17, 12) class of amount of every pair."""
    texture: NDArray[np.float32]
    """(32, 32) strength of the skin's fine texture where nothing is to change, code values."""
    labelled: bool = True
    """Whether `masks` tell the kinds apart; else every channel is where anything was retouched, of whatever kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A portrait at some side R."""

    picture: NDArray[np.uint8]
    """(R, R, 3) RGB."""
    points: NDArray[np.float32]
    """(478, 2)."""
    skin: NDArray[np.float32]
    """(R, R) 0..1."""
    may_be_real: NDArray[np.float32]
    """(R, R) 0..1."""
    found: NDArray[np.uint8] | None
    """(R, R) as in `CachedPortrait`, with `cleaned`."""
    cleaned: NDArray[np.uint8] | None
    """(R, R, 3) RGB."""
    matrix: NDArray[np.float64]
    """(2, 3) from its pixels to the cached square's."""


def aligned(portrait: CachedPortrait, rng: np.random.Generator, side: int, flip: bool) -> Cut:
    """A portrait at side x side with the tremble of a tracker."""
    size = float(np.exp(rng.normal(0, 0.035)))
    angle = float(np.radians(rng.normal(0, 2.0)))
    shift = rng.normal(0, 0.012, 2)
    return cut(portrait, side, flip, size, angle, (float(shift[0]), float(shift[1])))


def cut(
    portrait: CachedPortrait,
    side: int,
    flip: bool = False,
    size: float = 1.0,
    angle: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Cut:
    """The canonical crop of a portrait at side x side, or one that lies off it.

    Args:
        size: of the crop over the canonical one's.
        angle: radians.
        shift: crops, right and down.
    """
    scale = portrait.crop_side / side * size
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    middle = (portrait.side - 1) / 2 + np.array(shift) * portrait.crop_side
    half = (side - 1) / 2
    matrix = np.array(
        (
            (cos, -sin, middle[0] - cos * half + sin * half),
            (sin, cos, middle[1] - sin * half - cos * half),
        )
    )
    if flip:
        matrix = matrix @ np.array(((-1.0, 0, side - 1), (0, 1, 0), (0, 0, 1)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size_px = (side, side)
    skin, real = (
        cv2.warpAffine(np.asarray(m), matrix, size_px, flags=flags).astype(np.float32)
        / np.float32(255.0)
        for m in (portrait.skin, portrait.may_be_real)
    )
    found = cleaned = None
    if portrait.found is not None and portrait.cleaned is not None:
        nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        labels = cv2.warpAffine(np.asarray(portrait.found), matrix, size_px, flags=nearest)
        found, cleaned = np.asarray(labels, np.uint8), warped(portrait.cleaned, matrix, side)
    back = np.linalg.inv(matrix[:, :2])
    points = (portrait.landmarks - matrix[:, 2]) @ back.T
    if flip:
        points = points[portrait.mirrored]
    picture = warped(portrait.rgb, matrix, side)
    return Cut(picture, points.astype(np.float32), skin, real, found, cleaned, matrix)


def make_example(
    portrait: CachedPortrait,
    rng: np.random.Generator,
    side: int,
    categories: list[Category] | None = None,
    plan: InstructionPlan | None = None,
    crop_size: int = CROP_SIZE,
    gains: Tones | None = None,
) -> Example:
    """Paints a portrait and asks for something true; `categories` and `plan` fix what is otherwise drawn.

    Args:
        side: of the aligned picture, a multiple of half the crop's.
        crop_size: of the network.
        gains: of `training.tones`, which change the portrait's own tones.
    """
    face = painted_face(portrait, rng, side, categories, gains)
    plan = random_plan(rng, face.kinds) if plan is None else plan
    return asked(face, rng, [plan], crop_size)[0]


@dataclass(frozen=True, slots=True, eq=False)
class PaintedFace:
    """A portrait with marks, before anything is asked of it."""

    canvas: Canvas
    marks: list[Mark]
    maps: FaceMaps
    may_be_real: NDArray[np.float32]
    """(R, R) 0..1."""

    @property
    def kinds(self) -> list[Category]:
        """What is painted."""
        return [c for c in CATEGORIES if any(m.category is c for m in self.marks)]


def painted_face(
    portrait: CachedPortrait,
    rng: np.random.Generator,
    side: int,
    categories: list[Category] | None = None,
    gains: Tones | None = None,
    own_share: float = OWN_SHARE,
) -> PaintedFace:
    """A portrait painted; arguments as in `make_example`. `own_share`: how often its own marks count as painted."""
    face = aligned(portrait, rng, side, bool(rng.random() < 0.5))
    picture, real = face.picture, face.may_be_real
    tracked = shaken(face.points[list(LANDMARKS)] * (CROP_SIZE / side), rng)
    evidence = skin_evidence(picture, tracked)
    maps = face_maps(tracked, evidence)
    skin = paintable(face.skin, maps.regions, evidence, tracked)
    own: list[Mark] = []
    lent = None if gains is None else spread_over(gains, face.matrix, portrait.side, side)
    if face.found is not None and face.cleaned is not None and rng.random() < own_share:
        with_marks, rgb = np.split(relit(np.vstack((picture, face.cleaned)), rng), 2)
        if lent is not None:
            with_marks, rgb = (np.minimum(p * lent, 1.0) for p in (with_marks, rgb))
        canvas = Canvas(np.ascontiguousarray(rgb), face.points, skin, maps.regions)
        own = own_marks(canvas, with_marks, face.found)
        real = real * (face.found == 0)
    else:
        rgb = relit(picture, rng)
        rgb = rgb if lent is None else np.minimum(rgb * lent, 1.0)
        canvas = Canvas(rgb, face.points, skin, maps.regions)
    if categories is None:
        count = int(rng.choice((0, 1, 2, 3, 4, 5, 6, 7), p=(0.03, 0.08, *(0.15,) * 5, 0.14)))
        chosen = rng.choice(len(CATEGORIES), count, replace=False, p=KIND_SHARES)
        categories = [CATEGORIES[i] for i in chosen]
    return PaintedFace(canvas, [*own, *paint_face(canvas, rng, categories)], maps, real)


def asked(
    face: PaintedFace,
    rng: np.random.Generator,
    plans: Sequence[InstructionPlan],
    crop_size: int,
    poor: bool = True,
) -> list[Example]:
    """One example for each plan, all through the same camera: painting costs more than asking once more.

    Args:
        poor: whether the camera has the faults of `training.webcam`, or shows all as it is.
    """
    marks, regions = face.marks, face.maps
    requests = [request_map(amounts(plan), regions.regions, regions.uncut) for plan in plans]
    targets = []
    for request in requests:
        left = [1.0 - request[CATEGORIES.index(m.category)] for m in marks]
        shares = [np.float32(1) * s if s.min() < 1 else 1.0 for s in left]
        targets.append(compose(face.canvas, marks, shares))
    source = compose(face.canvas, marks, [1.0] * len(marks))
    source8, targets8 = all_degraded(source, targets, rng) if poor else as_it_is(source, targets)
    masks = category_masks(marks, source8.shape[0], crop_size // 2)
    return [
        asked_of(
            source8,
            target8,
            plan,
            request,
            masks,
            face.may_be_real,
            regions.regions.max(0),
            crop_size,
        )
        for target8, plan, request in zip(targets8, plans, requests, strict=True)
    ]


def asked_of(
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    plan: InstructionPlan,
    request: NDArray[np.float32],
    masks: NDArray[np.float32],
    real: NDArray[np.float32],
    skin: NDArray[np.float32],
    crop_size: int,
    labelled: bool = True,
) -> Example:
    """An example of its pictures, plan and maps; arguments as in `Example`, maps 0..1."""
    side, layer = source.shape[0], crop_size // 2
    method = cv2.INTER_AREA if side > 1.4 * crop_size else cv2.INTER_LINEAR
    words = np.zeros(MAX_WORDS, np.int64)
    spelled = tokens(plan, MAX_WORDS)
    words[: len(spelled)] = spelled
    away = cv2.resize(real, (layer, layer), interpolation=cv2.INTER_AREA)
    apart = widest(np.asarray(cv2.absdiff(source, target), np.uint8)) / np.float32(TOLD_APART)
    changed = cv2.resize(np.minimum(apart, 1), (layer, layer), interpolation=cv2.INTER_AREA)
    crop = np.asarray(cv2.resize(source, (crop_size, crop_size), interpolation=method), np.uint8)
    return Example(
        source,
        target,
        crop,
        request,
        (masks * 255).astype(np.uint8),
        (changed * 255).astype(np.uint8),
        (away * 255).astype(np.uint8),
        words,
        np.vectorize(amount_class, otypes=[np.int64])(amounts(plan)),
        _texture(crop, changed, skin),
        labelled,
    )


def _texture(
    crop: NDArray[np.uint8], changed: NDArray[np.float32], skin: NDArray[np.float32]
) -> NDArray[np.float32]:
    """As the frame path measures it around an edit that does just what is asked."""
    if len(crop) != CROP_SIZE:
        crop = np.asarray(
            cv2.resize(crop, (CROP_SIZE,) * 2, interpolation=cv2.INTER_AREA), np.uint8
        )
    mask = np.maximum(changed, 1e-3).astype(np.float32)
    return texture_of(crop, skin, Edit(np.stack([mask] * 4), mask, 0.0, skin))


def shaken(points: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    """Landmarks (K, 2) in crop pixels off as the tracker's are: measured against exact ones they are shifted, stretched
    and sheared a little as a whole."""
    centre = points.mean(axis=0)
    stretched = (points - centre) @ (np.eye(2) + rng.normal(0, 0.01, (2, 2)))
    return np.asarray(stretched + centre + rng.normal(0, 0.9, 2))


def paintable(
    skin: NDArray[np.float32],
    regions: NDArray[np.float32],
    evidence: NDArray[np.float32],
    landmarks: NDArray[np.floating],
) -> NDArray[np.float32]:
    """(R, R) `skin` without the hair that the evidence sees, and with the forehead up to the hairline that it sees.

    Args:
        skin: (R, R) of the cache, which ends at the usual hairline.
        regions: (12, N, N) cut by the evidence.
        evidence: (M, M).
        landmarks: (K, 2) in pixels of a CROP_SIZE crop.
    """
    brow = (landmarks[_BROW_TOPS[0]] + landmarks[_BROW_TOPS[1]]) / 2
    across = landmarks[_EYE_CORNERS[1]] - landmarks[_EYE_CORNERS[0]]
    cells = regions.shape[-1]
    x, y = np.meshgrid(*(((np.arange(cells) + 0.5) * CROP_SIZE / cells - 0.5 - v) for v in brow))
    up = (across[1] * x - across[0] * y) / max(float(across @ across), 1e-6)
    above = np.clip((up - 0.12) / 0.13, 0.0, 1.0) * regions[REGIONS.index(Region.FOREHEAD)]
    seen, high = (
        cv2.resize(m.astype(np.float32), skin.shape, interpolation=cv2.INTER_LINEAR)
        for m in (evidence, above)
    )
    return np.asarray(np.maximum(skin, high) * seen, np.float32)


def relit(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another exposure and white balance, (R, R, 3) 0..1."""
    gamma = float(np.exp(rng.normal(0.03, 0.18)))
    gain = np.exp(rng.normal(0, 0.05, 3) + rng.normal(0, 0.06))
    levels = (np.arange(256) / 255.0) ** gamma
    table = np.clip(levels[:, None] * gain, 0, 1).astype(np.float32)
    return np.stack([table[:, c][picture[..., c]] for c in range(3)], -1)


def collate(examples: list[Example], window: tuple[int, int]) -> dict[str, torch.Tensor]:
    """A batch of examples of one side as tensors, dtypes kept; source and target cut to a window of the layer.

    Args:
        examples: of one side.
        window: first column and row, cells of the layer; it is CELLS wide and high.
    """
    names = (
        "source",
        "target",
        "crop",
        "request",
        "masks",
        "changed",
        "look_away",
        "words",
        "classes",
        "labelled",
        "texture",
    )
    batch = {n: np.stack([getattr(e, n) for e in examples]) for n in names}
    step = batch["source"].shape[1] // batch["masks"].shape[-1]
    x0, y0, size = window[0] * step, window[1] * step, CELLS * step
    for name in ("source", "target"):
        batch[name] = np.ascontiguousarray(batch[name][:, y0 : y0 + size, x0 : x0 + size])
    batch["window"] = np.array(window)
    return {n: torch.from_numpy(values) for n, values in batch.items()}
