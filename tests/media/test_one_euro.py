"""OneEuro: passes, settles, forgets, and is never further behind than it was told."""

from __future__ import annotations

import numpy as np
import pytest

from stream_retouch.media.one_euro import OneEuro

STEP_S = 1 / 30


def test_the_first_rows_pass_and_still_ones_settle() -> None:
    smooth = OneEuro(still_hz=1.0, per_unit=0.0)
    assert (smooth(np.zeros((1, 2)), STEP_S) == 0).all()
    for _ in range(120):
        out = smooth(np.ones((1, 2)), STEP_S)
    assert out == pytest.approx(np.ones((1, 2)), abs=1e-3)


def test_it_forgets_on_reset() -> None:
    smooth = OneEuro(still_hz=1.0, per_unit=0.0)
    smooth(np.zeros((1, 2)), STEP_S)
    smooth.reset()
    assert smooth.rate is None
    assert (smooth(np.ones((1, 2)), STEP_S) == 1).all()


def test_no_row_lags_further_than_the_slip_whatever_the_motion() -> None:
    rng = np.random.default_rng(0)
    smooth, rows = OneEuro(still_hz=0.1, per_unit=0.0), np.zeros((3, 2))
    far = []
    for _ in range(200):
        rows = rows + rng.normal(0, 3.0, (3, 1)) * rng.normal(0, 1.0, (3, 2))
        far.append(np.linalg.norm(smooth(rows, STEP_S, slip=0.5) - rows, axis=1))
    assert np.max(far) <= 0.5 + 1e-9 and np.max(far) > 0.49


def test_slow_rows_are_smoothed_and_quick_rows_are_followed() -> None:
    smooth = OneEuro(still_hz=0.5, per_unit=40.0, quiet=0.1)
    for i in range(60):
        rows = np.array([[0.05 * i * STEP_S, 0.0], [2.0 * i * STEP_S, 0.0]])
        out = smooth(rows, STEP_S)
    slow, quick = (rows - out)[:, 0]
    assert 0.002 < slow < 0.016
    assert 0 < quick < 1 / (2 * np.pi * 40)


def test_a_step_of_its_rate_leads_from_a_smoothed_row_to_the_next_row_itself() -> None:
    smooth = OneEuro(still_hz=0.5, per_unit=40.0)
    for i in range(150):
        out = smooth(np.array([[3.0 * i * STEP_S, 0.0]]), STEP_S, unit=2.0)
    assert smooth.rate is not None
    assert out[0, 0] + smooth.rate[0, 0] * 2.0 * STEP_S == pytest.approx(
        3.0 * 150 * STEP_S, abs=1e-3
    )
