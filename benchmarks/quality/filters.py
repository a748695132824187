"""The classical filters at their best setting, which `tune` found, and the settings it tried.

All act on skin only. Lengths are in percent of the side of the face's square (the canonical crop), so that a setting
does the same to a near face and to a far one. They take no words: they smooth whatever was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.classical import gpupixel
from benchmarks.quality.pictures import Box, Rgb, bytes_of, inside

Setting = Mapping[str, float]
Skin = NDArray[np.float32]

GRID: dict[str, dict[str, tuple[float, ...]]] = {
    "bilateral": {"space": (0.8, 1.6, 2.4, 3.2, 4.8), "codes": (30, 45, 70, 110, 170)},
    "guided": {"radius": (1.0, 2.0, 3.0, 4.0), "eps": (0.001, 0.003, 0.01, 0.02, 0.04)},
    "gpupixel": {
        "radius": (1.0, 2.0, 3.0, 4.0, 6.0, 9.0),
        "alpha": (0.7, 1.0),
        "sharpen": (0.0, 0.15),
    },
}
"""Every setting that was tried. ``space``: sigma in space, percent; ``codes``: sigma in code values; ``eps``: variance
of values 0..1 below which a window counts as flat; ``alpha``, ``sharpen``: as `benchmarks.classical.gpupixel`."""

BEST: dict[str, Setting] = {
    "bilateral": {"space": 3.2, "codes": 110},
    "guided": {"radius": 3.0, "eps": 0.02},
    "gpupixel": {"radius": 3.0, "alpha": 1.0, "sharpen": 0.0},
}
"""The setting with the greatest `masked_psnr_gain_db` over the tuning scenes (``--tune``)."""


def bilateral(picture: Rgb, skin: Skin, percent: float, setting: Setting) -> Rgb:
    """Tomasi and Manduchi's filter (ICCV 1998).

    Args:
        picture: (R, R, 3) RGB code values, as for the others.
        skin: (R, R) 0..1.
        percent: pixels that are a percent of the square's side.
    """
    sigma = setting["space"] * percent
    reach = 2 * max(round(1.5 * sigma), 1) + 1
    smooth = cv2.bilateralFilter(bytes_of(picture), reach, setting["codes"], sigma)
    return _on_skin(picture, smooth.astype(np.float32), skin)


def guided(picture: Rgb, skin: Skin, percent: float, setting: Setting) -> Rgb:
    """He, Sun and Tang's filter (ECCV 2010, equations 5, 6 and 8), each channel its own guide."""
    side = 2 * max(round(setting["radius"] * percent), 1) + 1
    p = picture / np.float32(255.0)
    mean = cv2.blur(p, (side, side))
    variance = cv2.blur(p * p, (side, side)) - mean * mean
    a = variance / (variance + np.float32(setting["eps"]))
    b = mean - a * mean
    smooth = cv2.blur(a, (side, side)) * p + cv2.blur(b, (side, side))
    return _on_skin(picture, np.asarray(smooth * 255.0, np.float32), skin)


def mean_variance(picture: Rgb, skin: Skin, percent: float, setting: Setting) -> Rgb:
    """GPUPixel-style smoothing."""
    radius = setting["radius"] * percent
    return gpupixel(picture, skin, radius, setting["alpha"], setting["sharpen"])


FILTERS: dict[str, Callable[[Rgb, Skin, float, Setting], Rgb]] = {
    "bilateral": bilateral,
    "guided": guided,
    "gpupixel": mean_variance,
}


def filtered(name: str, picture: Rgb, skin: Skin, box: Box, setting: Setting | None = None) -> Rgb:
    """The whole picture with the face's square filtered; at its best setting if none is given."""
    square = inside(box)
    out = picture.copy()
    percent = box[2] / 100.0
    out[square] = FILTERS[name](picture[square], skin[square], percent, setting or BEST[name])
    return out


def _on_skin(picture: Rgb, smooth: Rgb, skin: Skin) -> Rgb:
    return np.asarray(picture + (smooth - picture) * skin[..., None], np.float32)
