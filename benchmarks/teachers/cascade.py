"""OpenCV's Haar cascade (Viola and Jones 2001; ``haarcascade_frontalface_alt2.xml`` of Rainer Lienhart), as the product
used it before it had a finder of its own: luma at 320 columns with a border, windows from 24 px, two that agree.

OpenCV 5 comes without cascades; then there is no such row.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.matching import Spot
from benchmarks.teachers.boxes import BoxMapping
from stream_retouch.errors import MediaError

WIDTH = 320
BORDER = 0.06
"""Share of the width, repeated around the picture so that faces at its edge are found."""
SMALLEST, STEP, AGREE = 24, 1.2, 2
MAPPING = BoxMapping(down=0.092, scale=0.916)


class Cascade:
    """Frontal, upright faces of about a twelfth of the picture's width and more."""

    name = "cascade"

    def __init__(self, mapping: BoxMapping = MAPPING) -> None:
        self._mapping = mapping
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
        make = getattr(cv2, "CascadeClassifier", None)
        if make is None or not path.is_file():
            raise MediaError(str(path), "this OpenCV has no cascades; its row is left out")
        self._windows = make(str(path))

    def find(self, bgr: NDArray[np.uint8]) -> list[Spot]:
        """Faces in a (H, W, 3) BGR picture, by our oval."""
        luma = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
        shrink = min(1.0, WIDTH / luma.shape[1])
        size = round(luma.shape[1] * shrink), max(1, round(luma.shape[0] * shrink))
        small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        pad = round(BORDER * size[0])
        wide = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        windows = self._windows.detectMultiScale(
            wide, scaleFactor=STEP, minNeighbors=AGREE, minSize=(SMALLEST, SMALLEST)
        )
        return [
            self._mapping.spot(
                ((x - pad) / shrink, (y - pad) / shrink, width / shrink, height / shrink), None, 1.0
            )
            for x, y, width, height in np.reshape(np.asarray(windows, np.float64), (-1, 4)).tolist()
        ]
