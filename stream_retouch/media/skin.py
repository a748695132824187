"""Skin evidence: where the picture shows the person's own skin, and where hair, a hat or glasses' frames.

Landmarks cannot tell a fringe from a forehead. The colours of cheeks, nose and (where it agrees) forehead, as a plane
in log-chroma and log-luma that follows shading and side light, say how unlike skin each place looks. What decides is
not the single place but a cut: on rays from the middle of the face outwards skin comes first, then what is not skin,
and the line of least cost over all rays is found by dynamic programming (Viterbi; as the polar contours of Amini et
al. 1990). So a mole, a pimple, a wrinkle or a shine inside the face stays skin, whatever its colour, and only what
goes on to the outside is cut away. Glasses' frames are the business of `media.glasses`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    CROP_SIZE,
    FACE_OVAL,
    LANDMARKS,
    LEFT_BROW,
    LEFT_EYE,
    LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
)
from stream_retouch.media.glasses import glasses_frames

Points = NDArray[np.float64]
Map = NDArray[np.float32]

LOOK_SIZE = 128
"""Side of the crop that is looked at, pixels; larger ones are shrunk to it."""
EVIDENCE_SIZE = 64
"""Side of the map."""

HAIRLINE: tuple[float, ...] = (
    *(0.3, 0.29, 0.25, 0.2, 0.12, 0.04), *[0.0] * 25, *(0.04, 0.12, 0.2, 0.25, 0.29),
)  # fmt: skip
"""How far each point of the oval goes up to reach the hairline, in outer-eye distances, when there is no evidence: the
mesh ends below it."""
HIGHEST: tuple[float, ...] = (
    *(0.55, 0.54, 0.5, 0.43, 0.32, 0.18, 0.06), *[0.0] * 23, *(0.06, 0.18, 0.32, 0.43, 0.5, 0.54),
)  # fmt: skip
"""The same for the highest hairline that the evidence may find: about the upper edge of the crop."""

_INDEX = {mesh: i for i, mesh in enumerate(LANDMARKS)}
_SIDES = ((145, 129, 61, (93, 132, 58)), (374, 358, 291, (323, 361, 288)))
"""Middle of the lower lid, wing of the nose, corner of the mouth, and three points of the oval, right and left."""
_BROWS = ((105, 67), (66, 109), (107, 10), (336, 10), (296, 338), (334, 297))
"""A point of a brow's upper edge, and one of the oval above it."""


def _seeds() -> tuple[Points, int]:
    """(N, K) weights that make points on cheeks, nose and forehead of the landmarks, and how many of them come before
    the forehead's."""
    rows: list[Points] = []

    def point(*parts: tuple[int, float]) -> None:
        row = np.zeros(len(LANDMARKS))
        for mesh, weight in parts:
            row[_INDEX[mesh]] += weight
        rows.append(row)

    for lid, wing, corner, (upper, middle, lower) in _SIDES:
        for inner, other, share, outer in (
            (wing, lid, 0.4, upper),
            (wing, lid, 0.75, upper),
            (wing, lid, 1.0, middle),
            (wing, corner, 0.6, middle),
            (wing, corner, 0.3, lower),
        ):
            for out in (0.15, 0.32, 0.49, 0.66, 0.83):
                point((inner, share * (1 - out)), (other, (1 - share) * (1 - out)), (outer, out))
    for down in (0.2, 0.4, 0.6, 0.8, 1.0):
        point((168, 1 - down), (4, down))
        for wing in (129, 358):
            point((168, 1 - down), (4, 0.7 * down), (wing, 0.3 * down))
    before = len(rows)
    for brow, above in _BROWS:
        for up in (0.2, 0.4, 0.6, 0.8):
            point((brow, 1 - up), (above, up))
    return np.array(rows), before


_SEEDS, _SURE = _seeds()
_LOG = np.log(np.arange(256) / 255.0 + 0.04).astype(np.float32)
"""The small sum keeps the chroma of dark places from being noise."""
_LUMA = np.array([[0.3, 0.6, 0.1]], np.float32)
_FEATURES = np.array([[0.3, 0.6, 0.1], [1, -1, 0], [0, 1, -1]], np.float32)
"""Of log RGB: luma, red over green, green over blue."""
_NEXT = np.ones((3, 3), np.uint8)
_CELLS_PX = CROP_SIZE / EVIDENCE_SIZE


def _basis(x: NDArray[np.floating], y: NDArray[np.floating]) -> Points:
    """(..., 4) what the plane of shading is made of at places told in crop pixels; sideways it may bend."""
    x, y = (x - CROP_SIZE / 2) / 100.0, (y - CROP_SIZE / 2) / 100.0
    return np.stack([np.ones_like(x), x, y, np.minimum(x * x, 0.7)], -1)


