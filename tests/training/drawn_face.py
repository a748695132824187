"""A drawn face with a 3-D mesh, to make samples of. No person's."""

from __future__ import annotations

import cv2
import numpy as np

from stream_retouch.engine import FACE_OVAL, LANDMARKS, LEFT_EYE, LIPS, RIGHT_EYE
from stream_retouch.media.regions import CANONICAL_POINTS
from training.face_motion import INNER_LOWER_LIP, INNER_UPPER_LIP
from training.face_relief import Source

EYE_LUMA, FACE_LUMA = 40, 180


def drawn_source(seed: int) -> Source:
    """An ellipse with dark eyes and mouth; the mesh is the canonical face, bulging towards the
    camera."""
    rng = np.random.default_rng(seed)
    points = CANONICAL_POINTS * 0.72 + 30
    mesh = np.zeros((478, 3))
    mesh[:, :2] = points.mean(axis=0)
    mesh[list(LANDMARKS), :2] = points
    corners = mesh[[61, 291], :2]
    for lip in (INNER_UPPER_LIP, INNER_LOWER_LIP):
        share = np.linspace(0.05, 0.95, len(lip))[:, None]
        mesh[list(lip), :2] = corners[0] * (1 - share) + corners[1] * share
    away = mesh[:, :2] - points.mean(axis=0)
    mesh[:, 2] = 0.012 * (away**2).sum(axis=1) - 20
    luma = np.full((250, 250), rng.integers(20, 90), np.uint8)
    levels = ((FACE_OVAL, FACE_LUMA), (LEFT_EYE, EYE_LUMA), (RIGHT_EYE, EYE_LUMA), (LIPS, 90))
    for group, level in levels:
        cv2.fillPoly(luma, [np.rint(mesh[list(group), :2]).astype(np.int32)], level)
    return Source(np.asarray(cv2.GaussianBlur(luma, (0, 0), 1.0), np.uint8), mesh)
