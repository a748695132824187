"""What each cell of the finder should answer for a scene, and the loss that says how far it is off.

Legend: B pictures, N cells of all levels together, 6 numbers a cell (`engines.finder_cells`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engines.finder_cells import STRIDES, UNIT

SIZES = ((0.0, 34.0), (26.0, 120.0), (80.0, 1e9))
"""Sizes of an oval in canvas pixels that each level answers for; where two overlap both do."""
BORDERLINE = 1.3
"""A face is ignored rather than denied by a level whose sizes it misses by no more than this factor."""
MIDDLE = 0.22
"""A cell is a face's own when it lies no further from the middle, in sizes (or within its own square)."""
AROUND = 0.5
"""Further cells up to here, in sizes, are neither right nor wrong."""
FOCUS = 2.0
"""Exponent of the focal loss (Lin 2017): cells that are sure and right stop counting."""
PLACE_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class Truth:
    """One face in a scene, canvas pixels."""

    x: float
    y: float
    """Middle of the oval's box (`FaceBox`)."""
    size: float
    """Square root of the box's area."""
    roll: float
    """Radians, clockwise in the picture."""
    ignore: bool = False
    """Neither to be found nor to be denied."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """All cells of one picture; levels follow each other in the order of STRIDES, rows first."""

    face: NDArray[np.float32]
    """(N,) 1 = a face's own, 0 = none, -1 = do not look."""
    place: NDArray[np.float32]
    """(N, 4): x, y, size in canvas pixels, roll in radians; means something where face is 1."""


def cell_middles(rows: int, columns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """((N, 2) x and y of every cell's middle in canvas pixels, (N,) its stride)."""
    middles, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: rows // stride, : columns // stride].astype(np.float32)
        middles.append(np.stack([x, y], -1).reshape(-1, 2) * stride + (stride - 1) / 2)
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(middles), np.concatenate(strides)


def targets(truths: Iterable[Truth], rows: int, columns: int) -> Targets:
    """The cells' answers for a canvas of that size; a cell of two faces is the nearer one's."""
    middles, strides = cell_middles(rows, columns)
    face = np.zeros(len(middles), np.float32)
    place = np.zeros((len(middles), 4), np.float32)
    nearest = np.full(len(middles), np.inf, np.float32)
    low, high = (
        np.array(side)[np.searchsorted(STRIDES, strides)] for side in zip(*SIZES, strict=True)
    )
    for truth in truths:
        away = np.abs(middles - np.array([truth.x, truth.y], np.float32))
        distance = np.hypot(away[:, 0], away[:, 1])
        square = away.max(axis=1) <= 0.5 * strides
        fits = (low <= truth.size) & (truth.size < high)
        nearly = (low / BORDERLINE <= truth.size) & (truth.size < high * BORDERLINE)
        own = (
            fits & ((distance <= MIDDLE * truth.size) | square) & (distance / truth.size < nearest)
        )
        if truth.ignore:
            own[:] = False
        unsure = (distance <= AROUND * truth.size) & (nearly | truth.ignore)
        face[unsure & (face == 0) & ~own] = -1
        face[own] = 1
        place[own] = truth.x, truth.y, truth.size, truth.roll
        nearest[own] = distance[own] / truth.size
    return Targets(face, place)


class FinderLoss:
    """Loss of the net's answers on a batch; one canvas size."""

    def __init__(self, rows: int, columns: int) -> None:
        middles, strides = cell_middles(rows, columns)
        self._middles, self._strides = torch.from_numpy(middles), torch.from_numpy(strides)

    def __call__(
        self, cells: tuple[Tensor, ...], face_BN: Tensor, place_BN4: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(focal loss of the face logits, loss of place, size and roll), each a mean over the faces' own cells."""
        answer_BN6 = torch.cat([level.flatten(2) for level in cells], dim=2).transpose(1, 2).float()
        logit_BN = answer_BN6[..., 0]
        own_BN = face_BN > 0
        count = own_BN.sum().clamp(min=1)
        plain_BN = F.binary_cross_entropy_with_logits(logit_BN, own_BN.float(), reduction="none")
        wrong_BN = 1 - torch.exp(-plain_BN)
        seen_BN = (face_BN >= 0).float()
        face_loss = (plain_BN * wrong_BN**FOCUS * seen_BN).sum() / count
        answer_P6, place_P4 = answer_BN6[own_BN], place_BN4[own_BN]
        middle_P2 = self._middles.expand(len(face_BN), -1, -1)[own_BN]
        stride_P = self._strides.expand(len(face_BN), -1)[own_BN]
        x_P2 = middle_P2 + answer_P6[:, 1:3] * stride_P[:, None]
        off_P2 = (x_P2 - place_P4[:, :2]) / place_P4[:, 2:3]
        size_P = answer_P6[:, 3] - torch.log(place_P4[:, 2] / (UNIT * stride_P))
        turn_P2 = torch.stack([torch.cos(place_P4[:, 3]), torch.sin(place_P4[:, 3])], dim=1)
        errors_P5 = torch.cat([off_P2 * 2, size_P[:, None], answer_P6[:, 4:] - turn_P2], dim=1)
        place_loss = F.smooth_l1_loss(
            errors_P5, torch.zeros_like(errors_P5), beta=0.05, reduction="sum"
        )
        return face_loss, PLACE_WEIGHT * place_loss / count
