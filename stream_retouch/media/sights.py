"""One look at one face: loose crop, landmarks, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, FaceFinder
from stream_retouch.media.affine import Affine, compose
from stream_retouch.media.appearance import NOTHING, Appearance, appearance_of
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_TO_CROP, loose_crop
from stream_retouch.media.pose import eyes_px, is_upright
from stream_retouch.media.regions import alignment
from stream_retouch.media.visible import clean_visibility, inside

Points = NDArray[np.float64]

PRESENT = 0.4
"""Presence from which a followed face is still there."""
BACK = 0.6
"""Presence from which a hidden face is there again."""
ACCEPTED = 0.8
"""Presence from which a face that is remembered is surely seen."""
TRUSTED = 4.0
"""Log odds of both networks together from which a newcomer is a face. Set on scenes of persons who were trained on
and on frames without faces: the lowest that let through fewer than one such frame in a thousand."""
_PROMISING = 0.2
"""Presence from which a remembered place is looked at again, better centred."""
_HOPELESS = 0.05
"""Presence below which a box is not looked at again."""
_CENTRING = 3
"""Most looks until a box is centred."""
_ZOOMS = tuple(
    np.array([[zoom, 0.0, CROP_SIZE / 2 * (1 - zoom)], [0.0, zoom, CROP_SIZE / 2 * (1 - zoom)]])
    for zoom in (0.88, 1.12)
)
SMALLEST_EYES_PX = 12.0
"""Faces whose outer eye corners are closer than this in the frame are left alone."""
_CENTRED, _SCALED = 0.08, 1.1
"""A crop so many eye distances or radians off at most, and so many times too large or small, is
centred."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What one look showed."""

    landmarks: Points
    """(K, 2) frame pixels."""
    visibility: Points
    """(K,) 0..1."""
    transform: Affine
    """(2, 3) crop to frame, as the landmarks alone say."""
    presence: float
    """0..1; 0 if the landmarks cannot be a face's."""
    share: float
    """0..1 of the face that is to be seen: not hidden, not beyond the frame's edge."""
    appearance: Appearance
    """All 0 if no face is there, or not the whole of it in the frame."""


def look_at(finder: FaceFinder, picture: Picture, places: Sequence[Affine]) -> list[Sight]:
    """One look at each place, given as a map from crop to frame."""
    if not places:
        return []
    looses = [compose(place, LOOSE_TO_CROP) for place in places]
    crops = np.stack([loose_crop(picture, loose) for loose in looses])
    points, presence, visibility = finder.landmarks(crops)
    return [
        _sight(picture, crops[i], points[i], float(presence[i]), visibility[i], loose)
        for i, loose in enumerate(looses)
    ]


def look_closely(
    finder: FaceFinder, picture: Picture, place: Affine, most: int = 3
) -> Sight | None:
    """Looks again, each time better centred, until a face is sure and centred; None if it is no face."""
    for bar in (_PROMISING, PRESENT, ACCEPTED)[-most:]:
        (sight,) = look_at(finder, picture, [place])
        if sight.presence >= ACCEPTED and _is_centred(place, sight.transform):
            return sight
        if sight.presence < bar:
            return None
        place = sight.transform
    return sight


def newcomer(
    finder: FaceFinder, picture: Picture, place: Affine, score: float
) -> tuple[Sight | None, int]:
    """What is where the finder saw a face that nobody follows.

    Neither network alone tells faces from all that looks like one. Together they do: the finder's vote and the mean of
    the landmarker's on four views of the place (centred, mirrored, from nearer, from farther), as log odds.

    Args:
        score: the finder's, 0..1.

    Returns:
        The centred look, None if that is no face; and how many crops were looked at.
    """
    for taken in range(1, _CENTRING + 1):
        (sight,) = look_at(finder, picture, [place])
        if sight.presence < _HOPELESS:
            return None, taken
        if _is_centred(place, sight.transform):
            break
        place = sight.transform
    views = _views(picture, sight.transform)
    presence = np.append(finder.landmarks(views).presence, np.float32(sight.presence))
    trust = float(_log_odds(presence).mean() + _log_odds(np.array(score)))
    return (sight if trust >= TRUSTED else None), taken + len(views)


def _views(picture: Picture, place: Affine) -> NDArray[np.uint8]:
    """(3, S, S) the loose crop mirrored, from nearer, from farther."""
    crop = loose_crop(picture, compose(place, LOOSE_TO_CROP))
    zoomed = [loose_crop(picture, compose(compose(place, zoom), LOOSE_TO_CROP)) for zoom in _ZOOMS]
    return np.stack([crop[:, ::-1], *zoomed])


def _log_odds(share: NDArray[np.floating]) -> NDArray[np.float64]:
    p = np.clip(np.asarray(share, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def _sight(
    picture: Picture,
    crop: NDArray[np.uint8],
    points: NDArray[np.float32],
    presence: float,
    visibility: NDArray[np.float32],
    loose: Affine,
) -> Sight:
    landmarks = points.astype(np.float64) @ loose[:, :2].T + loose[:, 2]
    seen = clean_visibility(visibility)
    transform = alignment(landmarks) if np.isfinite(landmarks).all() else None
    if transform is None or not _plausible(landmarks, transform, picture):
        return Sight(landmarks, seen, loose, 0.0, 0.0, NOTHING)
    within = inside(landmarks, picture.width, picture.height)
    share = float((seen * within).mean())
    presence = presence if presence >= 0.0 else 0.0  # nor is what is no number
    looks = appearance_of(crop, points) if within.all() else NOTHING
    return Sight(landmarks, seen, transform, presence, share, looks)


def _plausible(landmarks: Points, transform: Affine, picture: Picture) -> bool:
    """Whether these can be a face's landmarks: large enough, not upside down, in the picture."""
    x, y = landmarks.mean(axis=0)
    centred = 0 <= x < picture.width and 0 <= y < picture.height
    return (
        centred
        and is_upright(transform)
        and SMALLEST_EYES_PX <= eyes_px(transform) <= 0.8 * picture.width
    )


def _is_centred(place: Affine, seen: Affine) -> bool:
    unit = eyes_px(seen)
    way = float(np.hypot(*(_middle(place) - _middle(seen))))
    scale = eyes_px(place) / unit
    (a, b), (c, d) = place[:, 0], seen[:, 0]
    turned = abs(float(np.arctan2(a * d - b * c, a * c + b * d)))
    return way < _CENTRED * unit and 1 / _SCALED < scale < _SCALED and turned < _CENTRED


def _middle(transform: Affine) -> Points:
    return np.asarray(transform @ np.array([128.0, 128.0, 1.0]))
