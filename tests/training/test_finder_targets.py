"""What the finder's cells are told, and the loss that goes with it."""

import math

import numpy as np
import pytest
import torch

from engines.finder_cells import STRIDES, UNIT, faces_of
from training.finder_targets import FinderLoss, Truth, cell_middles, targets

ROWS, COLUMNS = 192, 320


def perfect(truths: list[Truth], sure: float = 8.0) -> tuple[torch.Tensor, ...]:
    """Cells that say exactly what the targets want."""
    wanted = targets(truths, ROWS, COLUMNS)
    middles, strides = cell_middles(ROWS, COLUMNS)
    own = wanted.face == 1
    answer = np.zeros((len(middles), 6), np.float32)
    answer[:, 0] = np.where(own, sure, -sure)
    place = np.where(own[:, None], wanted.place, 1.0)
    answer[:, 1:3] = (place[:, :2] - middles) / strides[:, None]
    answer[:, 3] = np.log(place[:, 2] / (UNIT * strides))
    answer[:, 4], answer[:, 5] = np.cos(place[:, 3]), np.sin(place[:, 3])
    levels, start = [], 0
    for stride in STRIDES:
        rows, columns = ROWS // stride, COLUMNS // stride
        piece = answer[start : start + rows * columns]
        levels.append(torch.from_numpy(piece.T.reshape(1, 6, rows, columns).copy()))
        start += rows * columns
    return tuple(levels)


@pytest.mark.parametrize("size", [9.0, 20.0, 33.0, 60.0, 119.0, 190.0])
def test_a_face_of_any_size_has_cells_of_its_own_and_reads_back_as_it_was(size: float) -> None:
    truth = Truth(150.0, 90.0, size, 0.4)
    assert (targets([truth], ROWS, COLUMNS).face == 1).any()
    (found,) = faces_of([level[0].numpy() for level in perfect([truth])])
    assert found[:4] == pytest.approx([150, 90, size, 0.4], abs=1e-2)


def test_an_ignored_face_is_neither_asked_for_nor_denied() -> None:
    wanted = targets([Truth(150, 90, 60, 0.0, ignore=True)], ROWS, COLUMNS)
    assert not (wanted.face == 1).any() and (wanted.face == -1).any()


def test_cells_far_from_every_face_deny() -> None:
    wanted = targets([Truth(150, 90, 60, 0.0)], ROWS, COLUMNS)
    middles, _ = cell_middles(ROWS, COLUMNS)
    far = np.hypot(*(middles - [150, 90]).T) > 60
    assert (wanted.face[far] == 0).all()


def test_the_right_answer_costs_next_to_nothing_and_any_mistake_more() -> None:
    truths = [Truth(100, 80, 40, 0.2), Truth(240, 100, 70, -0.5)]
    wanted = targets(truths, ROWS, COLUMNS)
    face, place = torch.from_numpy(wanted.face)[None], torch.from_numpy(wanted.place)[None]
    loss = FinderLoss(ROWS, COLUMNS)
    face_loss, place_loss = loss(perfect(truths), face, place)
    assert float(face_loss) < 1e-3 and float(place_loss) < 1e-5
    unsure, _ = loss(perfect(truths, sure=0.0), face, place)
    assert float(unsure) > 0.1
    for moved in (
        Truth(103, 80, 40, 0.2),
        Truth(100, 80, 46, 0.2),
        Truth(100, 80, 40, 0.2 + math.pi / 6),
    ):
        wrong = targets([moved, truths[1]], ROWS, COLUMNS)
        same = wrong.face == wanted.face
        there = torch.from_numpy(np.where(same, wanted.face, -1))[None]
        _, off = loss(perfect(truths), there, torch.from_numpy(wrong.place)[None])
        assert float(off) > 0.02
