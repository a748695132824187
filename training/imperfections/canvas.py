"""The clean face that imperfections are painted on, the marks that come back, and how both make a picture.

Everything is in sRGB code values 0..1. A multiplicative field on code values is a multiplicative field on light:
with the power law of sRGB a gain of ``exp(-d)`` on codes is ``exp(-2.2 d)`` on light, so optical density adds up
and pores stay visible under pigment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.plan import CATEGORIES, REGIONS, Category, Region

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels, x0 <= x < x1."""

_COARSE = 64
"""Side of the coarse maps that placement and local skin colour are read from, cells."""
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_RIGHT_OUTER, _LEFT_OUTER = 33, 263


@dataclass(eq=False)
class Canvas:
    """A clean aligned face: what painters may look at. Never written to."""

    rgb: NDArray[np.float32]
    """(R, R, 3) sRGB 0..1, R from 384 to 768."""
    landmarks: NDArray[np.float32]
    """(478, 2) MediaPipe mesh points in pixels of `rgb`, pixel centres at whole numbers."""
    skin: NDArray[np.float32]
    """(R, R) 0..1, where skin may be painted: face and forehead without eyes, brows, lips, nostrils."""
    regions: NDArray[np.float32]
    """(12, n, n) weight 0..1 of each region of language.plan.Region; the map covers the canvas."""
    unit: float = field(default=0.0)
    """One hundredth of the distance between the outer eye corners, pixels; all sizes are told in it."""

    def __post_init__(self) -> None:
        if not self.unit:
            across = self.landmarks[_LEFT_OUTER] - self.landmarks[_RIGHT_OUTER]
            self.unit = float(np.hypot(across[0], across[1])) / 100.0

    @property
    def side(self) -> int:
        """R, pixels."""
        return int(self.rgb.shape[0])

    def clip(self, x0: float, y0: float, x1: float, y1: float) -> Box | None:
        """The whole-pixel box around a rectangle, cut to the canvas; None when nothing is left."""
        side = self.side
        box = (
            max(int(np.floor(x0)), 0),
            max(int(np.floor(y0)), 0),
            min(int(np.ceil(x1)) + 1, side),
            min(int(np.ceil(y1)) + 1, side),
        )
        return box if box[2] - box[0] > 1 and box[3] - box[1] > 1 else None

    def skin_in(self, box: Box) -> NDArray[np.float32]:
        """View of `skin` in a box."""
        return self.skin[box[1] : box[3], box[0] : box[2]]

    def region_at(self, x: float, y: float) -> Region:
        """The region with the greatest weight at a point; outside all of them, the nearest one."""
        return REGIONS[int(self.regions_at(np.array((x,)), np.array((y,)))[0])]

    def regions_at(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.intp]:
        """(N,) numbers of those regions in language.plan.REGIONS at many points."""
        n = self._home.shape[0]
        cols, rows = (
            np.clip(((v + 0.5) * n / self.side).astype(np.intp), 0, n - 1) for v in (x, y)
        )
        return self._home[rows, cols]

    @cached_property
    def _home(self) -> NDArray[np.intp]:
        """(n, n) number of the region of each cell; the blurred maps reach where no region does."""
        maps = np.ascontiguousarray(self.regions.transpose(1, 2, 0))
        wide = [
            cv2.GaussianBlur(maps[..., k : k + 4], (0, 0), 0.08 * maps.shape[0]) for k in (0, 4, 8)
        ]
        return np.asarray((maps + 0.02 * np.concatenate(wide, -1)).argmax(-1))

    @cached_property
    def coarse_skin(self) -> NDArray[np.float32]:
        """(64, 64) skin, area mean."""
        return cv2.resize(self.skin, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)

    @cached_property
    def _tone(self) -> NDArray[np.float32]:
        small = cv2.resize(self.rgb, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
        weight = self.coarse_skin**2 + 1e-4
        log = np.log(np.maximum(small, 0.01)) * weight[..., None]
        sigma = 6.0 * self.unit * _COARSE / self.side
        blurred = cv2.GaussianBlur(log, (0, 0), sigma)
        return np.exp(blurred / cv2.GaussianBlur(weight, (0, 0), sigma)[..., None])

    def tone_at(self, x: float, y: float) -> NDArray[np.float32]:
        """(3,) mean skin colour around a point, sRGB 0..1."""
        cell = np.clip((np.array((x, y)) * _COARSE / self.side).astype(int), 0, _COARSE - 1)
        tone: NDArray[np.float32] = self._tone[cell[1], cell[0]]
        return tone

    @cached_property
    def luma(self) -> float:
        """Mean luma of the skin, 0..1: about 0.25 for very dark, 0.75 for very light skin."""
        weight = self.coarse_skin
        small = cv2.resize(self.rgb, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA) @ _LUMA
        return float((small * weight).sum() / max(float(weight.sum()), 1e-3))

    @cached_property
    def light(self) -> tuple[float, float]:
        """Where the light comes from in the picture, a unit vector: from above, sideways as the cheeks tell."""
        right, left = self.landmarks[50], self.landmarks[280]
        sides = [float(np.log(self.tone_at(p[0], p[1]) @ _LUMA)) for p in (right, left)]
        x = float(np.clip((sides[1] - sides[0]) * 2.0, -0.8, 0.8))
        return x, -float(np.sqrt(1.0 - x * x))

    def place(
        self,
        rng: np.random.Generator,
        count: int,
        regions: Sequence[tuple[Region, float]] = (),
        apart: float = 4.0,
    ) -> list[tuple[float, float]]:
        """Up to `count` points on solid skin, `apart` units from one another.

        Args:
            regions: weights by region; regions that are not named get none. Empty: all skin alike.
        """
        weight = np.maximum(self.coarse_skin - 0.85, 0.0)
        if regions:
            named = sum(w * self.regions[REGIONS.index(r)] for r, w in regions)
            weight = weight * cv2.resize(np.asarray(named, np.float32), (_COARSE, _COARSE))
        total = np.cumsum(np.maximum(weight, 0.0))
        if total[-1] < 1e-6:
            return []
        cells = np.searchsorted(total, rng.random(count * 4) * total[-1])
        spots = np.stack((cells % _COARSE, cells // _COARSE), 1) + rng.random((count * 4, 2))
        chosen: list[tuple[float, float]] = []
        for x, y in spots * (self.side / _COARSE) - 0.5:
            if all(np.hypot(x - a, y - b) > apart * self.unit for a, b in chosen):
                chosen.append((float(x), float(y)))
            if len(chosen) == count:
                break
        return chosen


@dataclass(eq=False)
class Mark:
    """One painted imperfection: what `compose` does to the picture inside a box."""

    category: Category
    region: Region
    """The region that holds most of it."""
    x0: int
    y0: int
    x1: int
    y1: int
    gain: NDArray[np.float32]
    """(h, w, 3) factor on sRGB code values, 1 = nothing."""
    mask: NDArray[np.float32]
    """(h, w) coverage 0..1, 1 in the core."""
    add: NDArray[np.float32] | None = None
    """(h, w, 3) added after the gain (highlights), or None."""

    @property
    def box(self) -> Box:
        """x0, y0, x1, y1."""
        return self.x0, self.y0, self.x1, self.y1


def spread(cells: NDArray[np.float32], box: Box, side: int) -> NDArray[np.float32]:
    """A coarse (n, n) map that covers a `side` x `side` canvas, interpolated to the pixels of a box."""
    step = side / cells.shape[0]
    shift = (1.0 - step) / 2.0
    matrix = np.array(
        ((1.0 / step, 0, (box[0] + shift) / step), (0, 1.0 / step, (box[1] + shift) / step))
    )
    return cv2.warpAffine(
        cells,
        matrix,
        (box[2] - box[0], box[3] - box[1]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def compose(
    canvas: Canvas,
    marks: Sequence[Mark],
    amounts: Sequence[float | NDArray[np.float32]],
) -> NDArray[np.float32]:
    """The picture with each mark at its amount.

    All amounts 1 give the source of a training pair; amounts ``1 - request`` give its target.

    Args:
        marks: painted in this order.
        amounts: for each mark 0..1, or a coarse (n, n) map of that which covers the canvas (a request that ends
            inside the mark). 0 leaves the picture bit-exactly as it is.

    Returns:
        (R, R, 3) sRGB 0..1, a new array.
    """
    out = canvas.rgb.copy()
    for mark, amount in zip(marks, amounts, strict=True):
        patch = out[mark.y0 : mark.y1, mark.x0 : mark.x1]
        if isinstance(amount, np.ndarray):
            share = spread(amount, mark.box, canvas.side)[..., None]
            if not share.any():
                continue
            patch *= 1.0 + (mark.gain - 1.0) * share
            if mark.add is not None:
                patch += mark.add * share
        elif amount > 0.0:
            patch *= mark.gain if amount == 1.0 else 1.0 + (mark.gain - 1.0) * np.float32(amount)
            if mark.add is not None:
                patch += mark.add if amount == 1.0 else mark.add * np.float32(amount)
    return np.clip(out, 0.0, 1.0, out=out)


def category_masks(marks: Sequence[Mark], side: int, size: int) -> NDArray[np.float32]:
    """Ground truth by category: (17, size, size) maximum of the marks' masks, area mean over `side` / `size` px."""
    out = np.zeros((len(CATEGORIES), size, size), np.float32)
    for kind in {mark.category for mark in marks}:
        full = np.zeros((side, side), np.float32)
        for mark in marks:
            if mark.category is kind:
                patch = full[mark.y0 : mark.y1, mark.x0 : mark.x1]
                np.maximum(patch, mark.mask, out=patch)
        out[CATEGORIES.index(kind)] = cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA)
    return out
