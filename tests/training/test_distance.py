"""The distance of two rows counts what differs."""

from __future__ import annotations

import pytest

from training.distance import distance


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [("abc", "abc", 0), ("abc", "axc", 1), ("abc", "", 3), ("", "ab", 2)],
)
def test_distance_counts_what_differs(said: str, heard: str, wrong: int) -> None:
    assert distance(said, heard) == wrong
