"""Words from the sound model of ours and the word model of this filter, and how sure they are."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.speech.graph import compiled
from engines.speech.local import floats
from engines.speech.phones import BLANK
from engines.speech.sound_model import SoundModel
from engines.speech.sphinx import FOLDER, LEAST_SAMPLES, MISSING
from stream_retouch.errors import SpeechError

LM_WEIGHT = 0.7
"""Of the word model's logarithms beside the sound model's; others have not been tried."""
BEAM, MOST_ACTIVE = 14.0, 3000
"""How much worse than the best a path may be, and how many are followed."""


class Reading(NamedTuple):
    """What was heard."""

    text: str
    """Lower case; empty for silence."""
    surety: float
    """At most 0: natural logarithm of how much less likely the sounds of these words are than the likeliest sounds of
    any, for each phone."""


class SoundReader:
    """One call at a time."""

    def __init__(self, folder: Path | None = None) -> None:
        """Loads the models and composes the graph, some two seconds.

        Args:
            folder: holds ``sound.safetensors``, ``sound.json``, ``words.arpa`` and ``words.dict``; None: what ships.

        Raises:
            SpeechError: kaldi-decoder is not installed, or the folder does not hold what is needed.
        """
        try:
            import kaldi_decoder
            import kaldifst
        except ImportError as problem:
            raise SpeechError(MISSING) from problem
        folder = folder or FOLDER
        self._model = SoundModel(folder)
        try:
            graph, self._words = compiled(folder / "words.arpa", folder / "words.dict", LM_WEIGHT)
        except (OSError, ValueError) as problem:
            raise SpeechError(
                f"the word model in {folder} cannot be read; name another folder with --speech-dir "
                "or reinstall stream-retouch"
            ) from problem
        options = kaldi_decoder.FasterDecoderOptions(beam=BEAM, max_active=MOST_ACTIVE)
        self._graph: Any = graph  # the decoder only points to it
        self._decoder: Any = kaldi_decoder.FasterDecoder(graph, options)
        self._decodable: Any = kaldi_decoder.DecodableCtc
        self._sequence: Any = kaldifst.get_linear_symbol_sequence

    def read(self, samples: NDArray[np.int16]) -> Reading:
        """The words in (N,) samples of 16 kHz."""
        if len(samples) < LEAST_SAMPLES or not samples.any():
            return Reading("", 0.0)
        logs = self.classes(samples)
        self._decoder.decode(self._decodable(logs))
        is_found, best = self._decoder.get_best_path()
        if not is_found:
            return Reading("", -np.inf)
        _, labels, numbers, _ = self._sequence(best)
        classes = np.array(labels) - 1  # one a frame
        said = logs[np.arange(len(logs)), classes].sum()
        phones = sum(1 for label, _ in itertools.groupby(classes.tolist()) if label != BLANK)
        surety = float(said - logs.max(1).sum()) / max(phones, 1)
        return Reading(self._words.text(numbers), surety)

    def classes(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """(T, CLASSES) natural logarithms, every 30 ms of (N,) samples."""
        return self._model.classes(floats(samples))
