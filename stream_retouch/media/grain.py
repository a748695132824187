"""Grain: the fine texture that flattening takes away, put back as noise that moves with the face.

Where an edit flattens (1-g near 1) the pores go with the spot, and a bare patch shows. The noise is
one fixed tile in crop coordinates, so it sticks to the skin, and as strong as the texture of the
skin around that is left alone.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, REQUEST_SIZE
from stream_retouch.media.edits import FLATTEN, Edit

FINE_PX = 5
"""Texture is what differs from the mean of so many crop pixels a side."""
NEIGHBOURHOOD = 9
"""Cells a side over which the texture of the skin around is averaged."""
LEAST_FLATTENING = 0.02
"""Where M * (1-g) is nowhere more than this no grain is due."""
MOST_TEXTURE = 5.0
"""Code values: stubble and hair are no pattern for bare skin."""
MEASURE_AGAIN_S = 0.2
"""Between two measurements of a `Texture`."""
TILE_SIZE = 256
DENSE_FROM = 3.0
"""Frame pixels per crop pixel from which the noise is drawn twice as fine, so that it stays
fine."""


@lru_cache(maxsize=1)
def _tile() -> NDArray[np.float32]:
    """(TILE_SIZE, TILE_SIZE) noise, mean 0, standard deviation 1, in the band that FINE_PX sees.

    A little correlated, as skin seen through a lens is: pure white noise would shimmer when the
    face moves by fractions of a pixel.
    """
    white = np.random.default_rng(2025).standard_normal((TILE_SIZE, TILE_SIZE))
    wrapped = np.pad(white, 8, mode="wrap")
    fine = cv2.GaussianBlur(wrapped, (0, 0), 0.8) - cv2.blur(wrapped, (FINE_PX, FINE_PX))
    fine = fine[8:-8, 8:-8]
    tile: NDArray[np.float32] = ((fine - fine.mean()) / fine.std()).astype(np.float32)
    return tile


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
    flattening = float((edit.channels[FLATTEN] * edit.mask).max())
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


def grain_of(edit: Edit, scale: float) -> NDArray[np.float32] | None:
    """Noise over the crop as strong as the texture, full-range code values; None if none is due.

    (n, n) with n = CROP_SIZE, or twice that where a crop pixel is many frame pixels long. It is to
    be multiplied by M * (1-g) where it is pasted. `scale` is frame pixels per crop pixel.
    """
    if not edit.texture.any() or float(edit.channels[FLATTEN].max()) <= LEAST_FLATTENING:
        return None
    size = CROP_SIZE if scale < DENSE_FROM else 2 * CROP_SIZE
    repeats = -(-size // TILE_SIZE)
    noise = np.tile(_tile(), (repeats, repeats))[:size, :size]
    strength = cv2.resize(edit.texture, (size, size), interpolation=cv2.INTER_LINEAR)
    grain: NDArray[np.float32] = noise * strength
    return grain
