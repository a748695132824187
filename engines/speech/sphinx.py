"""The recogniser that ships: pocketsphinx with a word model of this filter (training.language.trigram)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.speech.floor import Floor
from stream_retouch.errors import SpeechError

FOLDER = Path(__file__).parents[1] / "weights" / "speech"
"""Where the word model and its dictionary are."""
MISSING = "speech is not installed; python -m pip install 'stream-retouch[speech]'"
LM_WEIGHT, WORD_PENALTY = 6.5, 0.1
"""Weight of the word model, and of a new word: tried on sentences that are in no test."""
GAUSSIANS = 6
"""Of each mixture that are summed: 4, the library's own, is 12 % faster and on the same sentences 2 % less right."""
LEAST_SAMPLES = 1600
"""Shorter utterances, a tenth of a second, hold no word."""
_PATHS = 4
"""Paths that are looked at for each reading: many differ in their pauses only."""


class SphinxTranscriber:
    """pocketsphinx. One call at a time; holds Python's lock while it works, so give it a process of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        """Loads the models.

        Args:
            folder: holds ``words.arpa`` and ``words.dict``; None: what ships.

        Raises:
            SpeechError: pocketsphinx is not installed, or the folder does not hold what is needed.
        """
        try:
            import pocketsphinx
        except ImportError as problem:
            raise SpeechError(MISSING) from problem
        folder = folder or FOLDER
        words, sounds = folder / "words.arpa", folder / "words.dict"
        for path in (words, sounds):
            if not path.is_file():
                raise SpeechError(
                    f"{path} is not there; name another folder with --speech-dir or reinstall stream-retouch"
                )
        self._floor = Floor()
        try:
            self._decoder: Any = pocketsphinx.Decoder(
                hmm=str(Path(pocketsphinx.get_model_path("en-us")) / "en-us"),
                lm=str(words),
                dict=str(sounds),
                lw=LM_WEIGHT,
                wip=WORD_PENALTY,
                topn=GAUSSIANS,
                loglevel="FATAL",
            )
        except (RuntimeError, ValueError) as problem:
            raise SpeechError(
                f"the word model in {folder} cannot be read; reinstall stream-retouch"
            ) from problem

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples, lower case."""
        return next(iter(self.readings(samples, 1)), "")

    def readings(self, samples: NDArray[np.int16], most: int) -> list[str]:
        """Up to `most` different ways to read (N,) samples, the likeliest, `transcribe`'s, first; none in silence."""
        if len(samples) < LEAST_SAMPLES:
            return []
        whole = self._floor.under(samples).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(whole.tobytes(), full_utt=True)  # whole: cepstral means of it all
        self._decoder.end_utt()
        best = self._decoder.hyp()
        if best is None or not best.hypstr:
            return []
        found = dict.fromkeys([best.hypstr])
        if most > 1:
            further = itertools.islice(self._decoder.nbest(), _PATHS * most)
            found.update(
                dict.fromkeys(path.hypstr for path in further if path is not None and path.hypstr)
            )
        return list(found)[:most]
