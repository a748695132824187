"""Imperfections painted once on a face and carried along with its skin, frame by frame.

What is painted is not colours but a factor and an offset for each place of the aligned face in its first frame, so that
the skin's own texture, noise and changing light shine through. In later frames a thin-plate spline (Bookstein 1989)
from the points in that frame to those in the first says which place of the layer each pixel shows: smooth between the
points, so a mark moves, turns and stretches as the skin around it does. Pixels that nothing is painted on stay bit for
bit what they were. A hand before the face is painted on as if it were face, as in some of the sign-language clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.vfid.followed import Points, Sight
from benchmarks.vfid.pixels import Box, box_of, changed
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.language.plan import CATEGORIES, Category
from stream_retouch.media.affine import compose, crop_from_grid, invert, scale_of
from stream_retouch.media.frames import picture_of, take_crop
from stream_retouch.media.regions import into_crop, region_maps
from stream_retouch.media.skin import skin_evidence
from training.imperfections import Canvas, paint_face
from training.imperfections.anatomy import skin_of

Map = NDArray[np.float32]

KINDS = 6
"""Categories painted on a face."""
SIDES = (384, 768)
"""Least and greatest side of a painter's canvas, pixels."""
_NODES, _SPAN = 33, 1.25
"""Nodes a side at which the spline is evaluated, and how many crops wide they lie."""
_SPARSE = 3
"""Of an exact mesh every third point: one in 8 crop pixels is enough for a smooth spline."""
_ROOM = 12.0
"""How far skin may move in the crop from where it was in the first frame, crop pixels."""
_EXACT, _SEEN = 1e-5, 3e-3
"""How stiff the spline is: exact meshes are followed, the trembling of seen landmarks is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What is painted on one face."""

    gain: Map
    """(R, R, 3) factor on RGB values, 1 = nothing; R pixels cover the crop of the first frame."""
    add: Map | None
    """(R, R, 3) added after it, 0..1; None = nothing."""
    points: Points
    """(N, 2) where the points of the face lie, crop pixels."""
    reach: tuple[float, float, float, float]
    """x0, y0, x1, y1 of what is painted, crop pixels, with room for the skin to move."""
    kinds: tuple[Category, ...]


def kinds_of(number: int) -> tuple[Category, ...]:
    """The categories of the clip of that number: every category as often as the others."""
    step = [CATEGORIES[(KINDS * number + i) % len(CATEGORIES)] for i in range(KINDS)]
    return tuple(c for c in CATEGORIES if c in step)


