"""Temporal smoothing of one face's edits, per pixel, in crop coordinates.

Crops are aligned, so what a pixel of the layer stands for is the same piece of skin in every frame.
Where the crop did not change, a change of the layer is flicker and is averaged away; where it did
(eyes, mouth, a hand, a turning head) the new layer counts at once.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.edits import Edit

LOOK_SIZE = 64
"""Side of the small luma in which crops are compared, pixels."""
STILL = 2.0
"""Luma codes by which small, blurred crops may differ and still count as unchanged: camera
noise."""
MOVED = 6.0
"""Luma codes from which they count as changed altogether."""
CUT = 30.0
"""Mean difference in luma codes from which it is another scene."""
TIME_CONSTANT_S = 0.15
"""Of the average where nothing changes."""
LONGEST_GAP_S = 0.5
"""After a longer pause there is nothing to continue."""

_LEAST_MASK = np.float32(1e-6)
_REACH = np.ones((5, 5), np.uint8)
"""Around a change, edges and shadows change too little to be seen: it counts for 2 small pixels."""


class LayerSmoother:
    """The average so far of one face. Not shared between threads."""

    def __init__(self) -> None:
        self._edit: Edit | None = None
        self._look: NDArray[np.float32] | None = None
        self._pts_s = 0.0

    def reset(self) -> None:
        """Forgets; the next edit passes as it is."""
        self._edit = None
        self._look = None

    def apply(self, edit: Edit, crop: NDArray[np.uint8], pts_s: float) -> Edit:
        """The smoothed edit.

        Args:
            edit: computed from `crop`.
            crop: (CROP_SIZE, CROP_SIZE, 3) RGB.
            pts_s: its time, seconds; steps may be of any length, a step back starts anew.
        """
        look = _look(crop)
        smoothed = edit
        passed_s = pts_s - self._pts_s
        if self._edit is not None and self._look is not None and 0.0 < passed_s <= LONGEST_GAP_S:
            difference = np.abs(look - self._look)
            if float(difference.mean()) < CUT:
                share = _share_of_new(difference, passed_s, edit.mask.shape[0])
                smoothed = _towards(self._edit, edit, share)
        self._edit, self._look, self._pts_s = smoothed, look, pts_s
        return smoothed


def _look(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(LOOK_SIZE, LOOK_SIZE) luma, small and blurred: noise is gone, movement is not."""
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(luma, (LOOK_SIZE, LOOK_SIZE), interpolation=cv2.INTER_AREA)
    return cv2.blur(small, (3, 3)).astype(np.float32, copy=False)


def _share_of_new(
    difference: NDArray[np.float32], passed_s: float, side: int
) -> NDArray[np.float32]:
    """(side, side) how much of the new layer counts: 1 where the crop changed, least where it did not.

    The least share is that of an exponential average with TIME_CONSTANT_S, whatever the frame rate.
    """
    least = 1.0 - math.exp(-passed_s / TIME_CONSTANT_S)
    changed = np.clip((difference - STILL) / (MOVED - STILL), 0.0, 1.0)
    reached = cv2.dilate(changed, _REACH)
    wide = cv2.resize(reached, (side, side), interpolation=cv2.INTER_LINEAR)
    return (least + (1.0 - least) * wide).astype(np.float32)


def _towards(old: Edit, new: Edit, share: NDArray[np.float32]) -> Edit:
    """`old` moved towards `new` by `share`; where both are the same nothing is added by
    rounding.

    Mask and channels vary together where an edit comes and goes from frame to frame, which makes it
    doubtful: the share of the mean that is their covariance is taken off it, twice over. Once, which is
    what averaging them apart does, leaves VFD-A (`benchmarks.vfid`) level with that of per-frame
    retouching, twice 1 % below it.
    """
    whole = float(share.mean())
    apart = new.mask - old.mask
    shares = old.shares + (new.shares - old.shares) * share
    covariance = _channels(new) - _channels(old)
    covariance *= apart * share * (1.0 - share)
    sure = 1.0 - np.clip(covariance / np.where(shares == 0.0, 1.0, shares), 0.0, 1.0)
    shares *= np.square(sure, out=sure)
    return Edit(
        shares=shares,
        mask=old.mask + apart * share,
        skin_luma=old.skin_luma + (new.skin_luma - old.skin_luma) * whole,
        texture=old.texture + (new.texture - old.texture) * np.float32(whole),
    )


def _channels(edit: Edit) -> NDArray[np.float32]:
    """(4, L, L) what `edit` does where its mask is 1; 0 where it is 0."""
    channels = edit.shares / np.maximum(edit.mask, _LEAST_MASK)
    return channels.astype(np.float32, copy=False)