_GRID = (np.arange(EVIDENCE_SIZE) + 0.5) * _CELLS_PX - 0.5
_WHOLE_BASIS = _basis(*np.meshgrid(_GRID, _GRID)).astype(np.float32).reshape(-1, 4)

_LEAST_SPREAD = np.array([0.06, 0.02, 0.02, 0.1])
_LIKE_CHEEKS = np.array([0.35, 0.13, 0.13])
"""How far the forehead's colour may lie off that of the cheeks and still be taken for skin at the start."""


def _unlike_skin(logs: Map, luma: Map, landmarks: Points) -> Map:
    """(EVIDENCE_SIZE, EVIDENCE_SIZE) -0.7 where a place looks like the person's skin, to 1 where it does not.

    Args:
        logs: (LOOK_SIZE, LOOK_SIZE, 3) log RGB.
        luma: (LOOK_SIZE, LOOK_SIZE) of it.
        landmarks: (K, 2) crop pixels.
    """
    size = (EVIDENCE_SIZE, EVIDENCE_SIZE)
    colours = cv2.transform(cv2.resize(logs, size, interpolation=cv2.INTER_AREA), _FEATURES)
    fine = cv2.absdiff(luma, cv2.blur(luma, (5, 5)))
    # The least of the neighbourhood: hair is rough on both sides of a place, the edge of a shadow or of hair is not.
    rough = cv2.erode(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), _NEXT)
    features = cv2.merge((*cv2.split(colours), cv2.log(rough + np.float32(0.004))))

    seeds = (_SEEDS @ landmarks).clip(0, CROP_SIZE - 1)
    cells = np.rint((seeds + 0.5) / _CELLS_PX - 0.5).astype(np.intp).clip(0, EVIDENCE_SIZE - 1)
    plane, spread, lowest, highest = _fit(
        features[cells[:, 1], cells[:, 0]].astype(np.float64), _basis(seeds[:, 0], seeds[:, 1])
    )
    expected = (_WHOLE_BASIS @ plane.astype(np.float32)).reshape(features.shape)
    np.minimum(np.maximum(expected, lowest, out=expected), highest, out=expected)
    off = features - expected
    light, red, blue, texture = (off[..., i] for i in range(4))
    dark_scale = 0.5 * math.sqrt(max(spread[0] / 0.2, 1.0))
    # Shine adds white light, which on dark skin is bright against it and bleaches it.
    gloss = np.minimum(np.maximum(-1.2 - 2.0 * expected[..., 0], 0.0), 1.0)
    scaled = light * np.where(light < 0, np.float32(1 / dark_scale), np.float32(1.4) - 0.7 * gloss)
    far = scaled * scaled
    chroma = np.square(red * np.float32(1 / (0.09 + 0.8 * spread[1])))
    chroma += np.square(blue * np.float32(1 / (0.09 + 0.9 * spread[2])))
    loose = 1.0 + np.minimum(np.maximum(-1.6 - features[..., 0], 0.0), 1.5)
    loose += 3.0 * gloss * np.minimum(np.maximum(light - np.float32(0.1), 0.0), 1.0)
    far += np.float32(0.7) * chroma / (loose * loose)
    far += np.float32(0.49) * np.square(np.maximum(texture - np.float32(0.5), 0.0))
    # In the dark nothing is known, and the usual hairline holds.
    known = float(np.clip((math.exp(float(highest[0])) - 0.06) / 0.04, 0.0, 1.0))
    far -= 1.0
    return np.asarray(np.minimum(np.maximum(far, -0.7), 1.0) * np.float32(known), np.float32)


def _fit(values: Points, basis: Points) -> tuple[Points, Points, Map, Map]:
    """The plane of skin colour through the seeds, by reweighted least squares.

    Cheeks and nose begin; seeds of the forehead join as far as they agree, since there may be a fringe.

    Returns:
        (4, 4) the plane, (4,) spread of cheeks and nose about it, (4,) its lowest and highest values on the seeds.
    """
    weights = np.ones(len(values))
    weights[_SURE:] = 0.0
    for _ in range(3):
        # Without the forehead the cheeks' slope says little about what lies above.
        ridge = np.diag([1e-6, 0.5, 0.5 + 3.0 * (1.0 - weights[_SURE:].mean()), 0.5])
        weighted = basis.T * weights
        solved = np.linalg.solve(weighted @ basis + ridge, weighted @ values)
        plane = np.asarray(solved, np.float64)
        fitted = basis @ plane
        off = np.abs(values - fitted)
        spread = 1.48 * np.median(off[:_SURE], axis=0) + _LEAST_SPREAD
        sure = (off[:_SURE, :3] / spread[:3]).max(axis=1)
        weights[:_SURE] = 1.0 / (1.0 + (sure / 2.0) ** 4)
        alike = (off[_SURE:, :3] / _LIKE_CHEEKS).max(axis=1)
        weights[_SURE:] = 0.7 / (1.0 + alike**4)
    low, high = fitted.min(axis=0), fitted.max(axis=0)
    return plane, spread, low.astype(np.float32), high.astype(np.float32)


