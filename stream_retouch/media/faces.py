"""Faces followed through a stream: where each one is, upright and steady, with an id that stays.

A slow finder acquires faces, a quick landmarker follows them. Time is the frames' pts; nothing here
reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FaceBox, FaceFinder
from stream_retouch.media.affine import Affine, bounds, compose
from stream_retouch.media.cuts import SceneCuts
from stream_retouch.media.frames import Picture, luma_full
from stream_retouch.media.loose_crop import LOOSE_TO_CROP, loose_crop
from stream_retouch.media.one_euro import OneEuro
from stream_retouch.media.regions import (
    CANONICAL_EYES_PX,
    CANONICAL_OVAL,
    CANONICAL_POINTS,
    alignment,
    into_crop,
    region_maps,
)

Points = NDArray[np.float64]

SEARCH_WIDTH = 320
"""The finder sees a picture of at most this width."""
ACQUIRE_EVERY = 3
"""Frames between two searches while there is no face."""
SEARCH_AGAIN_S = (0.5, 1.0, 2.0)
"""Seconds between two searches for newcomers: each fruitless one waits longer, a lost face starts
over."""
CANDIDATES = 6
"""Most boxes of one search that are looked at."""

PRESENT = 0.4
"""Presence from which a followed face is still there."""
ACCEPTED = 0.8
"""Presence from which a newcomer is a face."""
PROMISING = 0.2
"""Presence from which a box is looked at again, better centred."""
HELD_S = 0.2
"""A face that is gone (a hand crosses it) keeps its place so long, then it is lost."""
SAME_FACE = 0.35
"""Overlap (intersection over union of the landmarks' boxes) from which two faces are one."""
SMALLEST_EYES_PX = 14.0
"""Faces whose outer eye corners are closer than this in the frame are left alone."""

NOMINAL_S = 1 / 30
"""Time step assumed when pts repeat or run backwards."""
LONGEST_S = 0.5
"""After a longer gap smoothing starts afresh."""
# A steady motion is followed 1 / (2 pi 40) = 0.004 eye distances behind. On the semi-synthetic
# clips the landmarker itself strays by 0.0036 and shakes by 0.0014 from frame to frame; lower
# cut-offs make it lag more than they calm it.
_POSE_STILL_HZ, _POSE_PER_UNIT = 2.0, 40.0
_SHAPE_STILL_HZ, _SHAPE_PER_UNIT = 3.0, 25.0


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame."""

    id: int
    """Stays with the face while it is followed; never used again."""
    transform: Affine
    """(2, 3) crop to frame luma pixels."""
    landmarks: NDArray[np.float32]
    """(K, 2) smoothed, in frame luma pixels."""
    regions: NDArray[np.float32]
    """(12, 32, 32) region maps over the crop; see `media.regions.region_maps`."""


@dataclass(slots=True, eq=False)
class _Track:
    """A face while it is followed."""

    id: int
    transform: Affine
    shape: Points
    """(K, 2) landmarks in crop pixels."""
    gone_s: float = 0.0
    pose_filter: OneEuro = field(default_factory=lambda: OneEuro(_POSE_STILL_HZ, _POSE_PER_UNIT))
    shape_filter: OneEuro = field(default_factory=lambda: OneEuro(_SHAPE_STILL_HZ, _SHAPE_PER_UNIT))

    def see(self, landmarks: Points, dt_s: float) -> None:
        """Moves to new landmarks in frame pixels: pose and shape are smoothed apart.

        The pose rests on a hundred points, so it is quiet and may follow quickly.
        """
        seen = alignment(landmarks)
        dt_s += self.gone_s
        pose = _pose(seen)
        unit = float(np.hypot(*pose[0, 2:]))
        self.transform = _from_pose(self.pose_filter(pose, dt_s, unit))
        self.shape = self.shape_filter(into_crop(landmarks, seen), dt_s, CANONICAL_EYES_PX)
        self.gone_s = 0.0

    def face(self) -> Face:
        landmarks = self.shape @ self.transform[:, :2].T + self.transform[:, 2]
        return Face(self.id, self.transform, landmarks.astype(np.float32), region_maps(self.shape))


class FaceTracker:
    """Follows up to `max_faces` faces, largest first when they are found. One thread at a time.

    It never raises for what a picture shows; errors of the finder pass through.
    """

    def __init__(self, finder: FaceFinder, max_faces: int = 4) -> None:
        self._finder, self._max_faces = finder, max_faces
        self._cuts = SceneCuts()
        self._next_id = 0
        self.reset()

    def reset(self) -> None:
        """Forgets all faces, as after a cut. Ids go on counting."""
        self._tracks: list[_Track] = []
        self._last_pts_s: float | None = None
        self._frames_to_search = 0
        self._since_search_s = 0.0
        self._fruitless = 0
        self._search_waits = False

    def update(self, picture: Picture, pts_s: float) -> list[Face]:
        """The faces in the next frame, largest first.

        With no face in view it searches at once. While one is followed, a search for newcomers is
        left to `seek`, since it takes longer than a frame may wait.

        Args:
            picture: the frame.
            pts_s: its presentation time; steps that are not forward count as one nominal frame.
        """
        if self._cuts.is_cut(picture):
            self.reset()
        dt_s = self._step(pts_s)
        self._follow(picture, dt_s)
        if self._search_is_due(dt_s):
            if self._tracks:
                self._search_waits = True
            else:
                self._acquire(picture)
        self._tracks.sort(key=lambda track: -_eyes_px(track.transform))
        return [track.face() for track in self._tracks]

    def seek(self, picture: Picture) -> None:
        """Searches the latest picture for newcomers if that is due; they are followed from the next
        frame on.

        Called when nobody waits for the frame any more.
        """
        if self._search_waits:
            self._acquire(picture)

    def _step(self, pts_s: float) -> float:
        last, self._last_pts_s = self._last_pts_s, pts_s
        dt_s = NOMINAL_S if last is None or pts_s <= last else pts_s - last
        if dt_s > LONGEST_S:
            for track in self._tracks:
                track.pose_filter.reset()
                track.shape_filter.reset()
        return dt_s

    # ---- following

    def _follow(self, picture: Picture, dt_s: float) -> None:
        if not self._tracks:
            return
        looses = [compose(track.transform, LOOSE_TO_CROP) for track in self._tracks]
        for track, (landmarks, presence) in zip(
            self._tracks, self._look(picture, looses), strict=True
        ):
            if presence >= PRESENT and _plausible(landmarks, picture):
                track.see(landmarks, dt_s)
            else:
                track.gone_s += dt_s
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: track.id):
            if track.gone_s <= HELD_S and not any(
                _overlap(track, other) > SAME_FACE for other in kept
            ):
                kept.append(track)
        if len(kept) < len(self._tracks):
            self._fruitless = 0
            self._frames_to_search = 0
        self._tracks = kept

    def _look(self, picture: Picture, looses: list[Affine]) -> list[tuple[Points, float]]:
        """Landmarks in frame pixels and presence, for each loose crop given by its map to the
        frame."""
        crops = np.stack([loose_crop(picture, loose) for loose in looses])
        points, presence = self._finder.landmarks(crops)
        return [
            (p.astype(np.float64) @ loose[:, :2].T + loose[:, 2], float(here))
            for p, here, loose in zip(points, presence, looses, strict=True)
        ]

    # ---- acquiring

    def _search_is_due(self, dt_s: float) -> bool:
        self._since_search_s += dt_s
        self._frames_to_search -= 1
        if len(self._tracks) >= self._max_faces:
            return False
        if not self._tracks:
            return self._frames_to_search < 0
        wait_s = SEARCH_AGAIN_S[min(self._fruitless, len(SEARCH_AGAIN_S) - 1)]
        return self._since_search_s >= wait_s

    def _acquire(self, picture: Picture) -> None:
        self._frames_to_search = ACQUIRE_EVERY - 1
        self._since_search_s = 0.0
        self._search_waits = False
        found = False
        luma = luma_full(picture, SEARCH_WIDTH)
        ratio = picture.width / luma.shape[1]
        boxes = sorted(self._finder.find(luma), key=lambda box: box.x0 - box.x1)
        for box in boxes[:CANDIDATES]:
            if len(self._tracks) >= self._max_faces:
                break
            track = self._verified(picture, _from_box(box, ratio))
            if track is not None:
                self._tracks.append(track)
                found = True
        self._fruitless = 0 if found else self._fruitless + 1

    def _verified(self, picture: Picture, transform: Affine) -> _Track | None:
        """A new track if the landmarker, looking three times, each time better centred, sees a new
        face."""
        for bar in (PROMISING, PRESENT, ACCEPTED):
            if any(
                _overlap_of(_reach(transform), _reach(t.transform)) > SAME_FACE
                for t in self._tracks
            ):
                return None
            landmarks, presence = self._look(picture, [compose(transform, LOOSE_TO_CROP)])[0]
            if presence < bar or not _plausible(landmarks, picture):
                return None
            transform = alignment(landmarks)
        track = _Track(self._next_id, transform, CANONICAL_POINTS)
        track.see(landmarks, NOMINAL_S)
        if any(_overlap(track, other) > SAME_FACE for other in self._tracks):
            return None
        self._next_id += 1
        return track


def _pose(transform: Affine) -> Points:
    """(1, 4) where the crop's centre lies and how far its outer eye corners reach, frame pixels."""
    centre = transform[:, :2] @ _MIDDLE + transform[:, 2]
    return np.concatenate([centre, transform[:, 0] * CANONICAL_EYES_PX])[None]


def _from_pose(pose: Points) -> Affine:
    x, y, across_x, across_y = pose[0]
    a, b = across_x / CANONICAL_EYES_PX, across_y / CANONICAL_EYES_PX
    matrix = np.array([[a, -b], [b, a]])
    return np.column_stack([matrix, np.array([x, y]) - matrix @ _MIDDLE])


def _from_box(box: FaceBox, ratio: float) -> Affine:
    """The upright crop of a face whose oval fills the box; `ratio` frame pixels per pixel of the
    box."""
    low, high = CANONICAL_OVAL
    x0, y0, x1, y1 = ((v + 0.5) * ratio - 0.5 for v in (box.x0, box.y0, box.x1, box.y1))
    scale = float(np.sqrt(max(x1 - x0, 1.0) * max(y1 - y0, 1.0) / np.prod(high - low)))
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.column_stack([scale * np.eye(2), centre - scale * (low + high) / 2])


_MIDDLE = CANONICAL_POINTS.mean(axis=0)


def _eyes_px(transform: Affine) -> float:
    return float(np.hypot(*transform[:, 0])) * CANONICAL_EYES_PX


def _plausible(landmarks: Points, picture: Picture) -> bool:
    """Whether these can be a face's landmarks: finite, large enough, rolled by less than 70
    degrees, in the picture."""
    if not np.isfinite(landmarks).all():
        return False
    transform = alignment(landmarks)
    x, y = landmarks.mean(axis=0)
    inside = 0 <= x < picture.width and 0 <= y < picture.height
    size = _eyes_px(transform)
    upright = transform[0, 0] * CANONICAL_EYES_PX > 0.35 * size
    return inside and upright and SMALLEST_EYES_PX <= size <= 0.8 * picture.width


def _reach(transform: Affine) -> NDArray[np.float64]:
    """(x0, y0, x1, y1) around the oval of a face."""
    low, high = CANONICAL_OVAL
    return bounds(transform, low[0], low[1], high[0], high[1])


def _overlap(one: _Track, other: _Track) -> float:
    return _overlap_of(_reach(one.transform), _reach(other.transform))


def _overlap_of(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared)
