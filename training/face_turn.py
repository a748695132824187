"""A portrait as the tracker would see it turned: a loose crop, its points, and which of them the
head itself hides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARK_CROP_SIZE, LANDMARKS
from stream_retouch.media.affine import Affine, compose, invert
from stream_retouch.media.loose_crop import LOOSE_POINTS, LOOSE_TO_CROP
from stream_retouch.media.regions import alignment
from training.face_motion import Expression
from training.face_relief import GRID, SOURCE_EYES_PX, STEP, Floats, Luma, Plane, Source

SIZE = LANDMARK_CROP_SIZE
Bools = NDArray[np.bool_]
_L = list(LANDMARKS)
_EYES = (LANDMARKS.index(33), LANDMARKS.index(263))
CROP_EYES_PX = float(np.hypot(*(LOOSE_POINTS[_EYES[1]] - LOOSE_POINTS[_EYES[0]])))
"""Distance of the outer eye corners in a crop."""
PIXELS: Floats = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float64)
"""(SIZE, SIZE, 2) crop pixels as (x, y)."""
_IN_FRONT = 0.1
"""In outer-eye distances: what is that much nearer to the camera hides a point."""
_DEPTH_STEPS = 64
"""A pixel, for sorting."""
_REFINEMENTS, _RELAXATION = 6, 0.6
_PIXELS, _FIRST = PIXELS.astype(np.float32), GRID[0, 0].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Turn:
    """How the head stands, and how far the crop is from where the tracker would put it."""

    yaw: float = 0.0
    """Degrees, as is `pitch`."""
    pitch: float = 0.0
    roll: float = 0.0
    """Degrees by which the crop is not upright."""
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """Of the face, crop pixels."""
    near: float = 0.0
    """How much nearer the camera is than the portrait's: the difference of the outer-eye distance over
    the distance to the camera. A webcam at half a metre comes to about 0.12."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A face in a crop."""

    luma: Luma
    """(SIZE, SIZE)."""
    mesh: Floats
    """(478, 2) crop pixels."""
    hidden: Bools
    """(K,) landmarks that the head hides from the camera."""

    @property
    def points(self) -> Floats:
        """(K, 2) landmarks in crop pixels."""
        return np.asarray(self.mesh[_L])


def render(
    source: Source,
    turn: Turn,
    expression: Expression | None = None,
    shape: Floats | None = None,
    mouth: tuple[float, float] = (30.0, 60.0),
) -> Rendered:
    """The portrait, moved and turned, in a loose crop.

    The relief's points are turned and drawn from back to front; each crop pixel then looks up the
    portrait where the relief that covers it came from. The mesh goes through the same turned relief.

    Args:
        source: the portrait.
        turn: how it stands.
        expression: of the face; None leaves it as it is.
        shape: (478, 3) added to the head, portrait pixels: another build of face, taken smoothly.
        mouth: luma of an opened mouth at the upper and at the lower lip.
    """
    flat = source.head[:, :2]
    if expression is not None:
        flat = expression.forward(source.mesh[:, :2]) - source.centre[:2]
    relief = np.dstack([GRID, source.relief])
    if shape is not None:
        relief = relief + _smooth(source.head[:, :2], shape)
    turned = relief @ _rotation(turn.yaw, turn.pitch).T
    projected = turned[..., :2] / (1 + turn.near * turned[..., 2:] / SOURCE_EYES_PX)
    to_crop = _placing(_at(projected, flat)[_L], turn)
    shown = _apply(to_crop, projected)
    mesh = _at(shown, flat)
    pixels, depth, covered = _seen(shown, turned[..., 2], source.solid, turn)
    own = _at(turned[..., 2], flat[_L])
    x, y = np.clip(np.rint(mesh[_L]), 0, SIZE - 1).astype(int).T
    hidden = covered[y, x] & (own > depth[y, x] + _IN_FRONT * SOURCE_EYES_PX)
    luma = _picture(source, pixels, covered, invert(to_crop), expression, mouth)
    return Rendered(luma, mesh, hidden)