# ---- the cut

_STEPS = 28
_FIRST = 0.35
"""Where on its ray the search begins, share of its length: eyes, nose and mouth lie before or are blank."""
_DISTANCES = np.linspace(_FIRST, 1.0, _STEPS)
_INSIDE_BIAS, _BELOW_BIAS, _OUTSIDE_BIAS = -0.15, -0.4, 0.35
"""Added to a place's cost inside the usual hairline (skin unless it looks otherwise), in the lower half of the face
(so that stubble stays), and beyond (not skin unless it looks so)."""
_CHANGES: Map = np.minimum(
    0.35 * np.abs(np.arange(_STEPS + 1)[:, None] - np.arange(_STEPS + 1)), 4.0
).astype(np.float32)
"""Cost of cutting two neighbouring rays at different steps."""
_RING = np.append((np.arange(len(FACE_OVAL)) + 18) % len(FACE_OVAL), 18)
"""The oval's points from the chin around and back to it."""
_UPPER = np.zeros(2 * len(_RING) - 1, bool)
_UPPER[13:-13] = True


def _between(points: Points) -> Points:
    """(2N - 1, ...) with the middles of neighbours put between them."""
    out = np.empty((2 * len(points) - 1, *points.shape[1:]))
    out[::2] = points
    out[1::2] = (points[1:] + points[:-1]) / 2
    return out


