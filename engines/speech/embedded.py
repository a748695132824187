"""The recogniser that ships: our sound model where it is sure of the words, together with pocketsphinx where it is not.

Ours has learned from synthetic voices alone. It says itself when it meets a voice that is too strange for it, as most
people's are so far; pocketsphinx's sounds were learned from people. Where neither is sure of itself, what both hold for
possible is taken.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.speech.reader import SoundReader
from engines.speech.sphinx import SphinxTranscriber

SURE = -0.15
"""Least `Reading.surety` that needs no second reading. Tried on development sentences in other voices of espeak-ng and
in MBROLA's, and on a hundred prompts of a person: below it pocketsphinx is right as often."""
POSSIBLE, READINGS = -0.5, 20
"""Least surety of words that are taken if they are among so many readings of pocketsphinx: tried likewise."""


class EmbeddedTranscriber:
    """Both. One call at a time; holds Python's lock while it works, so give it a process of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        """Loads both, some two seconds.

        Args:
            folder: of other models; None: what ships.

        Raises:
            SpeechError: a package is not installed, or the folder does not hold what is needed.
        """
        self._sphinx = SphinxTranscriber(folder)
        self._ours = SoundReader(folder)

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples of 16 kHz, lower case; none in silence."""
        text, surety = self._ours.read(samples)
        if text and surety >= SURE:  # a voice too strange for it may leave nothing at all
            return text
        others = self._sphinx.readings(samples, READINGS)
        if surety >= POSSIBLE and text in others:
            return text
        return others[0] if others else ""
