"""Code values: limited and full range, BT.601 and BT.709, and what an edit is worth in each of
them.

Edits are stated in full-range BT.601 code values (see engine.EditLayer), frames may be coded
otherwise. With T the matrix from full-range RGB to (Y, Cb, Cr), chroma about 0, the same picture is
``p709 = T709 inv(T601) p601``. Grey is grey in both, so that product has the form::

    Y709 = Y601 + a . C601          inverse:  Y601 = Y709 + b . C709
    C709 = A @ C601                           C601 = inv(A) @ C709

with a, b of 2 entries (Cb, Cr) and A of 2 x 2. Being linear it holds for differences too, which is
all that an edit is. ITU-R BT.601-7 and BT.709-6 give the luma weights, their section 3 the limited
range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = Literal["bt601", "bt709"]

LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
}
"""Weights of red and of blue in luma; green has the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """How one frame codes colour, seen from full-range BT.601."""

    luma_scale: float
    """Frame codes per full-range luma code: 1 or 219/255."""
    luma_zero: float
    """Frame code of black: 0 or 16."""
    chroma_scale: float
    """Frame codes per full-range chroma code: 1 or 224/255."""
    luma_of_chroma: NDArray[np.float64]
    """a (2,): luma of this matrix that full-range BT.601 (Cb, Cr) adds; 0 for BT.601."""
    luma601_of_chroma: NDArray[np.float64]
    """b (2,): BT.601 luma that full-range (Cb, Cr) of this matrix adds; 0 for BT.601."""
    chroma_of_chroma: NDArray[np.float64]
    """A (2, 2): from BT.601 (Cb, Cr) to those of this matrix."""
    rgb: NDArray[np.float64]
    """(3, 4): from frame codes (Y, Cb, Cr, 1) to full-range RGB 0..255."""
    codes: NDArray[np.float64]
    """(3, 4): from full-range RGB (R, G, B, 1) to frame codes."""


def _from_rgb(matrix: Matrix) -> NDArray[np.float64]:
    """T: (3, 3), full-range RGB to (Y, Cb, Cr), chroma about 0."""
    red, blue = LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    cb = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - blue))
    cr = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - red))
    return np.stack((luma, cb, cr))


@lru_cache(maxsize=4)
def coding(matrix: Matrix, full_range: bool) -> Coding:
    """The coding of a frame of this matrix and range. One shared value: do not write into its
    arrays."""
    luma_scale, luma_zero = (1.0, 0.0) if full_range else (219.0 / 255.0, 16.0)
    chroma_scale = 1.0 if full_range else 224.0 / 255.0
    scale = np.array([luma_scale, chroma_scale, chroma_scale])
    zero = np.array([luma_zero, 128.0, 128.0])
    to_codes = np.column_stack((_from_rgb(matrix) * scale[:, None], zero))
    to_rgb = np.linalg.inv(to_codes[:, :3])
    # BT.601 to itself is written out: it must be exactly nothing, not nothing but for rounding.
    same = matrix == "bt601"
    step = np.eye(3) if same else _from_rgb(matrix) @ np.linalg.inv(_from_rgb("bt601"))
    back = np.linalg.inv(step).astype(np.float64)
    return Coding(
        luma_scale=luma_scale,
        luma_zero=luma_zero,
        chroma_scale=chroma_scale,
        luma_of_chroma=step[0, 1:],
        luma601_of_chroma=back[0, 1:],
        chroma_of_chroma=step[1:, 1:],
        rgb=np.column_stack((to_rgb, -to_rgb @ zero)),
        codes=to_codes,
    )
