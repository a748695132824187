"""Where things are on a face: the canonical face, its alignment, and a soft map of each of the 12
regions.

Everything is drawn from the landmarks that `FaceFinder` returns, in the upright, scaled coordinates
of an aligned crop, so training and serving share one geometry. Left and right are the person's own:
in an unmirrored picture the person's left lies at large x. Pixel centres are at whole numbers; y
points down.

Given `media.skin`'s evidence the maps end at the hairline that the picture shows, wherever it is, and leave out hair,
hats and glasses' frames; without it the forehead ends at the usual hairline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    NOSE,
    REQUEST_SIZE,
    RIGHT_BROW,
    RIGHT_EYE,
)
from stream_retouch.language.plan import REGIONS, Region
from stream_retouch.media.skin import HAIRLINE, HIGHEST

Points = NDArray[np.float64]

CANONICAL_POINTS: Points = np.array([
    # face oval
    128.0, 43.3, 149.9, 44.0, 168.5, 47.3, 185.9, 54.4, 197.3, 65.1, 204.6, 78.5, 208.5, 92.9,
    210.1, 110.9, 209.5, 128.1, 208.4, 145.6, 205.9, 164.3, 200.8, 183.7, 193.3, 199.0,
    184.6, 210.2, 173.7, 220.3, 164.3, 227.5, 154.4, 233.6, 142.9, 237.8, 128.0, 239.2,
    113.1, 237.8, 101.6, 233.6, 91.7, 227.5, 82.3, 220.3, 71.4, 210.2, 62.7, 199.0, 55.2, 183.7,
    50.1, 164.3, 47.6, 145.6, 46.5, 128.1, 45.9, 110.9, 47.5, 92.9, 51.4, 78.5, 58.7, 65.1,
    70.1, 54.4, 87.5, 47.3, 106.1, 44.0,
    # right eye
    76.8, 105.0, 79.4, 106.7, 82.1, 107.8, 85.9, 108.7, 91.7, 109.1, 97.4, 108.6, 102.9, 107.8,
    106.5, 107.5, 108.3, 107.1, 106.1, 105.0, 101.7, 102.0, 95.6, 100.0, 89.6, 99.7, 83.9, 100.8,
    80.3, 102.5, 78.4, 103.8,
    # left eye
    179.2, 105.0, 176.6, 106.7, 173.9, 107.8, 170.1, 108.7, 164.3, 109.1, 158.6, 108.6,
    153.1, 107.8, 149.5, 107.5, 147.7, 107.1, 149.9, 105.0, 154.3, 102.0, 160.4, 100.0,
    166.4, 99.7, 172.1, 100.8, 175.7, 102.5, 177.6, 103.8,
    # right brow
    61.9, 88.9, 69.1, 82.8, 80.4, 79.5, 95.0, 80.4, 111.5, 82.5, 113.7, 91.8, 96.2, 86.2,
    82.9, 85.2, 73.0, 87.4, 66.1, 92.3,
    # left brow
    194.1, 88.9, 186.9, 82.8, 175.6, 79.5, 161.0, 80.4, 144.5, 82.5, 142.3, 91.8, 159.8, 86.2,
    173.1, 85.2, 183.0, 87.4, 189.9, 92.3,
    # lips
    94.5, 180.1, 98.0, 184.6, 102.6, 189.1, 109.4, 193.7, 118.0, 196.6, 128.0, 197.5,
    138.0, 196.6, 146.6, 193.7, 153.4, 189.1, 158.0, 184.6, 161.5, 180.1, 158.3, 178.5,
    153.6, 177.0, 147.3, 175.3, 138.0, 173.8, 128.0, 175.4, 118.0, 173.8, 108.7, 175.3,
    102.4, 177.0, 97.7, 178.5,
    # nose
    128.0, 100.6, 128.0, 109.2, 128.0, 117.6, 128.0, 125.6, 128.0, 134.1, 128.0, 144.5,
    128.0, 152.4, 128.0, 158.9, 106.4, 155.3, 118.2, 158.1, 137.8, 158.1, 149.6, 155.3,
    102.3, 147.3, 153.7, 147.3, 104.2, 151.2, 151.8, 151.2, 104.9, 148.4, 151.1, 148.4,
]).reshape(-1, 2)  # fmt: skip
"""(K, 2) mean landmarks in crop pixels: the Procrustes mean, made symmetric, of 281 frontal
portraits of people who are not held out; the outer eye corners (33 and 263) lie 0.40 of the crop
apart, their midpoint at (0.5, 0.41)."""

CANONICAL_EYES_PX = 0.40 * CROP_SIZE
"""Distance of the outer eye corners in CANONICAL_POINTS."""
CANONICAL_OVAL = (
    CANONICAL_POINTS[: len(FACE_OVAL)].min(axis=0),
    CANONICAL_POINTS[: len(FACE_OVAL)].max(axis=0),
)
"""Upper left and lower right corner of the box around the canonical face's oval, crop pixels."""

