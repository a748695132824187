"""From cells to boxes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.finder_cells import MOST, OVAL_ASPECT, STRIDES, UNIT, faces_of
from stream_retouch.media.regions import CANONICAL_OVAL

ROWS, COLUMNS = 384, 640


def nothing() -> list[NDArray[np.float32]]:
    """Cells that deny everything."""
    levels = [np.zeros((6, ROWS // s, COLUMNS // s), np.float32) for s in STRIDES]
    for level in levels:
        level[0] = -9.0
    return levels


def put(
    levels: list[NDArray[np.float32]],
    x: float,
    y: float,
    size: float,
    roll: float = 0.0,
    logit: float = 3.0,
    level: int = 0,
) -> None:
    """A face told by the cell it lies in."""
    stride = STRIDES[level]
    row, column = int((y + 0.5) // stride), int((x + 0.5) // stride)
    middle = (stride - 1) / 2
    dx = (x - column * stride - middle) / stride
    dy = (y - row * stride - middle) / stride
    log_size = np.log(size / (UNIT * stride))
    levels[level][:, row, column] = logit, dx, dy, log_size, 2 * np.cos(roll), 2 * np.sin(roll)


def test_no_sure_cell_gives_no_face() -> None:
    assert faces_of(nothing()).shape == (0, 5)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_cell_tells_where_a_face_lies_how_large_and_how_rolled(level: int) -> None:
    levels = nothing()
    put(levels, 201.3, 97.8, 44.0, roll=-0.6, logit=2.0, level=level)
    (found,) = faces_of(levels)
    assert found[:4] == pytest.approx([201.3, 97.8, 44.0, -0.6], abs=1e-3)
    assert found[4] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-4)


def test_of_cells_that_tell_the_same_face_the_surest_stays() -> None:
    levels = nothing()
    put(levels, 200, 100, 60, logit=1.0, level=0)
    put(levels, 203, 102, 63, logit=4.0, level=1)
    put(levels, 213, 100, 58, logit=2.0, level=0)
    (found,) = faces_of(levels)
    assert found[2] == pytest.approx(63, abs=1e-3)


def test_neighbours_in_a_crowd_stay_apart() -> None:
    levels = nothing()
    for column in range(8):
        put(levels, 60 + 26 * column, 120, 30)
    assert len(faces_of(levels)) == 8


def test_a_crowd_of_thousands_is_cut_to_the_surest() -> None:
    levels = nothing()
    levels[0][0] = 1.0
    levels[0][3] = np.log(4.0 / (UNIT * 8))
    assert 0 < len(faces_of(levels)) <= MOST


def test_wild_numbers_do_not_raise() -> None:
    levels = nothing()
    levels[2][:, 3, 3] = 1e30, 5.0, -5.0, 1e30, 0.0, 0.0
    assert np.isfinite(faces_of(levels)).all()


def test_boxes_have_the_aspect_of_the_canonical_oval() -> None:
    width, height = CANONICAL_OVAL[1] - CANONICAL_OVAL[0]
    assert pytest.approx(width / height, abs=1e-3) == OVAL_ASPECT
