"""The recogniser that ships: pocketsphinx with a word model of this filter (training.language.trigram)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import SpeechError

FOLDER = Path(__file__).parents[1] / "weights" / "speech"
"""Where the word model and its dictionary are."""
MISSING = "speech is not installed; python -m pip install 'stream-retouch[speech]'"
DITHER_RMS = 80.0
"""Noise put below the voice: Opus returns near silence, on which the recogniser does worse."""
LM_WEIGHT, WORD_PENALTY = 8.0, 0.1
"""Weight of the word model, and of a new word: tried on sentences that are in no test."""
LEAST_SAMPLES = 1600
"""Shorter utterances, a tenth of a second, hold no word."""


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
        self._noise = np.random.default_rng(0)
        try:
            self._decoder: Any = pocketsphinx.Decoder(
                hmm=str(Path(pocketsphinx.get_model_path("en-us")) / "en-us"),
                lm=str(words),
                dict=str(sounds),
                lw=LM_WEIGHT,
                wip=WORD_PENALTY,
                loglevel="FATAL",
            )
        except (RuntimeError, ValueError) as problem:
            raise SpeechError(
                f"the word model in {folder} cannot be read; reinstall stream-retouch"
            ) from problem

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples, lower case."""
        if len(samples) < LEAST_SAMPLES:
            return ""
        noise = self._noise.normal(0.0, DITHER_RMS, len(samples))
        dithered = np.clip(np.rint(samples + noise), -32_768, 32_767).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(dithered.tobytes(), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return best.hypstr if best is not None else ""
