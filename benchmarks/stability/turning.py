"""A portrait with a few painted moles, its head turning from side to side before a camera: frames and truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.pictures import to_frame
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import MediaError
from stream_retouch.media.regions import region_maps
from training.imperfections import Canvas, Mark, compose
from training.imperfections.anatomy import skin_of
from training.imperfections.mole import mole
from training.scenes.canvas import Canvas as Frame
from training.scenes.people import Pose, set_person
from training.scenes.portraits import Portrait as Head
from training.scenes.portraits import portrait_of
from training.splits import Portrait

WIDTH, HEIGHT, RATE = 1280, 720, 30
FACE_PX = 215.0
"""Root of width times height of the face's oval: about 250 px high."""
SWEEP_DEG, SWEEP_S = 20.0, 3.0
"""The yaw goes to and fro once in that time, up to 27 degrees a second."""
PLACES = (101, 330, 207, 427, 108, 337)
"""Mesh points of the moles: on both cheeks above and below, and on the forehead; 40 px and more apart."""
WINDOW = (300, 0, 980, 720)
"""The part of the frame that is drawn, x0, y0, x1, y1; around it is a grey wall."""
NOISE_CODES = 2.0
"""Standard deviation of the camera's noise."""

Bgr = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """One frame of the sweep."""

    frame: av.VideoFrame
    yaw_deg: float
    marks: NDArray[np.float64]
    """(N, 2) where the moles' mesh points went, frame pixels."""
    mark_luma: NDArray[np.float32] | None
    """(H, W) by how much the moles darken the frame, luma codes, as it is drawn without noise; None where nobody
    asked."""


def sweep(portrait: Portrait, seed: int, at_deg: float, near_deg: float) -> Iterator[Turned]:
    """The frames of one sweep; the truth of those whose yaw is `at_deg` to within `near_deg`, to either side."""
    clean, spotted, places = _spotted(portrait, seed)
    mesh = np.column_stack([portrait.landmarks, portrait.depth]).astype(np.float64)
    bare = portrait_of(clean, mesh, portrait.person_id, size_px=(FACE_PX,))
    head = portrait_of(spotted, mesh, portrait.person_id, size_px=(FACE_PX,))
    noise = _noise(seed)
    for number in range(round(SWEEP_S * RATE)):
        yaw = SWEEP_DEG * float(np.sin(2 * np.pi * number / (SWEEP_S * RATE)))
        picture, points = _drawn(head, yaw)
        darker = None
        if abs(abs(yaw) - at_deg) <= near_deg:
            darker = _luma(_drawn(bare, yaw)[0]) - _luma(picture)
        noisy = np.clip(cv2.add(picture.astype(np.int16), next(noise)), 0, 255).astype(np.uint8)
        frame = to_frame(np.asarray(cv2.cvtColor(noisy, cv2.COLOR_BGR2RGB), np.uint8))
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        yield Turned(frame, yaw, points[list(places)], darker)


def _noise(seed: int) -> Iterator[NDArray[np.int16]]:
    """(HEIGHT, WIDTH, 3) for one frame after the other: one field, shifted."""
    rng = np.random.default_rng((seed, 1))
    field = rng.standard_normal((HEIGHT + 64, WIDTH + 64, 3), np.float32) * NOISE_CODES
    whole = np.rint(field).astype(np.int16)
    while True:
        row, column = rng.integers(65, size=2)
        yield np.ascontiguousarray(whole[row : row + HEIGHT, column : column + WIDTH])


def _drawn(head: Head, yaw_deg: float) -> tuple[Bgr, NDArray[np.float64]]:
    """(HEIGHT, WIDTH, 3) with the person in the middle, and their (478, 2) mesh."""
    frame = Frame(np.full((HEIGHT, WIDTH, 3), 150, np.uint8))
    frame.window = WINDOW
    pose = Pose(WIDTH / 2 + 0.3, HEIGHT / 2 - 0.2, FACE_PX, yaw_deg=yaw_deg)
    cast = set_person(frame, head, pose, whole=True)
    return frame.picture, cast.mesh


def _luma(bgr: Bgr) -> NDArray[np.float32]:
    return np.asarray(bgr.astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32))


def _spotted(portrait: Portrait, seed: int) -> tuple[Bgr, Bgr, list[int]]:
    """The portrait, the same with moles at PLACES, and the places where one could be painted."""
    bgr = cv2.imread(str(portrait.file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(str(portrait.file), "no readable picture; copy the portraits again")
    side = min(bgr.shape[:2])
    middle = portrait.landmarks.mean(axis=0)
    x0, y0 = (
        int(np.clip(round(float(m) - side / 2), 0, n - side))
        for m, n in zip(middle, bgr.shape[1::-1], strict=True)
    )
    inside = (slice(y0, y0 + side), slice(x0, x0 + side))
    rgb = np.ascontiguousarray(bgr[inside][..., ::-1], np.uint8)
    points = portrait.landmarks - np.array((x0, y0), np.float32)
    regions = region_maps(points[list(LANDMARKS)] * (CROP_SIZE / side))
    canvas = Canvas(rgb.astype(np.float32) / 255.0, points, skin_of(rgb, points), regions)
    marks: list[Mark] = []
    places = []
    for place in PLACES:
        rng = np.random.default_rng((seed, place))
        painted = mole(canvas, rng, (float(points[place, 0]), float(points[place, 1])), 1.0)
        marks += painted
        places += [place] if painted else []
    spotted = bgr.copy()
    done = compose(canvas, marks, [1.0] * len(marks))
    spotted[inside] = np.rint(done * 255.0).astype(np.uint8)[..., ::-1]
    return np.asarray(bgr, np.uint8), np.asarray(spotted, np.uint8), places
