"""Figures by skin tone, and the gap between the lightest and the darkest third."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.sums import Sums
from benchmarks.quality.tones import Person, by_tone, gaps, ita_deg, tone_of


def person(angle: float, left: float) -> Person:
    """Of whose squared error a share `left` is left."""
    nothing = Sums(masked=1000.0, masked_n=10.0, left=100.0, named=100.0)
    ours = Sums(masked=1000.0 * left, masked_n=10.0, left=100.0 * left, named=100.0)
    return Person([angle], nothing, ours)


def test_tones_are_told_apart_by_their_angle() -> None:
    assert [tone_of(a) for a in (60.0, 35.0, -10.0)] == ["light", "intermediate", "tan to dark"]


def test_darker_skin_has_a_smaller_angle() -> None:
    skin = np.ones((8, 8), np.float32)
    light, dark = (
        ita_deg(np.full((8, 8, 3), colour, np.float32), skin)
        for colour in ((230, 200, 185), (90, 60, 45))
    )
    assert light > 41 > 28 > dark


def test_the_gap_is_the_lightest_third_less_the_darkest() -> None:
    people = [person(60.0 + i, 0.1) for i in range(6)] + [person(i, 0.2) for i in range(6)]
    found = gaps(people)
    assert found["tone_gap_db"] == pytest.approx(10 * np.log10(2), abs=0.01)
    assert found["tone_gap_db_ci95"] == [pytest.approx(3.01, abs=0.01)] * 2
    assert found["tone_gap_removed"] == pytest.approx(0.1)


def test_persons_that_differ_widen_the_interval_around_the_gap() -> None:
    shares = (0.05, 0.3, 0.1, 0.2, 0.02)
    people = [person(float(i), shares[i % 5]) for i in range(15)]
    low, high = gaps(people)["tone_gap_db_ci95"]
    assert low < 0 < high


def test_too_few_persons_have_no_gap_and_small_groups_are_not_shown() -> None:
    people = [person(60.0, 0.1)] * 5 + [person(0.0, 0.1)] * 4
    found = gaps(people)
    assert found["tone_gap_db"] is None and "9 persons" in found["tone_gap_note"]
    shown = by_tone(people)
    assert shown["light"]["persons"] == 5 and shown["light"]["masked_psnr_gain_db"] == 10.0
    assert shown["tan to dark"] == "4 persons: not shown"
