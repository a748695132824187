"""Where skin may be painted on a portrait, from its mesh points and its colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import FACE_OVAL, LEFT_BROW, LEFT_EYE, LIPS, RIGHT_BROW, RIGHT_EYE

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_RISE = {
    10: 1.0,
    338: 1.0,
    297: 0.95,
    332: 0.75,
    284: 0.35,
    109: 1.0,
    67: 0.95,
    103: 0.75,
    54: 0.35,
}
"""How far points of the oval rise to the hairline, as a share of 0.3 eye distances: the mesh ends below it."""
_NOSTRILS = ((98, 97, 2), (327, 326, 2))
_CHEEKS = (50, 101, 205, 118, 280, 330, 425, 347, 36, 266)


def skin_of(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """(R, R) 0..1 paintable skin: inside the face up to the hairline, without eyes, brows, lips, nostrils, hair.

    Hair, glasses' frames and background are left out by colour: what is far from the cheeks' colour at a scale of
    two units. Lenses cannot be told from skin.

    Args:
        rgb: (R, R, 3) upright aligned face.
        landmarks: (478, 2) in its pixels.
    """
    side = rgb.shape[0]
    across = landmarks[263] - landmarks[33]
    unit = float(np.hypot(*across)) / 100.0
    down = np.array((-across[1], across[0]), np.float32)
    oval = np.array([landmarks[i] - 0.3 * _RISE.get(i, 0.0) * down for i in FACE_OVAL])
    face = _filled(side, [oval])
    face = cv2.erode(face, _disc(2.0 * unit))
    shut = np.zeros((side, side), np.uint8)
    for eye in (RIGHT_EYE, LEFT_EYE):
        lid = landmarks[list(eye)].copy()
        lid[:9] += 0.022 * down
        lid[9:] -= 0.05 * down
        shut |= _filled(side, [lid])
    for brow in (RIGHT_BROW, LEFT_BROW):
        shut |= cv2.dilate(
            _filled(side, [cv2.convexHull(landmarks[list(brow)])[:, 0]]), _disc(1.5 * unit)
        )
    shut |= cv2.dilate(_filled(side, [landmarks[list(LIPS)]]), _disc(1.0 * unit))
    for wing, foot, base in _NOSTRILS:
        hole = 0.5 * landmarks[foot] + 0.4 * landmarks[wing] + 0.1 * landmarks[base] - 0.02 * down
        cv2.ellipse(
            shut,
            (tuple(float(v) for v in hole), (9.0 * unit, 5.0 * unit), 0.0),
            255,
            -1,
        )
    shape = np.where(shut > 0, 0, face)
    allowed = shape.astype(np.float32) / 255.0 * _skin_coloured(rgb, landmarks, unit)
    return np.clip(cv2.GaussianBlur(allowed, (0, 0), 0.8 * unit) * 1.6 - 0.5, 0.0, 1.0)


def _skin_coloured(
    rgb: NDArray[np.uint8], landmarks: NDArray[np.float32], unit: float
) -> NDArray[np.float32]:
    """(R, R) 0..1 how near each place is to the cheeks' colour; nearness is wide in luma, narrow in hue."""
    side = rgb.shape[0]
    small = cv2.resize(rgb, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.6 * unit / 2, 0.5)).astype(np.float32) / 255.0
    log = np.log(np.maximum(blurred, 0.02))
    luma = np.log(np.maximum(blurred @ _LUMA, 0.02))
    ratio = np.stack((log[..., 0] - log[..., 1], log[..., 1] - log[..., 2]), -1)
    where = np.clip((landmarks[list(_CHEEKS)] / 2).astype(int), 0, side // 2 - 1)
    level = np.median(luma[where[:, 1], where[:, 0]])
    hue = np.median(ratio[where[:, 1], where[:, 0]], axis=0)
    # On dark skin shade is deeper and hue less sure; hair is told by its roughness there.
    loose = float(np.clip((-0.9 - level) / 0.6, 0.0, 1.0))
    dark = np.clip((luma - level + 0.75 + 0.45 * loose) / 0.25, 0.0, 1.0)
    wide = 1.0 + 1.2 * loose
    far = np.hypot((ratio[..., 0] - hue[0]) / 0.22, (ratio[..., 1] - hue[1]) / 0.30) / wide
    near = np.clip((1.6 - far) / 0.5, 0.0, 1.0)
    # Thin hairs make a place rough: on skin the darkest point of a neighbourhood is not far below its mean.
    lowest = cv2.erode(luma, _disc(1.2 * unit / 2))
    mean = cv2.blur(luma, (max(int(4 * unit / 2), 3),) * 2)
    smooth = np.clip((lowest - mean + 0.75) / 0.25, 0.0, 1.0)
    keep = cv2.morphologyEx(dark * near * smooth, cv2.MORPH_CLOSE, _disc(4.0 * unit / 2))
    keep = cv2.morphologyEx(keep, cv2.MORPH_OPEN, _disc(2.5 * unit / 2))
    return cv2.resize(keep, (side, side), interpolation=cv2.INTER_LINEAR)


def _filled(side: int, polygons: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    out = np.zeros((side, side), np.uint8)
    cv2.fillPoly(out, [np.rint(p * 16).astype(np.int32) for p in polygons], 255, cv2.LINE_AA, 4)
    return out


def _disc(radius: float) -> NDArray[np.uint8]:
    size = 2 * max(round(radius), 1) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
