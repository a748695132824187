"""Sets a portrait into the frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import LANDMARKS
from training.scenes.canvas import Canvas, Cast, gained
from training.scenes.portraits import Level, Portrait
from training.scenes.scene import Floats, Picture
from training.scenes.turn import GRID, REACH, turn

_CELL = 2 * REACH / (GRID - 1)
_LANDMARKS = list(LANDMARKS)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where and how a person is set."""

    x: float
    y: float
    """Frame pixels of the mean landmark of the portrait as it was."""
    size: float
    """Face size of the portrait as it was, frame pixels."""
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    near: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Relight:
    """Light on one person."""

    gain: NDArray[np.float32]
    """(h, w), few cells, spread over the person's unit square."""
    gamma: float = 1.0


def set_person(
    canvas: Canvas,
    portrait: Portrait,
    pose: Pose,
    whole: bool = False,
    relight: Relight | None = None,
    level: Level | None = None,
) -> Cast:
    """Paints a person and returns them; the caller adds them to the canvas' cast if they have a face.

    Args:
        whole: the portrait with its backdrop, filling the canvas' window; else head and shoulders only.
        level: painted in place of the portrait's own copy (it has been tampered with).
    """
    x0, y0, x1, y1 = canvas.window
    mesh = portrait.mirrored_mesh() if pose.mirrored else portrait.unit_mesh
    depth = portrait.depth[:, ::-1] if pose.mirrored else portrait.depth
    turned = turn(mesh, depth, pose.yaw_deg, pose.pitch_deg, pose.near)
    angle = np.radians(pose.roll_deg)
    linear = pose.size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    to_frame = np.column_stack([linear, [pose.x, pose.y]])
    points = turned.points @ linear.T + [pose.x, pose.y]
    if not whole:
        corners = np.array([[-1.5, -1.25], [1.5, -1.25], [1.5, 2.1], [-1.5, 2.1]]) @ linear.T
        low = np.floor(corners.min(axis=0) + [pose.x, pose.y]).astype(int)
        high = np.ceil(corners.max(axis=0) + [pose.x, pose.y]).astype(int)
        x0, y0 = max(x0, int(low[0])), max(y0, int(low[1]))
        x1, y1 = min(x1, int(high[0])), min(y1, int(high[1]))
    shape = points[_LANDMARKS]
    inside = (np.rint(shape) >= [x0, y0]) & (np.rint(shape) < [x1, y1])
    cast = Cast(
        points, shape, turned.seen[_LANDMARKS] & inside.all(axis=1), to_frame, pose.size,
        *_own_angles(mesh, pose), portrait.person, portrait.skin, portrait.hair,
    )  # fmt: skip
    if x1 <= x0 or y1 <= y0:
        return cast
    source = level or portrait.level(pose.size)
    where = _where(turned.shift, to_frame, source, pose.mirrored, (x0, y0, x1, y1))
    patch = np.asarray(
        cv2.remap(source.picture, where, None, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE),
        np.uint8,
    )
    if relight is not None:
        patch = _relit(patch, relight, to_frame, (x0, y0))
    if whole:
        alpha = np.full(patch.shape[:2], 255, np.uint8)
    else:
        alpha = np.asarray(
            cv2.remap(source.matte, where, None, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE),
            np.uint8,
        )
    canvas.blend(patch, alpha, x0, y0)
    return cast


def _where(
    shift: NDArray[np.float32],
    to_frame: Floats,
    source: Level,
    mirrored: bool,
    box: tuple[int, int, int, int],
) -> NDArray[np.float32]:
    """(h, w, 2) the source pixel of each frame pixel of the box."""
    x0, y0, x1, y1 = box
    sign = np.array([-1.0 if mirrored else 1.0, 1.0])
    back = np.linalg.inv(to_frame[:, :2])
    grid = np.diag([1 / _CELL, 1 / _CELL])
    # warpAffine wants, for a frame pixel of the box, the node; unit = back @ (pixel - origin).
    node = grid @ back
    offset = grid @ (back @ ([x0, y0] - to_frame[:, 2]) + REACH)
    size = (x1 - x0, y1 - y0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    scaled = shift * (sign * source.size).astype(np.float32)
    where = np.asarray(
        cv2.warpAffine(
            scaled, np.column_stack([node, offset]), size, flags=flags, borderValue=(0, 0, 0, 0)
        ),
        np.float32,
    )
    straight = (sign * source.size)[:, None] * back
    start = straight @ ([x0, y0] - to_frame[:, 2]) + source.centre
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)
    for i in (0, 1):
        row = (x * np.float32(straight[i, 0]))[None]
        column = (y * np.float32(straight[i, 1]) + np.float32(start[i]))[:, None]
        where[:, :, i] += row + column
    return where


def _relit(patch: Picture, relight: Relight, to_frame: Floats, corner: tuple[int, int]) -> Picture:
    """The gain follows the head's square, +-1.2 face sizes, and is carried on around it."""
    back = np.linalg.inv(to_frame[:, :2])
    rows, columns = relight.gain.shape
    grid = np.diag([(columns - 1) / 2.4, (rows - 1) / 2.4])
    offset = grid @ (back @ (corner - to_frame[:, 2]) + 1.2)
    matrix = np.column_stack([grid @ back, offset])
    # Drawn at a quarter of the size: the gain is smooth and warping a float plane is slow.
    small = (patch.shape[1] // 4 + 1, patch.shape[0] // 4 + 1)
    matrix[:, 2] += matrix[:, :2] @ [1.5, 1.5]
    matrix[:, :2] *= 4
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gain = cv2.warpAffine(relight.gain, matrix, small, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    gain = cv2.resize(gain, (small[0] * 4, small[1] * 4), interpolation=cv2.INTER_LINEAR)
    gain = np.ascontiguousarray(gain[: patch.shape[0], : patch.shape[1]])
    if relight.gamma != 1:
        table = 255 * (np.arange(256) / 255) ** relight.gamma
        patch = np.asarray(cv2.LUT(patch, table.astype(np.uint8)), np.uint8)
    return gained(patch, np.asarray(gain, np.float32))


def _own_angles(unit_mesh: Floats, pose: Pose) -> tuple[float, float]:
    """Yaw and pitch, degrees: how the portrait was held plus how it was turned."""
    right, left = unit_mesh[234], unit_mesh[454]
    yaw = np.degrees(np.arctan2(right[2] - left[2], left[0] - right[0]))
    return float(yaw + pose.yaw_deg), float(pose.pitch_deg)