_INDEX = {mesh: i for i, mesh in enumerate(LANDMARKS)}
_MIRRORED_NOSE = {98: 327, 97: 326, 129: 358, 64: 294, 48: 278}
_MIRRORED_NOSE |= {right: left for left, right in _MIRRORED_NOSE.items()}

MIRROR: NDArray[np.intp] = np.array(
    [
        _INDEX[mesh]
        for mesh in (
            *(FACE_OVAL[-i % len(FACE_OVAL)] for i in range(len(FACE_OVAL))),
            *LEFT_EYE,
            *RIGHT_EYE,
            *LEFT_BROW,
            *RIGHT_BROW,
            *(LIPS[(10 - i) % len(LIPS)] for i in range(len(LIPS))),
            *(_MIRRORED_NOSE.get(mesh, mesh) for mesh in NOSE),
        )
    ]
)
"""(K,) for each landmark the one on the other side of the face: flipped = points[MIRROR] with x
mirrored."""


def _alignment_weights() -> Points:
    """Still points count fully; brows, lips and the upper oval move with expression or are vague;
    the jaw drops out."""
    weights = np.ones(len(LANDMARKS))
    weights[[_INDEX[mesh] for mesh in FACE_OVAL]] = 0.3
    weights[[_INDEX[mesh] for mesh in FACE_OVAL[9:28]]] = 0.0
    weights[[_INDEX[mesh] for mesh in RIGHT_BROW + LEFT_BROW]] = 0.4
    weights[[_INDEX[mesh] for mesh in LIPS]] = 0.2
    return np.asarray(weights / weights.sum())


ALIGNMENT_WEIGHTS = _alignment_weights()
"""(K,) how much each landmark has a say in `alignment`; they sum to 1."""
_CENTRE = ALIGNMENT_WEIGHTS @ CANONICAL_POINTS
_CENTRED = (CANONICAL_POINTS - _CENTRE) @ np.array([1, 1j])
_SPREAD = float(ALIGNMENT_WEIGHTS @ np.abs(_CENTRED) ** 2)


def alignment(landmarks: NDArray[np.floating]) -> Points:
    """The similarity (rotation, scale, shift) that takes crop pixels to frame pixels, by weighted
    least squares.

    Umeyama 1991, eq. 40-42, which in the plane is one complex division. The jaw half of the oval
    has no say, so that a talking mouth does not shake the crop.

    Args:
        landmarks: (K, 2) in frame pixels.

    Returns:
        (2, 3): frame = A @ crop + t.
    """
    centre = ALIGNMENT_WEIGHTS @ landmarks
    offsets = (landmarks - centre) @ np.array([1, 1j])
    turn = complex((ALIGNMENT_WEIGHTS * _CENTRED.conj()) @ offsets) / _SPREAD
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([matrix, centre - matrix @ _CENTRE])


def into_crop(landmarks: NDArray[np.floating], transform: Points) -> Points:
    """Frame pixels to crop pixels: (N, 2) points through the inverse of a (2, 3) crop-to-frame
    transform."""
    return np.asarray(np.linalg.solve(transform[:, :2], (landmarks - transform[:, 2]).T).T)


