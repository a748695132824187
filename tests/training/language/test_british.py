"""British pronunciations by rule."""

from __future__ import annotations

import pytest

from training.language.british import british


@pytest.mark.parametrize(
    ("word", "american", "expected"),
    [
        ("scar", "S K AA R", "S K AA"),
        ("hair", "HH EH R", "HH EH AH"),
        ("under", "AH N D ER", "AH N D AH"),
        ("corner", "K AO R N ER", "K AO N AH"),
        ("circles", "S ER K AH L Z", "S ER K AH L Z"),
        ("areas", "EH R IY AH Z", "EH R IY AH Z"),
        ("spots", "S P AA T S", "S P AO T S"),
        ("half", "HH AE F", "HH AA F"),
        ("mole", "M OW L", "M OW L"),
    ],
)
def test_r_goes_before_consonants_and_o_is_round(word: str, american: str, expected: str) -> None:
    assert british(word, american) == expected
