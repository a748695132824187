"""How well a network retouches persons it is not trained on: painted with fixed seeds, pasted near native resolution.

Small enough to be measured at every save. The figures are those of `benchmarks.quality` (which goes through the frame
path that serves, with the held-out persons), on the aligned face: RGB code values after 4:2:0, pooled over all
scenes. *Asked* is the greatest channel of |source - target|, *painted* that of |source - clean|.

* ``masked_psnr_gain_db``: PSNR to the target where more than 8 was asked, over doing nothing.
* ``clean_psnr_db``: PSNR to the source on skin where at most 1 was asked and painted.
* ``named_removed``: 1 - sum|out - target| / sum|source - target| where more than 8 was asked; ``by_kind`` the same
  over the pixels of each painted kind, ``worst_kind_removed`` the least of them.
* ``unnamed_changed``: sum|out - source| / sum|source - clean| where more than 8 was painted and at most 1 asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from engines.retouchgpt.model import RetouchGPT
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.language.plan import CATEGORIES, amounts, request_map
from stream_retouch.media.regions import face_maps
from stream_retouch.media.skin import skin_evidence
from training.examples import TOLD_APART, Example, asked_of, cut, paintable
from training.imperfections import Canvas, category_masks, compose, paint_face
from training.paste import Planes, applied, with_texture
from training.plans import random_plan
from training.portrait_cache import CachedPortrait, PortraitCache

KINDS_A_FACE = 5
_SEED = 20270111
_SAME = 1.0
_COVERED = 0.3

Where = NDArray[np.bool_]
Rgb = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One painted face and what was asked."""

    example: Example
    clean: NDArray[np.uint8]
    """(R, R, 3) RGB without marks."""
    skin: Where
    """(R, R)."""
    kinds: dict[str, Where]
    """(R, R) where each painted kind lies."""


def painted_scenes(cache: PortraitCache, count: int, crop_size: int = CROP_SIZE) -> list[Scene]:
    """`count` scenes of the cache's validation portraits, always the same; none if it has none."""
    chosen = cache.validation
    return [
        _painted(cache[chosen[i % len(chosen)]], np.random.default_rng((_SEED, i)), crop_size)
        for i in range(count if chosen else 0)
    ]


def _painted(portrait: CachedPortrait, rng: np.random.Generator, crop_size: int) -> Scene:
    layer = crop_size // 2
    side = layer * max(2, round(portrait.crop_side / layer))
    face = cut(portrait, side)
    picture, points, skin = face.picture, face.points, face.skin
    landmarks = points[list(LANDMARKS)] * (CROP_SIZE / side)
    evidence = skin_evidence(picture, landmarks)
    maps = face_maps(landmarks, evidence)
    where = paintable(skin, maps.regions, evidence, landmarks)
    canvas = Canvas(picture.astype(np.float32) / 255.0, points, where, maps.regions)
    drawn = rng.choice(len(CATEGORIES), KINDS_A_FACE, replace=False)
    marks = paint_face(canvas, rng, [CATEGORIES[i] for i in sorted(drawn)])
    painted = [c for c in CATEGORIES if any(m.category is c for m in marks)]
    plan = random_plan(rng, painted)
    request = request_map(amounts(plan), maps.regions, maps.uncut)
    left = [1.0 - request[CATEGORIES.index(m.category)] for m in marks]
    source, target = (
        np.rint(compose(canvas, marks, shares) * 255).astype(np.uint8)
        for shares in ([1.0] * len(marks), [s if s.min() < 1 else 1.0 for s in left])
    )
    cover = category_masks(marks, side, side)
    masks = category_masks(marks, side, layer)
    return Scene(
        asked_of(
            source,
            target,
            plan,
            request,
            masks,
            face.may_be_real,
            maps.regions.max(0),
            crop_size,
        ),
        picture,
        skin > 0.5,
        {c.value: cover[CATEGORIES.index(c)] > _COVERED for c in painted},
    )


