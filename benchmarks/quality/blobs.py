"""Dark and red blobs on real skin: moles, spots, pimples, freckles, where nobody painted anything.

Differences of Gaussians of CIE L* (dark) and a* (red) at several scales, as Lowe (2004) finds key points. An answer
counts when it lies on skin that is not rough as beards and gloss are; when it stands well above the answers around it,
which pores and noise do not; when it is greatest in place and scale; and when it is round, not a line. What is not skin
is filled with the skin around it first, so that brows, lips and the rim of the face do not answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.pictures import Rgb

_SIGMAS = {"dark": (0.5, 0.75, 1.1, 1.6, 2.4), "red": (1.1, 1.6, 2.4)}
"""Scales, units: a blob's radius is about 1.4 times as much. A unit is a hundredth of the outer-eye distance."""
_FLOORS = {"dark": 1.5, "red": 1.1}
"""Least answer, L* and a*: fainter ones are hardly seen."""
_STANDS_OUT = 4.0
"""Least answer in spreads of the answers around it."""
_ROUND = 0.3
"""Least ratio of the curvatures along and across."""
_RATIO = 1.6
"""Of the two Gaussians."""
_RIM = 5.0
"""Skin so near to what is not skin is not looked at, units."""
_COARSE, _ROUGH = 0.8, 0.35
"""Detail above this quantile of the face's own is coarse. Where a greater share than the second of the ring around a
blob is coarse, there is stubble, hair or gloss, and it does not count."""
_RING = (2.2, 5.0)
"""The ring begins at so many radii of the blob and is so many units wide."""
_REACH = 1.5
"""Radius of a blob's disc in its sigmas."""

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob, in pixels of the square."""

    x: int
    y: int
    channel: str
    """``dark`` or ``red``."""
    scale: int
    """Index of its sigma."""
    radius_px: float


class Skin:
    """A face's square with its clear skin, in which blobs are found and measured."""

    def __init__(self, skin: Map, unit_px: float) -> None:
        """`skin` (R, R) 0..1; `unit_px` pixels that are a hundredth of the outer-eye distance."""
        self.unit_px = unit_px
        self.solid = (skin > 0.5).astype(np.float32)
        rim = 2 * round(_RIM * unit_px) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim))
        self.core: NDArray[np.bool_] = cv2.erode(self.solid, disc) > 0

    def answers(self, rgb: Rgb) -> dict[str, list[Map]]:
        """Differences of Gaussians of a picture (R, R, 3), by channel and scale: positive on dark or red blobs."""
        lab = cv2.cvtColor(rgb / np.float32(255.0), cv2.COLOR_RGB2LAB)
        found = {}
        for channel, plane in (("dark", -lab[..., 0]), ("red", lab[..., 1])):
            closed = self._closed(np.asarray(plane, np.float32))
            found[channel] = [
                cv2.GaussianBlur(closed, (0, 0), sigma * self.unit_px)
                - cv2.GaussianBlur(closed, (0, 0), _RATIO * sigma * self.unit_px)
                for sigma in _SIGMAS[channel]
            ]
        return found

    def find(self, rgb: Rgb) -> list[Blob]:
        """The blobs of a picture, those that stand out most first."""
        seen: list[tuple[float, Blob]] = []
        coarse = self._coarse(rgb)
        for channel, maps in self.answers(rgb).items():
            scores = np.stack([self._outstanding(m, channel) for m in maps])
            best = scores.max(0)
            peak = (best > _STANDS_OUT) & (best == cv2.dilate(best, np.ones((3, 3)))) & self.core
            for y, x in np.argwhere(peak):
                scale = int(scores[:, y, x].argmax())
                sigma = _SIGMAS[channel][scale] * self.unit_px
                if _roundness(maps[scale], int(x), int(y), sigma) >= _ROUND:
                    blob = Blob(int(x), int(y), channel, scale, _REACH * sigma)
                    if not self._is_rough(coarse, blob):
                        seen.append((float(best[y, x]), blob))
        seen.sort(key=lambda pair: -pair[0])
        return _apart([blob for _, blob in seen])

    def energy(self, rgb: Rgb, blobs: list[Blob]) -> float:
        """Mean squared answer over each blob's disc, at its own channel and scale, summed over the blobs.

        Squared, so that a blob that turned into a light or pale one counts as well; a mean, so that a wide faint one
        does not outweigh the moles.
        """
        maps = self.answers(rgb)
        total = 0.0
        for blob in blobs:
            inside, disc = _disc(blob.x, blob.y, blob.radius_px, self.solid.shape)
            total += float((maps[blob.channel][blob.scale][inside][disc] ** 2).mean())
        return total

    def clear(self, blobs: list[Blob]) -> NDArray[np.bool_]:
        """(R, R) skin away from its rim and from the blobs."""
        free = self.core.astype(np.uint8)
        for blob in blobs:
            cv2.circle(free, (blob.x, blob.y), round(2.0 * blob.radius_px), 0, -1)
        return free > 0

    def _coarse(self, rgb: Rgb) -> NDArray[np.bool_]:
        """(R, R) where fine detail of the luma is among the face's strongest."""
        luma = rgb @ _LUMA
        fine = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), self.unit_px))
        usual = float(np.quantile(fine[self.core], _COARSE)) if self.core.any() else 0.0
        return np.asarray(fine > usual)

    def _is_rough(self, coarse: NDArray[np.bool_], blob: Blob) -> bool:
        """Whether the skin around a blob is; the blob itself has no say."""
        inner = _RING[0] * blob.radius_px
        outer = inner + _RING[1] * self.unit_px
        window, near = _disc(blob.x, blob.y, outer, self.solid.shape)
        _, middle = _disc(blob.x, blob.y, inner, self.solid.shape, outer)
        ring = near & ~middle & (self.solid[window] > 0)
        return bool(ring.any()) and float(coarse[window][ring].mean()) > _ROUGH

    def _closed(self, plane: Map) -> Map:
        sigma = 4.0 * self.unit_px
        weight = cv2.GaussianBlur(self.solid, (0, 0), sigma) + 1e-3
        mean = cv2.GaussianBlur(plane * self.solid, (0, 0), sigma) / weight
        return np.asarray(np.where(self.solid > 0, plane, mean), np.float32)

    def _outstanding(self, answer: Map, channel: str) -> Map:
        """Answers in spreads of the answers about 12 units around, 0 below the floor.

        Spreads of clipped answers: the blobs themselves must not widen them.
        """
        inside = answer[self.core]
        if not inside.size:
            return np.zeros_like(answer)
        low, high = np.quantile(inside[:: max(inside.size // 20000, 1)], (0.05, 0.95))
        clipped = np.clip(answer, low, high) * self.solid
        size = (answer.shape[1] // 4, answer.shape[0] // 4)
        weight, mean, square = (
            cv2.GaussianBlur(
                cv2.resize(m, size, interpolation=cv2.INTER_AREA), (0, 0), 3.0 * self.unit_px
            )
            for m in (self.solid, clipped, clipped * clipped)
        )
        weight = weight + 1e-3
        spread = np.sqrt(np.maximum(square / weight - (mean / weight) ** 2, 0.0))
        floor = _FLOORS[channel]
        around = cv2.resize(np.maximum(spread, floor / _STANDS_OUT), answer.shape[::-1])
        return np.asarray(answer / around * (answer > floor), np.float32)


def _roundness(answer: Map, x: int, y: int, sigma: float) -> float:
    """Lesser over greater curvature of an answer at its peak, below 0 on a saddle."""
    step = max(1, round(0.7 * sigma))
    height, width = answer.shape
    if not (step <= x < width - step and step <= y < height - step):
        return -1.0
    a = answer[y - step : y + step + 1 : step, x - step : x + step + 1 : step].astype(np.float64)
    xx, yy = a[1, 0] - 2 * a[1, 1] + a[1, 2], a[0, 1] - 2 * a[1, 1] + a[2, 1]
    xy = (a[0, 0] + a[2, 2] - a[0, 2] - a[2, 0]) / 4
    middle, half = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
    return float((middle + half) / (middle - half)) if middle - half < 0 else -1.0


def _apart(blobs: list[Blob]) -> list[Blob]:
    """Without those whose middle lies inside one before them: a dark blob is often red too."""
    kept: list[Blob] = []
    for blob in blobs:
        if all(
            np.hypot(blob.x - k.x, blob.y - k.y) > max(blob.radius_px, k.radius_px) for k in kept
        ):
            kept.append(blob)
    return kept


def _disc(
    x: int, y: int, radius: float, shape: tuple[int, ...], reach: float | None = None
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """A window of `reach` (the radius, if not given) around a point, cut to the shape, and the disc in that window."""
    most = max(1, round(radius if reach is None else reach))
    y0, y1 = max(y - most, 0), min(y + most + 1, shape[0])
    x0, x1 = max(x - most, 0), min(x + most + 1, shape[1])
    ys, xs = np.mgrid[y0:y1, x0:x1]
    return (slice(y0, y1), slice(x0, x1)), (ys - y) ** 2 + (xs - x) ** 2 <= max(radius, 1.0) ** 2
