"""Texture: how strong the fine texture of the skin around an edit is, which the edit is to leave.

Where an edit flattens (1-g near 1) the pores would go with the spot, and a bare patch show. What a
pixel would change by no more than the texture around is strong is texture itself, and stays
(paste.py).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import REQUEST_SIZE
from stream_retouch.media.edits import FLATTEN, Edit

FINE_PX = 5
"""Texture is what differs from the mean of so many crop pixels a side."""
NEIGHBOURHOOD = 9
"""Cells a side over which the texture of the skin around is averaged."""
LEAST_FLATTENING = 0.02
"""Where M * (1-g) is nowhere more than this no texture is in danger."""
MOST_TEXTURE = 5.0
"""Code values: stubble and hair are no pattern for bare skin."""
MEASURE_AGAIN_S = 0.2
"""Between two measurements of a `Texture`."""


def texture_of(
    crop: NDArray[np.uint8], skin: NDArray[np.float32], edit: Edit
) -> NDArray[np.float32]:
    """How strong the fine luma texture of the unedited skin is around each place.

    Args:
        crop: (CROP_SIZE, CROP_SIZE, 3) RGB.
        skin: (REQUEST_SIZE, REQUEST_SIZE) 0..1, where skin is.
        edit: what will be changed in it; only what it leaves alone is measured.

    Returns:
        (REQUEST_SIZE, REQUEST_SIZE) standard deviation, full-range code values, as Edit.texture;
        all 0 where the edit flattens nothing or no skin is left alone.
    """
    cells = (REQUEST_SIZE, REQUEST_SIZE)
    flattening = float(edit.shares[FLATTEN].max())
    if flattening <= LEAST_FLATTENING:
        return np.zeros(cells, np.float32)
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = luma - cv2.blur(luma, (FINE_PX, FINE_PX))
    power = cv2.resize(fine * fine, cells, interpolation=cv2.INTER_AREA)
    left_alone = 1.0 - cv2.resize(edit.mask, cells, interpolation=cv2.INTER_AREA)
    weight = (skin * np.square(left_alone)).astype(np.float32)
    if float(weight.sum()) < 1.0:
        return np.zeros(cells, np.float32)
    # Creases and hair that run over the skin would count as texture: no cell counts for more than
    # four times the typical one.
    power = np.minimum(power, 4.0 * np.median(power[weight > 0.25 * weight.max()]))
    around = (NEIGHBOURHOOD, NEIGHBOURHOOD)
    overall = float((power * weight).sum() / weight.sum())
    near = cv2.blur((power * weight).astype(np.float32), around) + np.float32(0.02 * overall)
    mean = near / (cv2.blur(weight, around) + np.float32(0.02))
    texture: NDArray[np.float32] = np.minimum(np.sqrt(mean), MOST_TEXTURE).astype(np.float32)
    return texture


class Texture:
    """The texture around one face's edits over time: it changes slowly, so it is measured now and
    then. One thread at a time."""

    def __init__(self) -> None:
        self._texture: NDArray[np.float32] | None = None
        self._pts_s = 0.0

    def reset(self) -> None:
        """Forgets: another look leaves other skin alone."""
        self._texture = None

    def of(
        self, crop: NDArray[np.uint8], regions: NDArray[np.float32], edit: Edit, pts_s: float
    ) -> NDArray[np.float32]:
        """As `texture_of`, from this crop or from one less than MEASURE_AGAIN_S ago; `regions` are the
        face's maps, (12, REQUEST_SIZE, REQUEST_SIZE) 0..1."""
        recent = 0.0 <= pts_s - self._pts_s < MEASURE_AGAIN_S
        if self._texture is None or not recent or not self._texture.any():
            self._texture, self._pts_s = texture_of(crop, regions.max(axis=0), edit), pts_s
        return self._texture
