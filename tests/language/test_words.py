"""Spelling: what is mended and what is left alone."""

from __future__ import annotations

import pytest

from stream_retouch.language.words import Speller, edit_distance, words_of


@pytest.mark.parametrize(
    ("a", "b", "slips"),
    [("", "abc", 3), ("spot", "spot", 0), ("remvoe", "remove", 1), ("cheak", "cheek", 1), ("abc", "", 3)],
)  # fmt: skip
def test_the_edit_distance_counts_a_swap_as_one_slip(a: str, b: str, slips: int) -> None:
    assert edit_distance(a, b) == slips


def test_words_lose_case_accents_apostrophes_and_width() -> None:
    assert words_of("Crow\u2019s-feet, DON'T; ｒöd 70 %") == [
        "crow", "feet", ",", "dont", ";", "rod", "70", "%",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "mended"),
    [
        ("frekcles", "freckles"),
        ("chinn", "chin"),
        ("might", "might"),
        ("xyzzy", "xyzzy"),
        ("sopt", "sopt"),
        ("r" * 5000, "r" * 5000),
    ],
)
def test_only_near_words_are_mended(word: str, mended: str) -> None:
    assert Speller(["freckles", "chin", "right", "spot"]).mended(word) == mended
