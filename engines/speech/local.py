"""Larger recognisers, from a folder of this machine: faster-whisper, Whisper through transformers, sherpa-onnx.

None of them is installed with stream-retouch, and nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import SpeechError

SAMPLE_HZ = 16_000
PROMPT = "Remove the spots on my left cheek. Keep my freckles. Smooth the crow's feet, dark circles, moles, pores."
"""Words that a recogniser should expect."""
NO_SPEECH = 0.6
"""Probability of silence from which on Whisper's words, often "Thank you", are not believed."""


def floats(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """(N,) samples as -1..1."""
    return samples.astype(np.float32) / np.float32(32_768)


def _loaded(package: str, folder: Path | None, load: Callable[[Path], Any]) -> Any:
    """What `load` makes of the folder; every fault as a SpeechError."""
    if folder is None or not folder.is_dir():
        raise SpeechError(f"{package} needs a folder with its model; name it with --speech-dir")
    try:
        return load(folder)
    except ImportError as problem:
        raise SpeechError(
            f"{package} is not installed ({problem}); python -m pip install {package}"
        ) from problem
    except Exception as problem:  # a folder of the wrong kind is met with any exception there is
        raise SpeechError(
            f"{folder} holds no model that {package} can load ({type(problem).__name__}); "
            "name another folder with --speech-dir"
        ) from problem


class FasterWhisperTranscriber:
    """faster-whisper on a CTranslate2 folder."""

    def __init__(self, folder: Path | None) -> None:
        """Raises SpeechError when the package or the model is not there."""

        def load(path: Path) -> Any:
            from faster_whisper import WhisperModel

            return WhisperModel(str(path), device="auto", cpu_threads=1, local_files_only=True)

        self._model = _loaded("faster-whisper", folder, load)

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples; silence gives none."""
        parts, _ = self._model.transcribe(
            floats(samples),
            vad_filter=True,
            condition_on_previous_text=False,
            initial_prompt=PROMPT,
        )
        return " ".join(p.text.strip() for p in parts if p.no_speech_prob < NO_SPEECH).strip()


class WhisperTranscriber:
    """Whisper through transformers, on a folder as ``save_pretrained`` writes it."""

    def __init__(self, folder: Path | None) -> None:
        """Raises SpeechError when the package or the model is not there."""

        def load(path: Path) -> tuple[Any, Any]:
            from transformers import AutoProcessor, WhisperForConditionalGeneration

            processor: Any = AutoProcessor
            model: Any = WhisperForConditionalGeneration.from_pretrained(
                path, local_files_only=True
            )
            return processor.from_pretrained(path, local_files_only=True), model.eval()

        self._processor, self._model = _loaded("transformers", folder, load)

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples."""
        sound = self._processor(floats(samples), sampling_rate=SAMPLE_HZ, return_tensors="pt")
        tokens = self._model.generate(sound.input_features, max_new_tokens=80)
        text: str = self._processor.batch_decode(tokens, skip_special_tokens=True)[0]
        return text.strip()


class SherpaTranscriber:
    """sherpa-onnx on a transducer folder: ``tokens.txt`` and ``encoder*``, ``decoder*``, ``joiner*.onnx``."""

    def __init__(self, folder: Path | None) -> None:
        """Raises SpeechError when the package or the model is not there."""

        def load(path: Path) -> Any:
            import sherpa_onnx

            parts = {
                n: str(next(path.glob(f"{n}*.onnx"))) for n in ("encoder", "decoder", "joiner")
            }
            return sherpa_onnx.OfflineRecognizer.from_transducer(
                tokens=str(path / "tokens.txt"), num_threads=1, **parts
            )

        self._model = _loaded("sherpa-onnx", folder, load)

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples, lower case."""
        stream = self._model.create_stream()
        stream.accept_waveform(SAMPLE_HZ, floats(samples))
        self._model.decode_stream(stream)
        text: str = stream.result.text
        return text.strip().lower()
