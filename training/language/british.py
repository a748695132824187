"""How a word sounds in southern England, made from its American phones by rule: no r before a consonant, a round o.

The recogniser's dictionary is American. What the rules make is a further way to say the word, beside the American one.
"""

from __future__ import annotations

_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
_GLIDING = frozenset("IH IY EH UH UW AY AW OY".split())
"""Vowels that end in a schwa where the r is gone: "hair", "clear", "tired"."""
_LONG_A = frozenset(
    "half laugh laughing laughter last past fast faster after can't rather mask masks glass glasses ask asked grass "
    "path plaster staff draft task example advanced chance dance branch calf staph halfway aftershave".split()
)
"""Words with the a of "father"."""


def british(word: str, phones: str) -> str:
    """The British way to say a word; the American one where they are the same.

    Args:
        word: as it is written.
        phones: American ones of the CMU kind, with a space between.
    """
    said = phones.split()
    if word in _LONG_A:
        said = ["AA" if phone == "AE" else phone for phone in said]
    if "o" in word or "wa" in word:
        said = _round_o(said)
    return " ".join(_without_r(said))


def _round_o(said: list[str]) -> list[str]:
    after = [*said[1:], ""]
    return ["AO" if p == "AA" and n != "R" else p for p, n in zip(said, after, strict=True)]


def _without_r(said: list[str]) -> list[str]:
    found: list[str] = []
    for i, phone in enumerate(said):
        before, after = said[i - 1] if i else "", said[i + 1] if i + 1 < len(said) else ""
        if phone == "ER" and after not in _VOWELS and any(p in _VOWELS for p in said[:i]):
            found.append("AH")
        elif phone == "R" and before in _VOWELS and after not in _VOWELS:
            found += ["AH"] if before in _GLIDING else []
        else:
            found.append(phone)
    return found
