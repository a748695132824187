"""Marks that a portrait has of its own, where `training.found_marks` found them, as marks that can be asked away.

The portrait without them is the canvas; what each does to it is the quotient of the two pictures. So they are treated
exactly as painted ones are, and an instruction may name or keep them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.plan import Category
from training.imperfections import Canvas, Mark

KINDS = (Category.PIMPLE, Category.ACNE, Category.SPOT, Category.MOLE)
"""What is taken over; maps of found marks number them from 1."""
_LOWEST, _HIGHEST = 0.15, 3.0


def own_marks(canvas: Canvas, rgb: NDArray[np.float32], found: NDArray[np.uint8]) -> list[Mark]:
    """One mark for each spot.

    Args:
        canvas: the face without them.
        rgb: (R, R, 3) sRGB 0..1, the face with them.
        found: (R, R) number of the kind, 0 where there is none.
    """
    marks = []
    for number, kind in enumerate(KINDS, 1):
        here = (found == number).astype(np.uint8)
        count, labels, boxes, centres = cv2.connectedComponentsWithStats(here, connectivity=8)
        for i in range(1, count):
            x, y, w, h = (int(v) for v in boxes[i][:4])
            box = canvas.clip(x - 2, y - 2, x + w + 2, y + h + 2)
            if box is None:
                continue
            inside = (slice(box[1], box[3]), slice(box[0], box[2]))
            mask = cv2.GaussianBlur((labels[inside] == i).astype(np.float32), (0, 0), 0.7)
            gain = rgb[inside] / np.maximum(canvas.rgb[inside], 1 / 255)
            gain = np.clip(gain, _LOWEST, _HIGHEST).astype(np.float32)
            region = canvas.region_at(float(centres[i][0]), float(centres[i][1]))
            marks.append(Mark(kind, region, *box, gain=gain, mask=np.asarray(mask, np.float32)))
    return marks
