"""Training examples: a clean aligned portrait, painted; a true plan; the picture that plan asks for.

Shapes: B batch, R side of the aligned picture at frame resolution, K categories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from engines.retouchgpt.canonical import amount_class, tokens
from stream_retouch.engine import CROP_SIZE, LANDMARKS, LAYER_SIZE
from stream_retouch.language.plan import (
    CATEGORIES,
    REGIONS,
    Category,
    InstructionPlan,
    Region,
    amounts,
    request_map,
)
from stream_retouch.media.regions import face_maps
from stream_retouch.media.skin import skin_evidence
from training.imperfections import Canvas, category_masks, compose, paint_face
from training.paste import CELLS
from training.plans import random_plan
from training.portrait_cache import CachedPortrait, PortraitCache

SIDES = (256, 384, 512, 640)
"""Sides of the aligned picture at frame resolution, whole cells of the layer; a batch has one."""
_SIDE_SHARES = (0.15, 0.3, 0.35, 0.2)
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
    """(256, 256, 3) RGB, what the network sees."""
    request: NDArray[np.float32]
    """(17, 32, 32)."""
    masks: NDArray[np.uint8]
    """(17, 128, 128) ground truth of every painted category, 0..255."""
    look_away: NDArray[np.uint8]
    """(128, 128) where an unpainted mark may be real, 0..255."""
    words: NDArray[np.int64]
    """(MAX_WORDS,) canonical words of the plan."""
    classes: NDArray[np.int64]
    """(17, 12) class of amount of every pair."""


def aligned(
    portrait: CachedPortrait, rng: np.random.Generator, side: int, flip: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """A portrait at side x side with the tremble of a tracker: rgb, landmarks, skin and may-be-real maps."""
    scale = portrait.crop_side / side * float(np.exp(rng.normal(0, 0.035)))
    angle = float(np.radians(rng.normal(0, 2.0)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    middle = (portrait.side - 1) / 2 + rng.normal(0, 0.012, 2) * portrait.crop_side
    half = (side - 1) / 2
    matrix = np.array(
        (
            (cos, -sin, middle[0] - cos * half + sin * half),
            (sin, cos, middle[1] - sin * half - cos * half),
        )
    )
    if flip:
        matrix = matrix @ np.array(((-1.0, 0, side - 1), (0, 1, 0), (0, 0, 1)))
    rgb = portrait.rgb
    inner = matrix
    if scale > 1.5:
        rgb = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        inner = matrix * 0.5
        inner[:, 2] -= 0.25
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT_101
    picture = cv2.warpAffine(rgb, inner, (side, side), flags=flags, borderMode=border)
    maps = [
        cv2.warpAffine(np.asarray(m), matrix, (side, side), flags=flags).astype(np.float32) / 255.0
        for m in (portrait.skin, portrait.may_be_real)
    ]
    back = np.linalg.inv(matrix[:, :2])
    points = (portrait.landmarks - matrix[:, 2]) @ back.T
    if flip:
        points = points[portrait.mirrored]
    return picture, points.astype(np.float32), maps[0], maps[1]


def make_example(
    portrait: CachedPortrait,
    rng: np.random.Generator,
    side: int,
    categories: list[Category] | None = None,
    plan: InstructionPlan | None = None,
) -> Example:
    """Paints a portrait and asks for something true; `categories` and `plan` fix what is otherwise drawn."""
    picture, points, skin, real = aligned(portrait, rng, side, bool(rng.random() < 0.5))
    rgb = _relit(picture, rng)
    shaken = _shaken(points[list(LANDMARKS)] * (CROP_SIZE / side), rng)
    evidence = skin_evidence(picture, shaken)
    maps = face_maps(shaken, evidence)
    canvas = Canvas(rgb, points, _paintable(skin, maps.regions, evidence, shaken), maps.regions)
    if categories is None:
        count = int(rng.choice((0, 1, 2, 3, 4, 5, 6, 7), p=(0.03, 0.08, *(0.15,) * 5, 0.14)))
        categories = [CATEGORIES[i] for i in rng.permutation(len(CATEGORIES))[:count]]
    marks = paint_face(canvas, rng, categories)
    painted = [c for c in CATEGORIES if any(m.category is c for m in marks)]
    plan = random_plan(rng, painted) if plan is None else plan
    table = amounts(plan)
    request = request_map(table, maps.regions, maps.uncut)
    left = [1.0 - request[CATEGORIES.index(m.category)] for m in marks]
    source = compose(canvas, marks, [1.0] * len(marks))
    target = compose(canvas, marks, [np.float32(1) * s if s.min() < 1 else 1.0 for s in left])
    source8, target8 = _degraded(source, target, rng)
    method = cv2.INTER_AREA if side > 1.4 * CROP_SIZE else cv2.INTER_LINEAR
    crop = cv2.resize(source8, (CROP_SIZE, CROP_SIZE), interpolation=method)
    masks = category_masks(marks, side, LAYER_SIZE)
    words = np.zeros(MAX_WORDS, np.int64)
    spelled = tokens(plan, MAX_WORDS)
    words[: len(spelled)] = spelled
    return Example(
        source8,
        target8,
        crop,
        request,
        (masks * 255).astype(np.uint8),
        (cv2.resize(real, (LAYER_SIZE, LAYER_SIZE), interpolation=cv2.INTER_AREA) * 255).astype(
            np.uint8
        ),
        words,
        np.vectorize(amount_class, otypes=[np.int64])(table),
    )


def _shaken(points: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    """Landmarks (K, 2) in crop pixels off as the tracker's are: measured against exact ones they are shifted, stretched
    and sheared a little as a whole."""
    centre = points.mean(axis=0)
    stretched = (points - centre) @ (np.eye(2) + rng.normal(0, 0.01, (2, 2)))
    return np.asarray(stretched + centre + rng.normal(0, 0.9, 2))


def _paintable(
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


def _relit(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another exposure and white balance, (R, R, 3) 0..1."""
    gamma = float(np.exp(rng.normal(0, 0.12)))
    gain = np.exp(rng.normal(0, 0.05, 3) + rng.normal(0, 0.06))
    levels = (np.arange(256) / 255.0) ** gamma
    table = np.clip(levels[:, None] * gain, 0, 1).astype(np.float32)
    return np.stack([table[:, c][picture[..., c]] for c in range(3)], -1)