# Maps are drawn at the edit layer's scale, four times finer than the cells, then averaged down.
_FINE = 4
_SIDE = REQUEST_SIZE * _FINE
_STEP = CROP_SIZE / _SIDE
_FRACTION_BITS = 4
_GROW = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_OUTSIDE, _EXCLUDED = 255, 254
_NUMBER = {region: i for i, region in enumerate(REGIONS)}


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of the face: its landmarks by mesh index, all lists from the middle of the face
    outwards."""

    out: float
    """+1 if "outwards" is the direction from the right eye to the left eye, -1 if it is the
    other."""
    lower_lid: tuple[int, ...]
    brow: tuple[int, ...]
    temple: tuple[int, ...]
    jaw: tuple[int, ...]
    brow_tail: int
    wing: int
    wing_base: int
    columella: int
    mouth_corner: int


_RIGHT = _Side(
    -1.0, RIGHT_EYE[8::-1], RIGHT_BROW, (162, 127), (150, 136, 172, 58, 132), 46, 129, 98, 97, 61
)  # fmt: skip
_LEFT = _Side(
    1.0, LEFT_EYE[8::-1], LEFT_BROW, (389, 356), (379, 365, 397, 288, 361), 276, 358, 327, 326, 291
)  # fmt: skip


class _Drawing:
    """The picture of region numbers while it is drawn, and the face's own axes to measure along.

    Points are complex numbers x + iy here: a few hundred small sums, which numpy would make the
    slowest part.
    """

    def __init__(self, landmarks: NDArray[np.floating]) -> None:
        points = (np.asarray(landmarks, np.float64) @ np.array([1, 1j])).tolist()
        self._points: dict[int, complex] = dict(zip(LANDMARKS, points, strict=True))
        self.labels = np.full((_SIDE, _SIDE), _OUTSIDE, np.uint8)
        self.across = self[263] - self[33]
        """From the right to the left outer eye corner; its length is the unit of every distance
        below."""
        self.down = self.across * 1j

    def __getitem__(self, mesh: int) -> complex:
        return self._points[mesh]

    def row(self, mesh: Sequence[int], down: float = 0.0) -> list[complex]:
        """Some landmarks, moved down."""
        shift = down * self.down
        return [self._points[m] + shift for m in mesh]

    def off(self, mesh: int, left: float, down: float) -> complex:
        """A landmark moved towards the person's left and down."""
        return self._points[mesh] + left * self.across + down * self.down

    def fill(self, value: int, *polygon: complex, grow: int = 0) -> None:
        """Fills the polygon, and draws its outline 2*grow+1 pixels wide."""
        crop = np.array(polygon, np.complex128).view(np.float64).reshape(-1, 2)
        fine = (crop - (_STEP - 1) / 2) / _STEP
        fixed = np.rint(fine.clip(-500, 500) * (1 << _FRACTION_BITS)).astype(np.int32)
        cv2.fillPoly(self.labels, [fixed], value, cv2.LINE_8, _FRACTION_BITS)
        if grow:
            width = 2 * grow + 1
            cv2.polylines(self.labels, [fixed], True, value, width, cv2.LINE_8, _FRACTION_BITS)


def _outline(face: _Drawing, heights: Sequence[float]) -> list[complex]:
    """The oval, its upper points raised to the hairline."""
    return [p - up * face.down for p, up in zip(face.row(FACE_OVAL), heights, strict=True)]


def _draw(
    landmarks: NDArray[np.floating], heights: Sequence[float] = HAIRLINE
) -> NDArray[np.uint8]:
    """(_SIDE, _SIDE) number of the region at each place, _EXCLUDED or _OUTSIDE; later polygons
    win."""
    face = _Drawing(landmarks)
    oval = _outline(face, heights)
    face.fill(0, *oval)
    outside = face.labels == _OUTSIDE
    _draw_large(face, oval)
    for side in (_RIGHT, _LEFT):
        _draw_around_eye(face, side)
    _draw_middle(face)
    _draw_excluded(face)
    face.labels[outside] = _OUTSIDE
    return face.labels


