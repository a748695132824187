"""What painters share: blobs, strokes along curves, and the step from a density field to a Mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.plan import Category, Region
from training.imperfections.canvas import Box, Canvas, Mark
from training.imperfections.noise import ribbon, smoothstep

_LENS = 0.2
"""Blur of the camera that took the portraits, standard deviation in units: about half of its own pixels."""
_SMALL = 120 * 120
"""Marks with more pixels than this are smooth by themselves."""

_ANGLES = 256
_HARMONICS = np.outer((2, 3, 4, 5), np.arange(_ANGLES) * (2 * np.pi / _ANGLES))
_HARMONIC_SIZES = 2.0 / np.array((2, 3, 4, 5))
"""An outline is a circle with four harmonics, tabled over the angle (negative angles count from the table's end)."""

Point = tuple[float, float] | NDArray[np.floating]


@dataclass(eq=False)
class Blob:
    """An irregular round outline: distances in it are told in its own radius."""

    box: Box
    rho: NDArray[np.float32]
    """(h, w) distance from the centre over the outline's radius in that direction: 1 on the outline."""
    x: NDArray[np.float32]
    """(1, w) pixels right of the centre over the mean radius."""
    y: NDArray[np.float32]
    """(h, 1) pixels below the centre over the mean radius."""


def blob(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: Point,
    radius: float,
    *,
    reach: float = 2.0,
    uneven: float = 0.08,
    aspect: float = 0.8,
    angle: float | None = None,
) -> Blob | None:
    """An outline around `centre`, mean radius in pixels, in a box of `reach` radii; None off the canvas."""
    cx, cy = float(centre[0]), float(centre[1])
    far = radius * reach
    box = canvas.clip(cx - far, cy - far, cx + far, cy + far)
    if box is None:
        return None
    x = ((np.arange(box[0], box[2], dtype=np.float32) - cx) / radius)[None, :]
    y = ((np.arange(box[1], box[3], dtype=np.float32) - cy) / radius)[:, None]
    turn = rng.uniform(0, np.pi) if angle is None else angle
    c, s = np.cos(turn), np.sin(turn)
    wide = 1.0 / np.sqrt(aspect)
    rho = np.hypot((c * x + s * y) / wide, (c * y - s * x) * wide)
    sizes = uneven * rng.normal(size=4) * _HARMONIC_SIZES
    waves = np.cos(_HARMONICS + rng.uniform(0, 2 * np.pi, (4, 1)))
    outline = np.maximum(1.0 + sizes @ waves, 0.4).astype(np.float32)
    turn_of = (np.arctan2(y, x) * np.float32(_ANGLES / (2 * np.pi))).astype(np.intp)
    return Blob(box, rho / outline[turn_of], x, y)


@dataclass(eq=False)
class Stroke:
    """A box with curve coordinates: how far along, how far beside."""

    box: Box
    along: NDArray[np.float32]
    """(h, w) 0 at the start, 1 at the end of the curve; beyond both it goes on."""
    beside: NDArray[np.float32]
    """(h, w) signed distance in pixels; positive to the right-hand side when walking along it in the picture (x
    right, y down), so below a curve drawn from left to right."""
    length: float
    """Chord length, pixels."""

    def profile(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h, w) values given at even steps along the curve, interpolated; the ends are held."""
        place = np.clip(self.along, 0.0, 1.0) * np.float32(values.size - 1)
        low = np.minimum(place.astype(np.int32), values.size - 2)
        base = values[low]
        return base + (values[low + 1] - base) * (place - low)


def stroke(
    canvas: Canvas,
    points: Sequence[Point],
    margin: float,
    wobble: NDArray[np.float32] | None = None,
) -> Stroke | None:
    """Curve coordinates around a smooth curve through `points` that does not turn by more than about a right angle.

    Args:
        margin: pixels of room around the curve.
        wobble: (64,) further sideways shift along the curve, pixels.
    """
    knots = np.asarray([(float(p[0]), float(p[1])) for p in points], np.float64)
    chord = knots[-1] - knots[0]
    length = float(np.hypot(*chord))
    if length < 1.0:
        return None
    ex, ey = chord / length
    rel = knots - knots[0]
    u = rel @ (ex, ey) / length
    v = rel @ (-ey, ex)
    even = np.linspace(0.0, 1.0, 64)
    order = np.argsort(u)
    if len(knots) == 3:
        # The parabola through both ends and the middle knot.
        side = v[1] * even * (1.0 - even) / max(float(u[1] * (1.0 - u[1])), 0.05)
    else:
        side = np.interp(even, u[order], v[order])
    if len(knots) > 3:
        side = cv2.GaussianBlur(side[None], (0, 0), 3.0, borderType=cv2.BORDER_REPLICATE)[0]
        side += np.interp(even, (0, 1), (-side[0], v[order][-1] - side[-1]))
    if wobble is not None:
        side = side + wobble
    path = knots[0] + np.outer(even * length, (ex, ey)) + np.outer(side, (-ey, ex))
    low, high = path.min(0) - margin, path.max(0) + margin
    box = canvas.clip(low[0], low[1], high[0], high[1])
    if box is None:
        return None
    x = np.arange(box[0], box[2], dtype=np.float32)[None, :] - np.float32(knots[0, 0])
    y = np.arange(box[1], box[3], dtype=np.float32)[:, None] - np.float32(knots[0, 1])
    along = (x * ex + y * ey).astype(np.float32) / np.float32(length)
    out = Stroke(box, along, np.empty_like(along), length)
    slope = np.gradient(side, length / 63.0)
    beside = (y * ex - x * ey) - out.profile(side.astype(np.float32))
    out.beside = (beside / out.profile(np.sqrt(1.0 + slope**2).astype(np.float32))).astype(
        np.float32
    )
    return out


def ends(along: NDArray[np.float32], taper: float) -> NDArray[np.float32]:
    """1 in the middle of a stroke, falling to 0 at both ends over the share `taper`."""
    return smoothstep(np.minimum(along, 1.0 - along) / np.float32(taper))


def furrow(
    path: Stroke,
    rng: np.random.Generator,
    width: float,
    taper: float = 0.3,
    uneven: float = 0.35,
    light: float = 1.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A crease in the skin: (shade, coverage), both (h, w).

    Shade 1 is the dark core; negative is the lit lip. Light falls from above, so the far lip (`beside` > 0 of a
    stroke drawn from left to right) catches it; `light` -1 turns that around, 0 lights both alike.
    """
    knots = max(int(path.length / max(6.0 * width, 8.0)), 3)
    depth = np.clip(1.0 + uneven * ribbon(rng, knots), 0.15, 1.5)
    thick = width * np.clip(1.0 + 0.25 * ribbon(rng, knots), 0.6, 1.6)
    strength = path.profile(depth.astype(np.float32)) * ends(path.along, taper)
    d = path.beside / path.profile(thick.astype(np.float32))
    core = np.exp(-0.5 * d * d)
    soft = 0.22 * np.exp(-0.5 * (d / 3.2) ** 2)
    low = np.exp(-0.5 * ((d - 2.6) / 1.5) ** 2)
    high = np.exp(-0.5 * ((d + 2.6) / 1.5) ** 2)
    rim = (0.22 + 0.12 * light) * low + (0.22 - 0.12 * light) * high
    coverage = smoothstep(1.35 * np.exp(-0.5 * (d / 1.7) ** 2)) * np.minimum(strength * 1.6, 1.0)
    return (core + soft - rim) * strength, coverage


class Sheet:
    """Collects shade from several strokes or blobs into one mark."""

    def __init__(self, canvas: Canvas, category: Category) -> None:
        self._canvas = canvas
        self._category = category
        self._parts: list[tuple[Box, NDArray[np.float32], NDArray[np.float32]]] = []

    def lay(self, box: Box, density: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
        """Adds (h, w) or (h, w, 3) density (log units, positive darkens) and its (h, w) coverage."""
        self._parts.append((box, density, mask))

    def mark(
        self,
        region: Region | None = None,
        colour: NDArray[np.float32] | None = None,
        add: NDArray[np.float32] | None = None,
        on_skin: bool = True,
    ) -> list[Mark]:
        """The mark in a list, or no mark when nothing was laid or nothing of it lies on skin.

        Args:
            region: None takes the region under the coverage's centre.
            colour: (3,) direction for densities without channels.
            add: (h, w, 3) highlight; only with a single part.
            on_skin: whether everything fades out where the canvas says there is no skin.
        """
        if not self._parts:
            return []
        canvas = self._canvas
        boxes = np.array([part[0] for part in self._parts])
        box: Box = (
            int(boxes[:, 0].min()),
            int(boxes[:, 1].min()),
            int(boxes[:, 2].max()),
            int(boxes[:, 3].max()),
        )
        shape = (box[3] - box[1], box[2] - box[0])
        flat = self._parts[0][1].ndim == 2
        if len(self._parts) == 1:
            _, density, mask = self._parts[0]
        else:
            density = np.zeros(shape if flat else (*shape, 3), np.float32)
            mask = np.zeros(shape, np.float32)
            for (x0, y0, x1, y1), part, cover in self._parts:
                rows, cols = slice(y0 - box[1], y1 - box[1]), slice(x0 - box[0], x1 - box[0])
                density[rows, cols] += part
                mask[rows, cols] = np.maximum(mask[rows, cols], cover)
        if on_skin:
            skin = canvas.skin_in(box)
            mask = mask * skin
            density = density * (skin if flat else skin[..., None])
            add = None if add is None else add * skin[..., None]
        if mask.max(initial=0.0) < 0.25:
            return []
        if mask.size < _SMALL:
            # No lens shows an edge as sharp as arithmetic draws it.
            density = cv2.GaussianBlur(density, (0, 0), _LENS * canvas.unit)
        if flat:
            colour = np.ones(3, np.float32) if colour is None else colour
            density = density[..., None] * colour
        gain = np.exp(-np.clip(density, -0.6, 2.5), dtype=np.float32)
        where = region or _region_under(canvas, box, mask)
        return [
            Mark(
                self._category,
                where,
                *box,
                gain=gain,
                mask=np.clip(mask, 0.0, 1.0).astype(np.float32),
                add=None if add is None else add.astype(np.float32),
            )
        ]


def _region_under(canvas: Canvas, box: Box, mask: NDArray[np.float32]) -> Region:
    total = float(mask.sum()) + 1e-6
    x = float((mask.sum(0) * np.arange(box[0], box[2])).sum()) / total
    y = float((mask.sum(1) * np.arange(box[1], box[3])).sum()) / total
    return canvas.region_at(x, y)


def dot(
    canvas: Canvas,
    category: Category,
    box: Box,
    density: NDArray[np.float32],
    mask: NDArray[np.float32],
    *,
    region: Region | None = None,
    colour: NDArray[np.float32] | None = None,
    add: NDArray[np.float32] | None = None,
    on_skin: bool = True,
) -> list[Mark]:
    """A mark of one part; see Sheet.mark."""
    sheet = Sheet(canvas, category)
    sheet.lay(box, density, mask)
    return sheet.mark(region, colour, add, on_skin)
