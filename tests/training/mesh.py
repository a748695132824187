"""A made-up face mesh: the canonical landmarks and the further points that painters use. No person's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.media.regions import CANONICAL_POINTS

# Mesh points that painters use and that do not cross the seam, in canonical crop pixels.
MORE_POINTS = {
    8: (128, 91), 9: (128, 81), 22: (98, 114), 23: (91, 115), 24: (85, 114), 25: (76, 110), 26: (104, 112),
    36: (94, 145), 50: (73, 145), 57: (92, 185), 69: (92, 62), 92: (99, 172), 101: (89, 136), 104: (75, 66),
    110: (79, 113), 112: (109, 110), 118: (76, 128), 130: (74, 106), 151: (128, 62), 164: (128, 164),
    165: (106, 167), 167: (118, 164), 199: (128, 222), 200: (128, 213), 203: (99, 155), 205: (83, 154),
    206: (92, 162), 212: (85, 187), 216: (87, 173), 243: (111, 107), 252: (158, 114), 253: (165, 114),
    254: (171, 114), 255: (180, 110), 256: (152, 112), 266: (162, 145), 280: (183, 145), 287: (164, 185),
    299: (164, 62), 322: (157, 172), 330: (167, 136), 333: (181, 66), 339: (177, 113), 341: (147, 110),
    347: (180, 128), 359: (182, 106), 391: (150, 167), 393: (138, 164), 423: (157, 155), 425: (173, 154),
    426: (164, 162), 432: (171, 187), 436: (169, 173), 463: (145, 107),
}  # fmt: skip


def made_up_mesh(side: int, cover: float = 1.0) -> NDArray[np.float32]:
    """(478, 2) mesh in pixels of a `side` x `side` square that covers `cover` canonical crops."""
    mesh = np.full((478, 2), 128.0)
    mesh[list(LANDMARKS)] = CANONICAL_POINTS
    for index, point in MORE_POINTS.items():
        mesh[index] = point
    middle = (CROP_SIZE - 1) / 2
    return ((mesh - middle) * (side / cover / CROP_SIZE) + (side - 1) / 2).astype(np.float32)