def _draw_large(face: _Drawing, oval: list[complex]) -> None:
    """Cheeks (all that nothing else claims), forehead and jaw."""
    middle = (face.off(10, 0, -1), face[168], face[2], face.off(152, 0, 1))
    for side, region in ((_RIGHT, Region.RIGHT_CHEEK), (_LEFT, Region.LEFT_CHEEK)):
        edge = (face.off(152, 3 * side.out, 1), face.off(10, 3 * side.out, -1))
        face.fill(_NUMBER[region], *middle, *edge)
    left_lid, right_lid = (face.row(eye[:1] + eye[:7:-1]) for eye in (LEFT_EYE, RIGHT_EYE))
    lids = (*left_lid, face[168], *right_lid[::-1])
    face.fill(_NUMBER[Region.FOREHEAD], *oval[30:], *oval[:7], *lids)
    unit = abs(face.across)
    for side in (_RIGHT, _LEFT):
        jaw = face.row(side.jaw)
        inwards = [face[4] - point for point in jaw]
        inner = [p + 0.15 * unit * d / max(abs(d), 1e-6) for p, d in zip(jaw, inwards, strict=True)]
        face.fill(_NUMBER[Region.JAW], *jaw, *inner[::-1])


def _draw_around_eye(face: _Drawing, side: _Side) -> None:
    """Under-eye down to the tear trough, and crow's feet from the outer corner to the temple."""
    out, lid = side.out, side.lower_lid
    inner, outer, under = lid[0], lid[-1], lid[len(lid) // 2]
    under_eye = Region.LEFT_UNDER_EYE if out > 0 else Region.RIGHT_UNDER_EYE
    trough = (
        face.off(outer, 0.03 * out, 0.05),
        face.off(outer, -0.02 * out, 0.17),
        face.off(under, 0.05 * out, 0.22),
        face.off(under, -0.08 * out, 0.21),
        face.off(inner, -0.04 * out, 0.12),
        face.off(inner, -0.06 * out, 0.02),
    )
    face.fill(_NUMBER[under_eye], *face.row(lid), *trough)
    crows_feet = Region.LEFT_CROWS_FEET if out > 0 else Region.RIGHT_CROWS_FEET
    top = (face[side.brow_tail], face.off(side.temple[0], 0, -0.06))
    low = (face.off(side.temple[1], 0, 0.1), face.off(outer, 0.03 * out, 0.16))
    face.fill(_NUMBER[crows_feet], face[outer], *top, *face.row(side.temple[:2]), *low)


def _draw_middle(face: _Drawing) -> None:
    """Mouth with the nasolabial folds, chin, glabella and nose."""
    right_fold, left_fold = (
        (
            face.off(side.wing, 0.07 * side.out, -0.02),
            face.off(side.mouth_corner, 0.16 * side.out, 0.0),
            face.off(side.mouth_corner, 0.10 * side.out, 0.16),
            face.off(17, 0.13 * side.out, 0.1),
        )
        for side in (_RIGHT, _LEFT)
    )
    face.fill(_NUMBER[Region.MOUTH], *right_fold, *left_fold[::-1])
    bottom = face.row(FACE_OVAL[14:23])
    face.fill(_NUMBER[Region.CHIN], *left_fold[3:1:-1], *bottom, *right_fold[2:])
    top = (face[107], face.off(107, 0, -0.12), face.off(336, 0, -0.12), face[336])
    low = (face[285], face.off(168, 0.09, 0), face.off(168, -0.09, 0), face[55])
    face.fill(_NUMBER[Region.GLABELLA], *top, *low)
    bridge = ((168, 0.09), (6, 0.08), (197, 0.1), (195, 0.13))
    face.fill(
        _NUMBER[Region.NOSE],
        *(face.off(mesh, width, 0) for mesh, width in bridge),
        *(face.off(358, 0.015, 0), face.off(294, 0.02, 0), face.off(327, 0, 0.02)),
        face.off(2, 0, 0.02),
        *(face.off(98, 0, 0.02), face.off(64, -0.02, 0), face.off(129, -0.015, 0)),
        *(face.off(mesh, -width, 0) for mesh, width in reversed(bridge)),
    )


def _draw_excluded(face: _Drawing) -> None:
    """Eyes with the upper lid's fold, brows, lips and nostrils: nothing is ever retouched there."""
    for eye in (RIGHT_EYE, LEFT_EYE):
        face.fill(_EXCLUDED, *face.row(eye[:9], 0.025), *face.row(eye[9:], -0.08))
    for side in (_RIGHT, _LEFT):
        face.fill(_EXCLUDED, *face.row(side.brow), grow=1)
        nostril = 0.45 * face[side.columella] + 0.55 * face[side.wing_base] - 0.025 * face.down
        wide, high = 0.055 * face.across, 0.03 * face.down
        face.fill(_EXCLUDED, nostril - wide, nostril - high, nostril + wide, nostril + high)
    face.fill(_EXCLUDED, *face.row(LIPS), grow=1)


class FaceMaps(NamedTuple):
    """The maps of one face, each (12, REQUEST_SIZE, REQUEST_SIZE) 0..1 in the order of `language.plan.REGIONS`."""

    regions: NDArray[np.float32]
    """Skin only."""
    uncut: NDArray[np.float32]
    """The same but for the forehead, which goes on under hair that lies on it: where stray hairs are. Without evidence
    it is `regions` itself."""


def face_maps(landmarks: NDArray[np.floating], skin: NDArray[np.float32] | None = None) -> FaceMaps:
    """How much each place belongs to each region.

    Neighbours overlap by about a cell, so that the larger of the two stays near 1 on their border. Both maps are 0 on
    eyes, brows, lips, nostrils and outside the face.

    Args:
        landmarks: (K, 2) in crop pixels; they may lie outside the crop.
        skin: (N, N) 0..1 over the crop, N a multiple of REQUEST_SIZE, as `media.skin.skin_evidence` returns it.
    """
    whole = _weights(_draw(landmarks, HAIRLINE if skin is None else HIGHEST))
    if skin is None:
        return FaceMaps(whole, whole)
    shape = (REQUEST_SIZE, REQUEST_SIZE)
    seen = cv2.resize(skin, shape, interpolation=cv2.INTER_AREA)
    regions = whole * seen
    face = _Drawing(landmarks)
    face.fill(0, *_outline(face, HAIRLINE))
    usual = cv2.resize(cv2.inRange(face.labels, 0, 0), shape, interpolation=cv2.INTER_AREA)
    uncut = regions.copy()
    forehead = _NUMBER[Region.FOREHEAD]
    uncut[forehead] = whole[forehead] * np.maximum(seen, usual.astype(np.float32) / np.float32(255))
    return FaceMaps(regions, uncut)


def region_maps(
    landmarks: NDArray[np.floating], skin: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The `regions` of `face_maps`; arguments as there."""
    if skin is None:
        return _weights(_draw(landmarks))
    return face_maps(landmarks, skin).regions


def _weights(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(12, REQUEST_SIZE, REQUEST_SIZE) share of each cell that each region, grown a little, has of the skin."""
    skin = cv2.inRange(labels, 0, len(REGIONS) - 1)
    cells = np.empty((len(REGIONS), REQUEST_SIZE, REQUEST_SIZE), np.uint8)
    for number, out in enumerate(cells):
        grown = cv2.dilate(cv2.inRange(labels, number, number), _GROW)
        shape = (REQUEST_SIZE, REQUEST_SIZE)
        cv2.resize(cv2.bitwise_and(grown, skin), shape, dst=out, interpolation=cv2.INTER_AREA)
    return cells.astype(np.float32) / np.float32(255)


def skin_map(
    landmarks: NDArray[np.floating], skin: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(REQUEST_SIZE, REQUEST_SIZE) share 0..1 of each cell that is skin of any region; arguments as
    `face_maps`."""
    heights = HAIRLINE if skin is None else HIGHEST
    drawn = (_draw(landmarks, heights) < len(REGIONS)).astype(np.float32)
    shape = (REQUEST_SIZE, REQUEST_SIZE)
    cells = cv2.resize(drawn, shape, interpolation=cv2.INTER_AREA)
    if skin is not None:
        cells = cells * cv2.resize(skin, shape, interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32)