def paint(frame: av.VideoFrame, sight: Sight, mesh: Points, number: int, seed: int = 1) -> Layer:
    """Paints on the face of a frame.

    Args:
        sight: the face in it.
        mesh: (478, 2) its mesh in crop pixels.
        number: of the clip; says what is painted.
    """
    native = scale_of(sight.transform) * CROP_SIZE
    side = int(np.clip(round(native / 64) * 64, *SIDES))
    rgb = take_crop(picture_of(frame), sight.transform, side)
    points = into_grid(mesh, side).astype(np.float32)
    landmarks = mesh[list(LANDMARKS)]
    small = cv2.resize(rgb, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    regions = region_maps(landmarks, skin_evidence(np.asarray(small, np.uint8), landmarks))
    canvas = Canvas(rgb.astype(np.float32) / 255.0, points, skin_of(rgb, points), regions)
    gain: Map = np.ones((side, side, 3), np.float32)
    add: Map = np.zeros((side, side, 3), np.float32)
    kinds = kinds_of(number)
    for mark in paint_face(canvas, np.random.default_rng((seed, number)), kinds):
        here = slice(mark.y0, mark.y1), slice(mark.x0, mark.x1)
        gain[here] *= mark.gain
        add[here] *= mark.gain
        if mark.add is not None:
            add[here] += mark.add
    if native < side / 1.25:  # a face smaller than the canvas: its pixels are means of the layer's
        shape = (max(round(native), 64),) * 2
        small_maps = (cv2.resize(m, shape, interpolation=cv2.INTER_AREA) for m in (gain, add))
        gain, add = (np.asarray(m, np.float32) for m in small_maps)
    at = into_crop(sight.points, sight.transform)
    marked = np.argwhere((gain != 1.0).any(-1) | (add != 0.0).any(-1)) * (CROP_SIZE / len(gain))
    low, high = (marked.min(0), marked.max(0)) if len(marked) else (np.zeros(2), np.zeros(2))
    reach = (low[1] - _ROOM, low[0] - _ROOM, high[1] + _ROOM, high[0] + _ROOM)
    return Layer(gain, add if add.any() else None, np.asarray(at), reach, kinds)


def into_grid(points: Points, side: int) -> Points:
    """Crop pixels as pixels of a grid of `side` that covers the crop."""
    to_grid = invert(crop_from_grid(side))
    return np.asarray(points @ to_grid[:, :2].T + to_grid[:, 2])


def with_marks(frame: av.VideoFrame, sight: Sight, layer: Layer) -> av.VideoFrame:
    """A new frame with the layer on the face."""
    box = box_of(sight.transform, frame, layer.reach)
    if box is None:
        return frame
    map_x, map_y = _places(sight, layer, box)
    gain = _sampled(layer.gain, map_x, map_y, 1.0)
    if layer.add is None:
        return changed(frame, box, lambda rgb: np.clip(rgb * gain, 0, 255))
    add = _sampled(layer.add, map_x, map_y, 0.0) * np.float32(255)
    return changed(frame, box, lambda rgb: np.clip(rgb * gain + add, 0, 255))


def _sampled(values: Map, map_x: Map, map_y: Map, beyond: float) -> Map:
    out = cv2.remap(
        values,
        map_x,
        map_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(beyond,) * 3,
    )
    return np.asarray(out, np.float32)


def _places(sight: Sight, layer: Layer, box: Box) -> tuple[Map, Map]:
    """For each pixel of the box the place of the layer that it shows, layer pixels."""
    exact = len(sight.points) > len(LANDMARKS)
    every = _SPARSE if exact else 1
    seen = into_crop(sight.points[::every], sight.transform)
    bend = Spline(seen, layer.points[::every] - seen, _EXACT if exact else _SEEN)
    axis = (np.arange(_NODES) / (_NODES - 1) * _SPAN + (1 - _SPAN) / 2) * CROP_SIZE
    nodes = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    shift = bend(nodes).reshape(_NODES, _NODES, 2).astype(np.float32)
    to_crop = invert(sight.transform)
    to_crop[:, 2] += to_crop[:, :2] @ np.array(box[:2], np.float64)
    # Only the shift, which varies slowly, goes through warpAffine: it places samples by 1/32 of a node.
    to_node = (to_crop - np.array((0, 0, axis[0]))) * ((_NODES - 1) / (_SPAN * CROP_SIZE))
    size = (box[2] - box[0], box[3] - box[1])
    shifts = cv2.warpAffine(
        shift,
        to_node,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    to_grid = invert(crop_from_grid(layer.gain.shape[0]))
    whole = compose(to_grid, to_crop).astype(np.float32)
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    scale = np.float32(to_grid[0, 0])
    map_x = shifts[..., 0] * scale + (whole[0, 0] * x + (whole[0, 1] * y + whole[0, 2]))
    map_y = shifts[..., 1] * scale + (whole[1, 0] * x + (whole[1, 1] * y + whole[1, 2]))
    return map_x, map_y


class Spline:
    """The thin-plate spline through values at points, the smoother the stiffer."""

    def __init__(self, points: Points, values: Points, stiffness: float) -> None:
        """`points` (N, 2) in crop pixels, `values` (N, D)."""
        self._points = points / CROP_SIZE
        n = len(points)
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = _kernel(self._points, self._points) + stiffness * np.eye(n)
        system[:n, n:] = np.column_stack((np.ones(n), self._points))
        system[n:, :n] = system[:n, n:].T
        right = np.concatenate((values, np.zeros((3, values.shape[1]))))
        self._weights = np.linalg.solve(system, right)

    def __call__(self, places: Points) -> Points:
        """(M, D) at (M, 2) places in crop pixels."""
        at = places / CROP_SIZE
        terms = np.column_stack((_kernel(at, self._points), np.ones(len(at)), at))
        return np.asarray(terms @ self._weights)


def _kernel(one: Points, other: Points) -> Points:
    """(M, N) r^2 log r."""
    squared = ((one[:, None] - other[None]) ** 2).sum(-1)
    return np.asarray(0.5 * squared * np.log(np.maximum(squared, 1e-12)))


def mean_mesh(meshes: Sequence[Points]) -> Points:
    """(478, 2) mean mesh in crop pixels, for faces of which only the landmarks are known."""
    return np.asarray(np.mean(meshes, axis=0))


def mesh_of(sight: Sight, mean: Points) -> Points:
    """(478, 2) mesh of a face in crop pixels: its own, or the mean one bent to its landmarks."""
    at = np.asarray(into_crop(sight.points, sight.transform))
    if len(at) > len(LANDMARKS):
        return at
    marks = mean[list(LANDMARKS)]
    mesh = np.asarray(mean + Spline(marks, at - marks, _SEEN)(mean))
    mesh[list(LANDMARKS)] = at
    return mesh