@dataclass(slots=True)
class Sums:
    """Pooled sums of errors; each pair is what is over what there was, or squares over their number."""

    masked: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    nothing: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    clean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    named: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    unnamed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    kinds: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, scene: Scene, out: Rgb) -> None:
        """One scene and what the network made of its source, RGB code values."""
        example = scene.example
        clean, source, target = (seen(p) for p in (scene.clean, example.source, example.target))
        asked, painted = np.abs(source - target).max(-1), np.abs(source - clean).max(-1)
        wanted = asked > TOLD_APART
        still = scene.skin & (asked <= _SAME) & (painted <= _SAME)
        unnamed = (painted > TOLD_APART) & (asked <= _SAME)
        self.masked += _squares(out - target, wanted)
        self.nothing += _squares(source - target, wanted)
        self.clean += _squares(out - source, still)
        self.named += _shares(out - target, source - target, wanted)
        self.unnamed += _shares(out - source, source - clean, unnamed)
        for kind, where in scene.kinds.items():
            sums = self.kinds.setdefault(kind, np.zeros(2))
            sums += _shares(out - target, source - target, wanted & where)

    def figures(self) -> dict[str, Any]:
        """The figures, rounded; those of which there was nothing are left out."""
        kinds = {
            k: round(float(1 - s[0] / s[1]), 3) for k, s in sorted(self.kinds.items()) if s[1] > 0
        }
        found: dict[str, Any] = {}
        if self.named[1] > 0:
            found["masked_psnr_gain_db"] = round(_psnr(self.masked) - _psnr(self.nothing), 2)
            found["named_removed"] = round(float(1 - self.named[0] / self.named[1]), 3)
        if self.clean[1] > 0:
            found["clean_psnr_db"] = round(_psnr(self.clean), 2)
        if self.unnamed[1] > 0:
            found["unnamed_changed"] = round(float(self.unnamed[0] / self.unnamed[1]), 3)
        if kinds:
            found |= {"worst_kind_removed": min(kinds.values()), "by_kind": kinds}
        return found


def measure(model: RetouchGPT, scenes: Sequence[Scene]) -> dict[str, Any]:
    """The figures of a network in eval mode on scenes of its crop size."""
    sums = Sums()
    for scene in scenes:
        sums.add(scene, retouched(model, scene.example))
    return sums.figures()


@torch.no_grad()
def retouched(model: RetouchGPT, example: Example) -> Rgb:
    """What the network makes of the example's source at its resolution: (R, R, 3) RGB code values after 4:2:0."""
    device = next(model.parameters()).device
    given = [torch.from_numpy(a)[None].to(device) for a in (example.request, example.words)]
    crop = torch.from_numpy(example.crop)[None].to(device).permute(0, 3, 1, 2).float() / 255.0
    out, _ = model(crop, *given, torch.ones(1, device=device))
    step = example.source.shape[0] // out.mask.shape[-1]
    texture = torch.from_numpy(example.texture)[None].to(device)
    both = with_texture(out.layer, out.mask, texture)
    up = F.interpolate(both, scale_factor=float(step), mode="bilinear", align_corners=False)
    return _codes(applied(_planes(example.source, device), up, out.skin_luma, step))


def _planes(picture: NDArray[np.uint8], device: torch.device) -> Planes:
    return Planes.of(torch.from_numpy(picture)[None].to(device).permute(0, 3, 1, 2).float() / 255)


def _codes(planes: Planes) -> Rgb:
    side = planes.y.shape[-1]
    rgb = planes.rgb((0, 0, side, side))[0].permute(1, 2, 0).clamp(0, 1) * 255
    return np.asarray(rgb.cpu().numpy(), np.float32)


def seen(picture: NDArray[np.uint8]) -> Rgb:
    """A picture after 4:2:0, so that halved chroma is nobody's fault."""
    return _codes(_planes(picture, torch.device("cpu")))


def _squares(error: Rgb, where: Where) -> NDArray[np.float64]:
    return np.array((float(np.square(error[where]).sum()), 3.0 * float(where.sum())))


def _shares(error: Rgb, there: Rgb, where: Where) -> NDArray[np.float64]:
    return np.array((float(np.abs(error[where]).sum()), float(np.abs(there[where]).sum())))


def _psnr(squares: NDArray[np.float64]) -> float:
    return float(min(99.0, 10 * np.log10(255.0**2 * max(squares[1], 1.0) / max(squares[0], 1e-9))))
