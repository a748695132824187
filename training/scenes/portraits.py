"""Portraits ready to be set into scenes: in several sizes, cut out, with the depth of the head around the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LANDMARKS
from stream_retouch.errors import MediaError
from training import splits
from training.portrait_cache import MESH_MIRROR
from training.scenes.scene import Floats, Picture, oval_size
from training.scenes.turn import depth_grid

LUMA_SIZES = (12.0, 24.0, 48.0, 96.0, 190.0)
COLOUR_SIZES = (20.0, 40.0, 80.0, 160.0, 320.0, 480.0)
"""Face sizes, in pixels, at which a portrait is kept."""
_CHEEKS = (50, 101, 205, 280, 330, 425, 151)
_MATTE_SIDE = 160


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A portrait at one size. A place of the head at unit coordinates u lies at pixel ``size * u + centre``."""

    picture: Picture
    """(H, W) luma or (H, W, 3) BGR. Sides and bottom go on beyond the portrait's own rim."""
    matte: Picture
    """(H, W) how much of each pixel is the person, 0..255."""
    size: float
    centre: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One person, in unit coordinates (1 = face size, 0 = mean landmark) and in pixels of several sizes."""

    levels: tuple[Level, ...]
    """Smallest first."""
    unit_mesh: Floats
    """(478, 3), z away from the camera."""
    depth: NDArray[np.float64]
    """(N, N) of the whole head, see ``turn.depth_grid``."""
    person: str
    skin: Floats
    """(3,) BGR; a grey in a luma portrait."""
    hair: Floats
    channels: int

    @property
    def picture(self) -> Picture:
        """(H, W, C), the largest size."""
        picture = self.levels[-1].picture
        return picture if picture.ndim == 3 else picture[:, :, None]

    @property
    def mesh(self) -> Floats:
        """(478, 3) in pixels of `picture`."""
        largest = self.levels[-1]
        return np.asarray(self.unit_mesh * largest.size + [*largest.centre, 0.0])

    @property
    def size(self) -> float:
        """Face size in pixels of `picture`."""
        return self.levels[-1].size

    def level(self, size: float) -> Level:
        """The smallest copy from which a face of this size can be drawn without blowing it up much."""
        return next((level for level in self.levels if level.size >= 0.85 * size), self.levels[-1])

    def mirrored_mesh(self) -> Floats:
        """(478, 3) unit mesh of the mirrored picture."""
        return np.asarray(self.unit_mesh[MESH_MIRROR] * [-1, 1, 1])


def load(
    shared: Path, heldout: bool, colour: bool, size_px: tuple[float, ...] | None = None
) -> list[Portrait]:
    """The held-out portraits, or all the others.

    Args:
        shared: the shared data folder, which holds ``faces/portraits``.
        colour: BGR, else luma.
        size_px: face sizes to keep, smallest first; fewer and smaller ones save memory.

    Raises:
        MediaError: a portrait is missing or no picture.
    """
    found = []
    for source in splits.portraits(shared, heldout):
        picture = cv2.imread(str(source.file), cv2.IMREAD_COLOR)
        if picture is None:
            raise MediaError(str(source.file), "no readable picture; copy the portraits again")
        bgr = np.asarray(picture, np.uint8)
        mesh = np.column_stack([source.landmarks, source.depth]).astype(np.float64)
        matte = cut_out(bgr, mesh[:, :2])
        if not colour:
            bgr = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        found.append(portrait_of(bgr, mesh, source.person_id, matte, size_px))
    return found


def portrait_of(
    picture: Picture,
    mesh: Floats,
    person: str,
    matte: Picture | None = None,
    size_px: tuple[float, ...] | None = None,
) -> Portrait:
    """A portrait from (H, W) luma or (H, W, 3) BGR and its (478, 3) mesh in pixels.

    Args:
        matte: (H, W) 0..255, how much of each pixel is the person; by default a drawn head and shoulders.
    """
    channels = 1 if picture.ndim == 2 else 3
    points = mesh[list(LANDMARKS), :2]
    size, middle = oval_size(points, 0.0), points.mean(axis=0)
    centre = np.array([*middle, mesh[list(LANDMARKS), 2].mean()])
    unit = (mesh - centre) / size
    if matte is None:
        matte = _drawn_matte(picture.shape[:2], mesh[:, :2])
    picture, matte, left = _padded(picture, _without_sides(matte), mesh[list(FACE_OVAL), :2])
    wanted = size_px or (LUMA_SIZES if channels == 1 else COLOUR_SIZES)
    levels = []
    for target in wanted:
        scale = min(target / size, 1.0)
        shape = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
        small = np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), np.uint8)
        small_matte = np.asarray(cv2.resize(matte, shape, interpolation=cv2.INTER_AREA), np.uint8)
        ratio = np.array([shape[0] / picture.shape[1], shape[1] / picture.shape[0]])
        at = (middle + [left + 0.5, 0.5]) * ratio - 0.5
        levels.append(Level(small, small_matte, size * float(np.sqrt(ratio.prod())), at))
    largest = levels[min(2, len(levels) - 1)]
    skin = _colour(largest, unit[list(_CHEEKS), :2])
    hair = _colour(largest, unit[[10], :2] + np.array([[x, -0.16] for x in (-0.15, 0.0, 0.15)]))
    return Portrait(tuple(levels), unit, depth_grid(unit), person, skin, hair, channels)


def cut_out(bgr: Picture, mesh: Floats) -> Picture:
    """(H, W) matte of the person, 0..255, found by GrabCut in a small copy.

    Rother et al. 2004; the oval is certain to be the person, the upper rim certain not to be.

    Args:
        mesh: (478, 2) in pixels of the picture.
    """
    height, width = bgr.shape[:2]
    scale = _MATTE_SIDE / max(height, width)
    small = np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    rows, columns = small.shape[:2]
    oval = mesh[list(FACE_OVAL)] * scale
    drawn = _drawn_matte((rows, columns), mesh * scale)
    labels = np.where(drawn > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    chin, side = int(oval[:, 1].max()), max(columns // 16, 1)
    labels[: rows // 40 + 1] = cv2.GC_BGD
    labels[:chin, :side] = labels[:chin, -side:] = cv2.GC_BGD
    cv2.fillPoly(labels, [np.rint(oval).astype(np.int32)], (cv2.GC_FGD,))
    neck = slice(int(oval[:, 0].mean()) - 2 * side, int(oval[:, 0].mean()) + 2 * side)
    labels[chin:, neck] = cv2.GC_FGD
    cv2.setRNGSeed(1)  # GrabCut's k-means draws from OpenCV's own generator
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, None, *models, 3, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    person = np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    person = np.asarray(cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    person = np.asarray(cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)))
    soft = cv2.resize(person, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), 0.7 / scale), np.uint8)


def _drawn_matte(shape: tuple[int, ...], mesh: Floats) -> Picture:
    """An oval that holds the hair too, and a torso below."""
    oval = mesh[list(FACE_OVAL)]
    middle, size = oval.mean(axis=0), np.ptp(oval, axis=0)
    matte = np.zeros(shape, np.uint8)
    head = middle + (oval - middle) * [1.22, 1.32] - [0, 0.06 * size[1]]
    cv2.fillPoly(matte, [np.rint(head).astype(np.int32)], (255,))
    x, y = middle
    across, down = size
    torso = [
        (x - 0.32 * across, y), (x + 0.32 * across, y), (x + 0.36 * across, y + 0.68 * down),
        (x + 1.05 * across, y + 0.9 * down), (x + 1.2 * across, y + 6 * down),
        (x - 1.2 * across, y + 6 * down), (x - 1.05 * across, y + 0.9 * down), (x - 0.36 * across, y + 0.68 * down),
    ]  # fmt: skip
    cv2.fillPoly(matte, [np.rint(torso).astype(np.int32)], (255,))
    return np.asarray(cv2.GaussianBlur(matte, (0, 0), max(float(across) / 40, 0.6)), np.uint8)


def _without_sides(matte: Picture) -> Picture:
    """Lets shoulders that the portrait cuts off end in a soft curve."""
    height, width = matte.shape
    across = np.abs(np.arange(width) / (width - 1) * 2 - 1)[None]
    down = np.arange(height)[:, None] / height
    end = 0.96 - 0.25 * np.clip((0.9 - down) / 0.3, 0, 1) ** 2
    keep = np.clip((end - across) / 0.04, 0, 1)
    keep[: height // 2] = np.clip((0.99 - across) / 0.04, 0, 1)
    return np.asarray(matte * keep).astype(np.uint8)


def _padded(picture: Picture, matte: Picture, oval: Floats) -> tuple[Picture, Picture, int]:
    """Picture and matte with more backdrop at the sides and more clothes below; and what was added at the left.

    The sides are mirrored, but never so far that the face would appear again.
    """
    height, width = matte.shape
    room = min(float(oval[:, 0].min()), width - 1 - float(oval[:, 0].max()), 0.24 * width)
    side = max(int(0.75 * room), 0)
    picture = np.asarray(
        cv2.copyMakeBorder(picture, 0, 0, side, side, cv2.BORDER_REFLECT_101), np.uint8
    )
    matte = np.asarray(
        cv2.copyMakeBorder(matte, 0, 0, side, side, cv2.BORDER_CONSTANT, value=(0,)), np.uint8
    )
    more, last = height // 3, np.ascontiguousarray(picture[-1:])
    rows = [last]
    for _ in range(more - 1):
        rows.append(np.asarray(cv2.GaussianBlur(rows[-1], (0, 0), 0.8), np.uint8))
    below = np.concatenate(rows).astype(np.float32)
    grain = np.random.default_rng(0).normal(0, 5, below.shape[:2]).astype(np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.8))
    below += grain if below.ndim == 2 else grain[:, :, None]
    picture = np.concatenate([picture, below.clip(0, 255).astype(np.uint8)])
    return picture, np.concatenate([matte, np.repeat(matte[-1:], more, axis=0)]), side


def _colour(level: Level, places: Floats) -> Floats:
    """(3,) BGR median of a few unit places."""
    at = np.rint(places * level.size + level.centre).astype(int)
    rows = at[:, 1].clip(0, level.matte.shape[0] - 1)
    columns = at[:, 0].clip(0, level.matte.shape[1] - 1)
    seen = np.median(level.picture[rows, columns].astype(np.float64), axis=0)
    return np.broadcast_to(seen, 3).copy()
