"""Edits: edit layers as floats, how they are mixed, scaled and made visible. All in crop
coordinates.

A layer of side L covers the whole crop, so one layer pixel is CROP_SIZE / L crop pixels; edits of
one face have the same L. See engine.EditLayer for what the channels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    CHROMA_STEP,
    LAYER_SIZE,
    OFFSET_STEP,
    REQUEST_SIZE,
    EditLayer,
)

Plane = NDArray[np.float32]

FLATTEN, OFFSET, CB, CR = range(4)
"""Places of the channels in `Edit.shares`."""
FEATHER_PX = 8
"""Pixels of a layer of LAYER_SIZE over which the mask goes to 0 at the crop's edge."""
OVERLAY_CHROMA = 44.0
"""Full-range chroma codes that the overlay adds to Cb and Cr where the mask is 1: magenta."""

_STEPS = np.array([1 / 255, OFFSET_STEP, CHROMA_STEP, CHROMA_STEP], np.float32)[:, None, None]
_NEUTRAL = np.array([0, 128, 128, 128], np.float32)[:, None, None]
_TINT = np.array([0, 0, OVERLAY_CHROMA, OVERLAY_CHROMA], np.float32)[:, None, None]


@lru_cache(maxsize=2)
def _feather(side: int) -> Plane:
    """(side, side) over 255: 0 on the outermost layer pixels, 1 from FEATHER_PX inside them."""
    place = (np.arange(side) + 0.5) * (LAYER_SIZE / side) - 0.5
    ramp = np.clip(np.minimum(place, LAYER_SIZE - 1 - place) / FEATHER_PX, 0.0, 1.0)
    feather = np.minimum(ramp[:, None], ramp[None, :]).astype(np.float32)
    return np.asarray(feather / np.float32(255.0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """An edit layer in full-range BT.601 code values, ready to be mixed and pasted."""

    shares: NDArray[np.float32]
    """(4, L, L): M times flattening 1-g (0..1), M times offset o, cb, cr (code values): what an edit does is linear in
    them, so they, and not the layer's channels, are what is mixed and sampled."""
    mask: Plane
    """(L, L) M, 0..1, 0 on the outermost pixels: where the edit acts."""
    skin_luma: float
    """mu, 0..255."""
    texture: Plane
    """(REQUEST_SIZE, REQUEST_SIZE) standard deviation of the skin's fine luma texture, code
    values, over the whole crop: what flattening is to leave."""


def edit_of(layer: EditLayer, texture: Plane | None = None) -> Edit:
    """The layer as floats, its mask feathered at the crop's edge; without `texture` none is spared."""
    mask = layer.mask * _feather(layer.mask.shape[0])
    return Edit(
        shares=(layer.codes - _NEUTRAL) * _STEPS * mask,
        mask=mask,
        skin_luma=float(layer.skin_luma),
        texture=np.zeros((REQUEST_SIZE, REQUEST_SIZE), np.float32) if texture is None else texture,
    )


def scaled(edit: Edit, weight: float) -> Edit:
    """The edit times `weight` (0..1)."""
    if weight == 1.0:
        return edit
    share = np.float32(weight)
    return replace(edit, shares=edit.shares * share, mask=edit.mask * share)


def halved(edit: Edit) -> Edit:
    """The edit with a layer of half the side, each pixel doing what its four did on the average."""
    size = (edit.mask.shape[1] // 2, edit.mask.shape[0] // 2)
    mask, *shares = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (edit.mask, *edit.shares)
    )
    return replace(edit, shares=np.stack(shares), mask=mask)


def tinted(edit: Edit) -> Edit:
    """The edit with magenta wherever its mask is, to show where it acts."""
    return replace(edit, shares=edit.shares + _TINT * edit.mask)


def mixed(parts: Sequence[tuple[Edit, float]]) -> Edit | None:
    """One edit that does what all parts together do, each with its weight; None if that is nothing.

    The weights must not sum to more than 1.
    """
    parts = [(edit, weight) for edit, weight in parts if weight > 0.0]
    if not parts:
        return None
    if len(parts) == 1:
        return scaled(*parts[0])
    last = parts[-1][0]
    skin_luma = last.skin_luma
    mask, shares = np.zeros_like(last.mask), np.zeros_like(last.shares)
    texture = np.zeros((REQUEST_SIZE, REQUEST_SIZE), np.float32)
    for edit, weight in parts:
        share = np.float32(weight)
        mask += edit.mask * share
        shares += edit.shares * share
        # The mixed edit flattens towards one mu: the difference goes into the offset.
        shares[OFFSET] += edit.shares[FLATTEN] * share * np.float32(edit.skin_luma - skin_luma)
        texture += edit.texture * share
    return Edit(shares, mask, skin_luma, texture / np.float32(sum(w for _, w in parts)))
