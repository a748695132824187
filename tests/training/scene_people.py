"""Made-up portraits to compose scenes of. No person's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LEFT_BROW, LEFT_EYE, LIPS, RIGHT_BROW, RIGHT_EYE
from tests.training.mesh import made_up_mesh
from training.scenes.portraits import Portrait, portrait_of

SIDE = 420
PATTERN = 250 / SIDE
"""Luma per pixel of the ramps."""


def mesh() -> NDArray[np.float64]:
    """(478, 3) in a SIDE x SIDE picture; the head bulges towards the camera."""
    flat = made_up_mesh(SIDE, cover=2.2).astype(np.float64)
    away = (flat - flat[list(FACE_OVAL)].mean(axis=0)) / SIDE
    return np.column_stack([flat, (4.5 * (away**2).sum(axis=1) - 0.12) * SIDE])


def drawn(seed: int, colour: bool) -> Portrait:
    """A face of few colours before a plain backdrop."""
    return portrait_of(picture(seed, colour), mesh(), f"drawn_{seed}")


def picture(seed: int, colour: bool) -> NDArray[np.uint8]:
    """(SIDE, SIDE) or (SIDE, SIDE, 3): of `drawn`."""
    rng, points = np.random.default_rng(seed), mesh()[:, :2]
    bgr = np.full((SIDE, SIDE, 3), rng.uniform(200, 240, 3), np.uint8)
    cv2.rectangle(bgr, (60, 330), (360, SIDE), (90, 60, 40), -1)
    cv2.rectangle(bgr, (170, 250), (250, 340), (110, 130, 180), -1)
    groups = (
        (FACE_OVAL, (140, 160, 215)),
        (LEFT_EYE, (60, 40, 40)),
        (RIGHT_EYE, (60, 40, 40)),
        (LEFT_BROW, (40, 50, 60)),
        (RIGHT_BROW, (40, 50, 60)),
        (LIPS, (90, 80, 190)),
    )
    for group, tone in groups:
        cv2.fillPoly(bgr, [np.rint(points[list(group)]).astype(np.int32)], tone)
    return np.asarray(bgr if colour else cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def ramp(axis: int) -> Portrait:
    """A luma portrait each pixel of which tells its own x (axis 0) or y (axis 1)."""
    along = np.rint(np.arange(SIDE) * PATTERN).astype(np.uint8)
    luma = np.tile(along[None], (SIDE, 1))
    whole = np.full((SIDE, SIDE), 255, np.uint8)
    luma = np.ascontiguousarray(luma if axis == 0 else luma.T)
    return portrait_of(luma, mesh(), "ramp", whole, (SIDE,))
