"""How much the edit itself changes from frame to frame, in aligned crop coordinates.

Aligned crops show the same skin at the same place, so a change of the edit there is flicker. It is told in code values
of the picture: both edits are applied to the newer crop, ``M ((g-1)(Y-mu) + o)``, ``M cb``, ``M cr``, and compared, so
that what changed in the picture itself does not count. Mean over skin and channels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.stability.ways import Step
from stream_retouch.media.edits import CB, CR, FLATTEN, OFFSET, Edit, edit_of
from stream_retouch.media.faces import Face
from stream_retouch.media.frames import usual_crop
from stream_retouch.media.smoothing import LayerSmoother


def effect(edit: Edit, luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, L, L) what the edit adds to Y, Cb and Cr of a crop with this (L, L) luma, code values."""
    contrast = luma - np.float32(edit.skin_luma)
    change = edit.shares[OFFSET] - edit.shares[FLATTEN] * contrast
    return np.stack((change, edit.shares[CB], edit.shares[CR]))


def change(before: Edit, now: Edit, crop: NDArray[np.uint8], skin: NDArray[np.float32]) -> float:
    """Mean absolute difference of two edits on the newer crop, weighted by (N, N) skin, code values."""
    size = now.mask.shape[::-1]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    luma = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    weight = cv2.resize(skin, size, interpolation=cv2.INTER_LINEAR)
    off = np.abs(effect(now, luma) - effect(before, luma)).mean(axis=0)
    return float((off * weight).sum() / max(float(weight.sum()), 1e-6))


class Flicker:
    """Of one clip: the change of every frame, without and with the smoothing that serves."""

    def __init__(self) -> None:
        self._smoothers: dict[int, LayerSmoother] = {}
        self._last: dict[int, tuple[Edit, Edit]] = {}
        self.per_frame: list[float] = []
        """Mean over the faces of each frame that were there in the one before; code values."""
        self.smoothed: list[float] = []
        self.times_s: list[float] = []
        """Of those frames."""

    def add(self, step: Step) -> None:
        """The next frame."""
        job, now, changes = step.job, dict[int, tuple[Edit, Edit]](), list[tuple[float, float]]()
        for face, crop, layer in zip(job.subjects, job.crops, step.layers, strict=True):
            raw = edit_of(layer)
            smoother = self._smoothers.setdefault(face.id, LayerSmoother())
            now[face.id] = raw, smoother.apply(raw, usual_crop(crop), job.pts_s)
            before = self._last.get(face.id)
            if before is not None:
                pairs = zip(before, now[face.id], strict=True)
                raw_change, smooth_change = (change(a, b, crop, _skin(face)) for a, b in pairs)
                changes.append((raw_change, smooth_change))
        self._last = now
        if changes:
            means = np.mean(changes, axis=0)
            self.per_frame.append(float(means[0]))
            self.smoothed.append(float(means[1]))
            self.times_s.append(job.pts_s)


def _skin(face: Face) -> NDArray[np.float32]:
    return np.asarray(face.regions.max(axis=0), np.float32)
