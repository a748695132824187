"""Moonshine, a recogniser trained on people's speech, with the model that its package carries.

The package moonshine-voice 0.1.0 holds the English model "tiny" (27 M parameters, MIT; N. Jeffries et al., 2024,
"Moonshine: Speech recognition for live transcription and voice commands"); later versions of it download theirs.
Nothing is downloaded here, and silence gives no words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.speech.local import SAMPLE_HZ, floats
from stream_retouch.errors import SpeechError

MISSING = "moonshine-voice is not installed; python -m pip install 'stream-retouch[moonshine]'"
MODEL = "tiny-en"
FILES = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
"""What a folder holds."""


class MoonshineTranscriber:
    """Moonshine. One call at a time."""

    def __init__(self, folder: Path | None = None) -> None:
        """Loads the model.

        Args:
            folder: of another model; one whose name holds "base" is of that size. None: the package's.

        Raises:
            SpeechError: the package is not installed, or the folder does not hold what is needed.
        """
        try:
            import moonshine_voice
        except ImportError as problem:
            raise SpeechError(MISSING) from problem
        folder = folder or Path(moonshine_voice.get_model_path(MODEL))
        for name in FILES:
            if not (folder / name).is_file():
                raise SpeechError(
                    f"{folder / name} is not there; name another folder with --speech-dir, "
                    "or install moonshine-voice==0.1.0, which carries a model"
                )
        sizes = moonshine_voice.ModelArch
        size = sizes.BASE if "base" in folder.name else sizes.TINY
        try:
            self._model: Any = moonshine_voice.Transcriber(str(folder), size)
        except moonshine_voice.MoonshineError as problem:
            raise SpeechError(
                f"the model in {folder} cannot be read; name another folder with --speech-dir"
            ) from problem

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples, with capitals and stops; silence gives none."""
        lines = self._model.transcribe_without_streaming(floats(samples).tolist(), SAMPLE_HZ).lines
        return " ".join(line.text.strip() for line in lines).strip()