def _degraded(
    source: NDArray[np.float32], target: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Both sides through the same camera: focus and sensor noise."""
    pair = [source, target]
    if rng.random() < 0.35:
        sigma = float(rng.uniform(0.4, 1.6)) * source.shape[0] / 512
        pair = [cv2.GaussianBlur(p, (0, 0), sigma) for p in pair]
    if rng.random() < 0.6:
        noise = np.empty(source.shape, np.float32)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, 0.0, float(rng.uniform(0.5, 4.0)) / 255)
        pair = [p + noise for p in pair]
    a, b = (np.clip(p * 255 + 0.5, 0, 255).astype(np.uint8) for p in pair)
    return a, b


class Batches(IterableDataset[dict[str, torch.Tensor]]):
    """An endless stream of batches; every worker draws its own."""

    def __init__(self, cache: Path, batch: int, seed: int) -> None:
        self.cache, self.batch, self.seed = cache, batch, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        portraits = PortraitCache(self.cache)
        while True:
            side = int(rng.choice(SIDES, p=_SIDE_SHARES))
            chosen = rng.choice(len(portraits), self.batch, p=portraits.shares)
            window = tuple(int(v) for v in rng.integers(0, LAYER_SIZE - CELLS + 1, 2))
            examples = [make_example(portraits[int(i)], rng, side) for i in chosen]
            yield collate(examples, (window[0], window[1]))


def collate(examples: list[Example], window: tuple[int, int]) -> dict[str, torch.Tensor]:
    """A batch of examples of one side as tensors, dtypes kept; source and target cut to a window of the layer.

    Args:
        examples: of one side.
        window: first column and row, cells of the layer; it is CELLS wide and high.
    """
    names = ("source", "target", "crop", "request", "masks", "look_away", "words", "classes")
    batch = {n: np.stack([getattr(e, n) for e in examples]) for n in names}
    step = batch["source"].shape[1] // LAYER_SIZE
    x0, y0, size = window[0] * step, window[1] * step, CELLS * step
    for name in ("source", "target"):
        batch[name] = np.ascontiguousarray(batch[name][:, y0 : y0 + size, x0 : x0 + size])
    batch["window"] = np.array(window)
    return {n: torch.from_numpy(values) for n, values in batch.items()}