def _cut(unlike: Map, landmarks: Points) -> Points:
    """(N, 2) the closed line in crop pixels that has skin inside and, where it cuts the face, none outside."""
    middle, across = landmarks[_INDEX[197]], landmarks[_INDEX[263]] - landmarks[_INDEX[33]]
    down = np.array([-across[1], across[0]])
    oval = landmarks[: len(FACE_OVAL)]
    reach, usual = (
        _between((oval - np.array(height)[:, None] * down)[_RING]) - middle
        for height in (HIGHEST, HAIRLINE)
    )
    places = middle + _DISTANCES[None, :, None] * reach[:, None]
    cells = ((places + 0.5) / _CELLS_PX - 0.5).clip(-500, 500).astype(np.float32)
    costs = cv2.remap(
        unlike, cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    length = np.hypot(reach[:, 0], reach[:, 1]).clip(1e-6, None)
    share = np.hypot(usual[:, 0], usual[:, 1]) / length
    inside = np.where(_UPPER, _INSIDE_BIAS, _BELOW_BIAS)[:, None]
    costs += np.where(_DISTANCES <= share[:, None] + 1e-3, inside, _OUTSIDE_BIAS)
    totals = np.zeros((len(costs), _STEPS + 1), np.float32)
    np.cumsum(costs, axis=1, out=totals[:, 1:])
    steps = _cheapest(totals)
    at = _FIRST + (steps - 0.5) * (1.0 - _FIRST) / (_STEPS - 1)
    # Where nothing is cut the soft edge must not dim the rim of the face: landmarks end it.
    at = np.where(steps == _STEPS, 1.3, at)
    return np.asarray(middle + at[:, None] * reach)


def _cheapest(totals: Map) -> NDArray[np.intp]:
    """(rays,) step of each ray on the cheapest line, by Viterbi; `totals` (rays, steps) what each alone costs."""
    reached = totals[0]
    came_from = np.empty(totals.shape, np.intp)
    ways = np.empty_like(_CHANGES)
    for ray in range(1, len(totals)):
        np.add(reached, _CHANGES, out=ways)
        ways.argmin(axis=1, out=came_from[ray])
        reached = ways.min(axis=1) + totals[ray]
    steps = np.empty(len(totals), np.intp)
    steps[-1] = reached.argmin()
    for ray in range(len(totals) - 1, 0, -1):
        steps[ray - 1] = came_from[ray, steps[ray]]
    return steps


# ---- the map


def skin_evidence(crop: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Map:
    """Where the picture shows skin rather than hair, a hat or glasses' frames.

    Eyes, brows, lips and what lies outside the oval are the landmarks' business: see `media.regions`.

    Args:
        crop: (S, S, 3) RGB, the aligned crop at any size.
        landmarks: (K, 2) in pixels of a CROP_SIZE crop, whatever S is.

    Returns:
        (EVIDENCE_SIZE, EVIDENCE_SIZE) 0..1 over the crop, soft at its edges, 1 on lenses.
    """
    if crop.shape[0] != LOOK_SIZE:
        crop = np.asarray(
            cv2.resize(crop, (LOOK_SIZE, LOOK_SIZE), interpolation=cv2.INTER_AREA), np.uint8
        )
    points = np.asarray(landmarks, np.float64)
    logs = np.asarray(cv2.LUT(crop, _LOG), np.float32)
    luma = np.asarray(cv2.transform(logs, _LUMA), np.float32)
    unlike = _unlike_skin(logs, luma, points)
    frames = glasses_frames(luma, points)
    size = (EVIDENCE_SIZE, EVIDENCE_SIZE)
    small_frames = (
        None if frames is None else cv2.resize(frames, size, interpolation=cv2.INTER_AREA)
    )
    _blank(unlike, points)
    if small_frames is not None:
        unlike *= small_frames < 0.1
    line = _fixed(_cut(unlike, points), CROP_SIZE / LOOK_SIZE)
    inside = np.zeros((LOOK_SIZE, LOOK_SIZE), np.uint8)
    cv2.fillPoly(inside, [line], 255, cv2.LINE_8, _FRACTION_BITS)
    cells = cv2.blur(cv2.resize(inside, size, interpolation=cv2.INTER_AREA), (3, 3))
    evidence = cells.astype(np.float32) / np.float32(255)
    if small_frames is not None:
        evidence *= 1.0 - (1.4 * small_frames).clip(0, 1)
    return np.asarray(evidence, np.float32)


_FRACTION_BITS = 4


def _fixed(points: Points, step: float) -> NDArray[np.int32]:
    """Crop pixels as fillPoly wants them, on a map whose pixels are `step` crop pixels wide."""
    places = ((points + 0.5) / step - 0.5).clip(-1000, 1000)
    return np.asarray(np.rint(places * (1 << _FRACTION_BITS)), np.int32)


def _blank(unlike: Map, landmarks: Points) -> None:
    """Eyes, brows and lips say nothing about where the skin ends."""
    for group, grow in ((RIGHT_EYE, 2), (LEFT_EYE, 2), (RIGHT_BROW, 1), (LEFT_BROW, 1), (LIPS, 1)):
        polygon = _fixed(landmarks[[_INDEX[mesh] for mesh in group]], _CELLS_PX)
        cv2.fillPoly(unlike, [polygon], 0.0, cv2.LINE_8, _FRACTION_BITS)
        width = 2 * grow + 1
        cv2.polylines(unlike, [polygon], True, 0.0, width, cv2.LINE_8, _FRACTION_BITS)


LOOK_AGAIN_S = 0.2
"""Between two looks of a `SkinMemory`."""
TIME_CONSTANT_S = 0.5
"""Of its average over looks."""
FORGET_S = 1.0
"""After a longer pause it starts anew."""


class SkinMemory:
    """The evidence for one face over time, in crop coordinates: an average that is quick at the start. One thread at a
    time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets; the next look counts alone."""
        self._map: Map | None = None
        self._looks = 0
        self._pts_s = 0.0

    @property
    def map(self) -> Map | None:
        """(EVIDENCE_SIZE, EVIDENCE_SIZE) as `skin_evidence`, or None before the first look. Not to be written to."""
        return self._map

    def due(self, pts_s: float) -> bool:
        """Whether it is time to look again; asking costs nothing."""
        passed_s = pts_s - self._pts_s
        return self._map is None or not 0.0 <= passed_s < LOOK_AGAIN_S

    def update(self, crop: NDArray[np.uint8], landmarks: NDArray[np.floating], pts_s: float) -> Map:
        """Looks, and returns the new average.

        Args:
            crop: (S, S, 3) RGB; LOOK_SIZE is enough.
            landmarks: (K, 2) in pixels of a CROP_SIZE crop.
            pts_s: its time; a step back or a long pause starts anew.
        """
        seen = skin_evidence(crop, landmarks)
        passed_s = pts_s - self._pts_s
        if self._map is None or not 0.0 <= passed_s <= FORGET_S:
            self.reset()
            self._map = seen
        else:
            # The first looks count alike, so that a bad one at the start is soon outvoted.
            share = max(1.0 - math.exp(-passed_s / TIME_CONSTANT_S), 1.0 / (self._looks + 1))
            self._map = np.asarray(self._map + (seen - self._map) * np.float32(share), np.float32)
        self._looks += 1
        self._pts_s = pts_s
        return self._map
