"""One face while it is followed: its smoothed pose and shape, and how strongly it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.affine import Affine
from stream_retouch.media.appearance import Appearance, blended, likeness
from stream_retouch.media.frames import Picture, take_crop
from stream_retouch.media.map_memory import MapMemory
from stream_retouch.media.one_euro import OneEuro
from stream_retouch.media.pose import eyes_px, pose_of, transform_of
from stream_retouch.media.regions import (
    CANONICAL_EYES_PX,
    CANONICAL_POINTS,
    alignment,
    into_crop,
)
from stream_retouch.media.sights import ACCEPTED, BACK, PRESENT, Sight
from stream_retouch.media.skin import LOOK_SIZE, SkinMemory
from stream_retouch.media.visible import with_hidden

Points = NDArray[np.float64]

HELD_S = 0.2
"""A face that is gone (a hand crosses it) keeps its place and fades out over this time."""
BACK_S = 0.15
"""A face that comes, or comes back, fades in over this time."""
COASTS_S = 0.1
"""A face that is gone moves on so long as it moved before."""
NOTHING_LEFT, ENOUGH = 0.3, 0.45
"""Shares of a face in view at which it is no longer shown, and from which it is shown fully."""

SLIP_PX = 0.8
"""How far the smoothed crop's middle, and its farthest corner about that middle, may each lie from
where the landmarks put them; pixels of the 256 crop. So a corner lags by at most 1.6 px, however
a face starts, moves or turns."""
# The landmarker shakes by about 0.0014 eye distances from frame to frame: at 30 Hz that alone is a
# speed of 0.02 a second after its low pass.
_POSE_STILL_HZ, _POSE_PER_UNIT, _POSE_QUIET = 0.5, 40.0, 0.05
_SHAPE_STILL_HZ, _SHAPE_PER_UNIT = 3.0, 25.0
_LEARN_S, _SURE_S = 0.5, 0.5
"""Time constants of the appearance that is kept and of the mean presence."""
WHOLE = 0.8
"""Share of a face that must be in view for its appearance to be learnt."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame."""

    id: int
    """Stays with the face while it is followed, and when it comes back within a second; never used
    again for another."""
    transform: Affine
    """(2, 3) crop to frame luma pixels."""
    landmarks: NDArray[np.float32]
    """(K, 2) smoothed, in frame luma pixels."""
    regions: NDArray[np.float32]
    """(12, 32, 32) region maps over the crop, less hair and glasses; see `media.regions.face_maps`."""
    strength: float = 1.0
    """Above 0 to 1: how far its edit is shown; it falls while the face is hidden or leaves the
    frame, and rises when it is back."""
    uncut: NDArray[np.float32] | None = None
    """As `regions`, but the forehead goes on under hair: for stray hairs. None is as `regions`."""


