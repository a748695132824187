"""Recognisers from a folder: what is missing is said with the remedy, and nothing is downloaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.speech.local import FasterWhisperTranscriber, SherpaTranscriber, WhisperTranscriber
from stream_retouch.engine import Transcriber
from stream_retouch.errors import SpeechError

ALL: list[Callable[[Path | None], Transcriber]] = [
    FasterWhisperTranscriber,
    WhisperTranscriber,
    SherpaTranscriber,
]


@pytest.mark.parametrize("make", ALL)
def test_without_a_folder_it_asks_for_one(make: Callable[[Path | None], Transcriber]) -> None:
    with pytest.raises(SpeechError, match="name it with --speech-dir"):
        make(None)


@pytest.mark.parametrize("make", ALL)
def test_an_empty_folder_or_a_missing_package_is_a_sentence(
    make: Callable[[Path | None], Transcriber], tmp_path: Path
) -> None:
    with pytest.raises(SpeechError, match="(--speech-dir|pip install)"):
        make(tmp_path)


@pytest.mark.skipif(
    importlib.util.find_spec("faster_whisper") is not None, reason="faster-whisper is installed"
)
def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="python -m pip install faster-whisper"):
        FasterWhisperTranscriber(tmp_path)