def _seen(shown: Floats, depth: Floats, solid: Bools, turn: Turn) -> tuple[Plane, Plane, Bools]:
    """For each crop pixel the place on the relief seen there ((SIZE, SIZE, 2), from the centre), its
    depth, and whether any is."""
    x, y = np.moveaxis(np.rint(shown).astype(np.int32), -1, 0)
    inside = solid & (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
    # from the back to the front; whole numbers of 16 bits sort fastest
    order = np.argsort((depth[inside] * -_DEPTH_STEPS).astype(np.int16), kind="stable")
    values = np.dstack([GRID, depth, np.ones_like(depth)])[inside][order]
    seen = np.zeros((SIZE, SIZE, 4), np.float32)
    seen[y[inside][order], x[inside][order]] = values
    # what shows through between the points of something nearer is no longer seen
    front = np.where(seen[..., 3] > 0, seen[..., 2], np.float32(1e6))
    through = front > cv2.erode(front, np.ones((3, 3), np.uint8)) + _IN_FRONT * SOURCE_EYES_PX
    seen[through] = 0
    hit = seen[..., 3]
    around = cv2.GaussianBlur(seen, (5, 5), 0)
    closed = cv2.morphologyEx(hit, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
    filled = np.where(hit[..., None] > 0, seen, around / np.maximum(around[..., 3:], 1e-6))
    places = filled[..., :2]
    # from the nearest point of the relief to the place between points; the step also turns back
    back = SOURCE_EYES_PX / (turn.scale * CROP_EYES_PX) * _RELAXATION
    cos, sin = np.cos(np.radians(turn.roll)), np.sin(np.radians(turn.roll))
    step = (back * np.array([[cos, -sin], [sin, cos]])).astype(np.float32)
    field, border = shown.astype(np.float32), cv2.BORDER_REPLICATE
    for _ in range(_REFINEMENTS):
        where = (places - _FIRST) * np.float32(1 / STEP)
        lies = cv2.remap(field, where, None, cv2.INTER_LINEAR, borderMode=border)
        places = places + np.clip((_PIXELS - lies) @ step, -2, 2)
    return places, np.asarray(filled[..., 2], np.float32), closed


def _picture(
    source: Source,
    places: Plane,
    covered: Bools,
    to_head: Affine,
    expression: Expression | None,
    mouth: tuple[float, float],
) -> Luma:
    """The head where the relief covers the crop, and its own background around it."""
    where = places.reshape(-1, 2).astype(np.float64) + source.centre[:2]
    depths = np.full((SIZE, SIZE), np.nan)
    if expression is not None:
        depths = expression.mouth_depth(where).reshape(SIZE, SIZE)
        where = expression.backward(where)
    placed = where.reshape(SIZE, SIZE, 2).astype(np.float32)
    border = cv2.BORDER_REFLECT
    head = cv2.remap(source.luma, placed, None, cv2.INTER_LINEAR, borderMode=border)
    behind = (_apply(to_head, PIXELS) + source.centre[:2]).astype(np.float32)
    back = cv2.remap(source.background, behind, None, cv2.INTER_LINEAR, borderMode=border)
    alpha = cv2.GaussianBlur(covered.astype(np.float32), (3, 3), 0)
    luma = head * alpha + back * (1 - alpha)
    inside = np.isfinite(depths) & covered
    if inside.any():
        level = mouth[0] + (mouth[1] - mouth[0]) * np.where(inside, depths, 0.0)
        alpha = cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0)
        luma = luma * (1 - alpha) + level * alpha
    return np.asarray(np.clip(luma, 0, 255), np.uint8)


def _placing(points: Floats, turn: Turn) -> Affine:
    """(2, 3) that takes the turned head's pixels to the loose crop: the tracker's own alignment to
    its (K, 2) landmarks, then the turn's roll, scale and shift."""
    aligned = invert(compose(alignment(points), LOOSE_TO_CROP))
    middle = np.full(2, (SIZE - 1) / 2)
    cos, sin = np.cos(np.radians(turn.roll)), np.sin(np.radians(turn.roll))
    matrix = turn.scale * np.array([[cos, -sin], [sin, cos]])
    off = np.column_stack([matrix, middle + np.asarray(turn.shift) - matrix @ middle])
    return compose(off, aligned)


def _at(field: Floats, places: NDArray[np.floating]) -> Floats:
    """The (h, w) or (h, w, C) field over GRID, read at (..., 2) places by bilinear interpolation."""
    where = ((places - GRID[0, 0]) / STEP).astype(np.float32)
    where = where.reshape(-1, 1, 2) if where.ndim == 2 else where
    values = cv2.remap(
        field.astype(np.float32), where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(values[:, 0] if places.ndim == 2 else values, np.float64)


def _smooth(places: Floats, values: Floats) -> Floats:
    """(h, w, C) the cubic in x and y that comes nearest to (N, C) values at (N, 2) places."""
    found = np.linalg.lstsq(_terms(places), values, rcond=None)[0]
    return np.asarray(_GRID_TERMS @ found)


def _terms(places: Floats) -> Floats:
    x, y = np.moveaxis(np.clip(places / (1.1 * SOURCE_EYES_PX), -1, 1), -1, 0)
    return np.stack(
        [np.ones_like(x), x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], -1
    )


def _rotation(yaw: float, pitch: float) -> Floats:
    """(3, 3) from angles in degrees: pitch about x first, then yaw about y."""
    (cy, cp), (sy, sp) = np.cos(r := np.radians([yaw, pitch])), np.sin(r)
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.asarray(about_y @ about_x)


def _apply(transform: Affine, points: Floats) -> Floats:
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])


_GRID_TERMS = _terms(GRID)