@dataclass(slots=True, eq=False)
class Track:
    """A face while it is followed or remembered."""

    id: int
    transform: Affine
    """(2, 3) crop to frame, smoothed."""
    shape: Points
    """(K, 2) landmarks in crop pixels, smoothed."""
    appearance: Appearance
    strength: float = 0.0
    target: float = 1.0
    """What `strength` moves to."""
    unseen_s: float = 0.0
    """Since it was last seen; 0 in a frame that shows it."""
    sure: float = 1.0
    """Mean presence of late."""
    unconfirmed: int = 0
    """Searches since the finder last saw it."""
    leaving: bool = False
    """It fades whatever is seen, and is not remembered."""
    share: float = 0.0
    """0..1 of the face that was to be seen when it last was."""
    skin: SkinMemory = field(default_factory=SkinMemory)
    """Where hair and glasses are."""
    _maps: MapMemory = field(default_factory=MapMemory)
    _pose_filter: OneEuro = field(
        default_factory=lambda: OneEuro(_POSE_STILL_HZ, _POSE_PER_UNIT, _POSE_QUIET)
    )
    _shape_filter: OneEuro = field(
        default_factory=lambda: OneEuro(_SHAPE_STILL_HZ, _SHAPE_PER_UNIT)
    )

    @classmethod
    def of(cls, face_id: int, sight: Sight) -> Track:
        """A face that was just found."""
        return cls(face_id, sight.transform, CANONICAL_POINTS, sight.appearance)

    def expected(self, dt_s: float) -> Affine:
        """Where its crop will be after `dt_s` if it goes on as it went: the landmarker strays by a
        part of what the face lies off the middle of what it is shown."""
        rate = self._pose_filter.rate
        if rate is None or self.unseen_s > 0.0 or float(np.hypot(*rate[0])) < _POSE_QUIET:
            return self.transform
        return self._moved(rate[0] * min(dt_s, COASTS_S))

    def is_shown_by(self, sight: Sight) -> bool:
        """Whether a look at its place shows a face; whose it is, is not asked."""
        return sight.presence >= (PRESENT if self.unseen_s == 0.0 else BACK)

    def see(self, sight: Sight, dt_s: float) -> None:
        """Moves to where it was seen: pose and shape are smoothed apart.

        The pose rests on a hundred points, so it is quiet and may follow quickly.
        """
        step_s = dt_s + self.unseen_s
        landmarks = with_hidden(sight.landmarks, sight.visibility, self.shape, step_s)
        seen = sight.transform if landmarks is sight.landmarks else alignment(landmarks)
        slip = SLIP_PX * float(np.hypot(*seen[:, 0]))
        self.transform = transform_of(self._pose_filter(pose_of(seen), step_s, eyes_px(seen), slip))
        self.shape = self._shape_filter(into_crop(landmarks, seen), step_s, CANONICAL_EYES_PX)
        self.unseen_s, self.share = 0.0, sight.share
        self.target = float(np.clip((sight.share - NOTHING_LEFT) / (ENOUGH - NOTHING_LEFT), 0, 1))
        self.sure += min(dt_s / _SURE_S, 1.0) * (sight.presence - self.sure)
        if sight.presence >= ACCEPTED and sight.share >= WHOLE:
            self.appearance = blended(self.appearance, sight.appearance, min(dt_s / _LEARN_S, 1.0))

    def look(self, picture: Picture, pts_s: float) -> bool:
        """Learns from the picture what is skin, if that is due; whether it did. A face that is partly hidden
        teaches nothing: the hand before it is skin too."""
        due = self.unseen_s == 0.0 and self.share >= WHOLE and self.skin.due(pts_s)
        if due:
            self.skin.update(take_crop(picture, self.transform, LOOK_SIZE), self.shape, pts_s)
        return due

    def come(self, sight: Sight, dt_s: float) -> None:
        """It is found where nobody followed it: first, or again, there or elsewhere."""
        if self.unseen_s > 0.0 or self._pose_filter.rate is None:
            self._pose_filter.reset()
        self.leaving, self.unconfirmed, self.sure = False, 0, sight.presence
        self.see(sight, dt_s)

    def miss(self, dt_s: float) -> None:
        """It is not there: it keeps its place, or goes on a little as it went."""
        coasting_s = min(dt_s, max(COASTS_S - self.unseen_s, 0.0))
        rate = self._pose_filter.rate
        if rate is not None and coasting_s > 0.0:
            self.transform = self._moved(rate[0] * coasting_s)
        self.unseen_s += dt_s
        self.target = 0.0
        self.sure += min(dt_s / _SURE_S, 1.0) * -self.sure

    def fade(self, dt_s: float) -> None:
        """One frame's step of the strength."""
        if self.leaving:
            self.target = 0.0
        if self.strength < self.target:
            self.strength = min(self.strength + dt_s / BACK_S, self.target)
        else:
            self.strength = max(self.strength - dt_s / HELD_S, self.target)
        if self.strength < 1e-6:
            self.strength = 0.0

    def forget_motion(self) -> None:
        """Smoothing starts afresh: after a gap, at another place, at another picture size."""
        self._pose_filter.reset()
        self._shape_filter.reset()

    def rescale(self, ratio: float) -> None:
        """Follows the picture to `ratio` times its size."""
        offset = (ratio - 1) / 2
        self.transform = self.transform * ratio
        self.transform[:, 2] += offset
        self.forget_motion()

    def likeness(self, sight: Sight) -> float:
        """-1..1, how much what was seen looks like this face."""
        return likeness(self.appearance, sight.appearance)

    def _moved(self, way: Points) -> Affine:
        """Its crop moved by so many eye distances."""
        moved = self.transform.copy()
        moved[:, 2] += way * eyes_px(moved)
        return moved

    def face(self) -> Face:
        landmarks = self.shape @ self.transform[:, :2].T + self.transform[:, 2]
        maps = self._maps.of(self.shape, self.skin.map)
        return Face(
            self.id,
            self.transform,
            landmarks.astype(np.float32),
            maps.regions,
            self.strength,
            maps.uncut,
        )
