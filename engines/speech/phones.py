"""The sounds of English that the sound model tells apart: ARPAbet, as the CMU dictionary writes them."""

from __future__ import annotations

PHONES = tuple(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
)
BLANK = 0
"""Class of "no new sound here" (CTC: A. Graves et al., ICML 2006); PHONES[i] is class i + 1."""
CLASSES = len(PHONES) + 1
