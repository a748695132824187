"""Pictures moved onto a square of another size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_HALVED_FROM = 1.5


def warped(rgb: NDArray[np.uint8], matrix: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """(side, side, 3) of a picture, halved by area first where it is to shrink much.

    Args:
        matrix: (2, 3) from pixels of the square to the picture's.
    """
    if float(np.hypot(matrix[0, 0], matrix[1, 0])) > _HALVED_FROM:
        half = cv2.resize(np.asarray(rgb), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        rgb, matrix = np.asarray(half, np.uint8), matrix * 0.5
        matrix[:, 2] -= 0.25
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT_101
    moved = cv2.warpAffine(rgb, matrix, (side, side), flags=flags, borderMode=border)
    return np.asarray(moved, np.uint8)
