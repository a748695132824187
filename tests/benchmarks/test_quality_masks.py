"""M_s against M_gt."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.masks import mask_ssim, soft_iou, true_mask
from benchmarks.quality.views import views
from stream_retouch.engine import CROP_SIZE
from tests.benchmarks.quality_scenes import SIDE, scene

CELLS = 16


def square(first: int, last: int, value: float = 1.0) -> np.ndarray:
    mask = np.zeros((CELLS, CELLS), np.float32)
    mask[first:last, first:last] = value
    return mask


def test_equal_masks_overlap_wholly_and_others_not_at_all() -> None:
    assert soft_iou(square(2, 6), square(2, 6)) == pytest.approx(1.0)
    assert soft_iou(square(2, 6), square(8, 12)) == 0.0


def test_half_of_the_area_is_half_of_the_overlap() -> None:
    left = square(0, 8)
    left[:, 4:] = 0.0
    assert soft_iou(left, square(0, 8)) == pytest.approx(0.5)


def test_a_soft_mask_over_a_hard_one_overlaps_by_the_authors_formula() -> None:
    # on n common cells: I = (0.6 + 1) / 2 n, U = 0.6 n + n - I, which is I again
    assert soft_iou(square(2, 6, 0.6), square(2, 6)) == pytest.approx(1.0)


def test_faint_cells_count_for_nothing() -> None:
    assert soft_iou(square(2, 6, 0.5), square(0, 0)) is None


def test_the_true_mask_lies_where_the_transform_puts_the_face() -> None:
    step = SIDE / CROP_SIZE
    whole = np.array([[step, 0.0, step / 2 - 0.5], [0.0, step, step / 2 - 0.5]])
    truth = true_mask(views(scene()), whole, CELLS)
    assert truth[4:6, 4:6].min() > 0.9  # the mole's pixels 16 to 24 of 64 are cells 4 and 5 of 16
    outside = truth.copy()
    outside[3:7, 3:7] = 0.0
    assert outside.max() == 0.0
    moved = whole + np.array([[0, 0, 8.0], [0, 0, 0]])
    assert true_mask(views(scene()), moved, CELLS)[4:6, 2:4].min() > 0.9


def test_masks_are_most_like_themselves() -> None:
    assert mask_ssim(square(2, 6), square(2, 6)) == pytest.approx(1.0)
    assert mask_ssim(square(2, 6), square(8, 12)) < 0.5
