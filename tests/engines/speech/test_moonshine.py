"""Moonshine: with a stand-in for its package everywhere, and with the package where it is installed."""

from __future__ import annotations

import importlib.util
import sys
import wave
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engines.speech.moonshine import FILES, MODEL, MoonshineTranscriber
from stream_retouch.errors import SpeechError

is_installed = importlib.util.find_spec("moonshine_voice") is not None


class Unreadable(Exception):
    """Stands for the package's own error."""


class Heard:
    """Stands for the package's Transcriber."""

    def __init__(self, folder: str, size: str) -> None:
        if "broken" in folder:
            raise Unreadable("unknown")
        self.size = size

    def transcribe_without_streaming(self, samples: list[float], rate: int) -> Any:
        assert rate == 16_000 and max(map(abs, samples)) <= 1
        words = [f"{len(samples)} samples,", f" loudest {max(samples):.2f}. "]
        return SimpleNamespace(lines=[SimpleNamespace(text=text) for text in words])


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the stand-in's models."""
    stand_in: Any = ModuleType("moonshine_voice")
    stand_in.get_model_path = lambda name: tmp_path / name
    stand_in.ModelArch = SimpleNamespace(TINY="tiny", BASE="base")
    stand_in.MoonshineError, stand_in.Transcriber = Unreadable, Heard
    monkeypatch.setitem(sys.modules, "moonshine_voice", stand_in)
    return tmp_path


def model(folder: Path) -> Path:
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(b"model")
    return folder


def test_what_was_heard_is_one_line(package: Path) -> None:
    model(package / MODEL)
    samples = np.array([0, 16_384, -32_768], np.int16)
    assert MoonshineTranscriber().transcribe(samples) == "3 samples, loudest 0.50."


@pytest.mark.parametrize(("name", "size"), [("mine", "tiny"), ("base-en", "base")])
def test_a_folder_tells_its_size(package: Path, name: str, size: str) -> None:
    assert MoonshineTranscriber(model(package / name))._model.size == size


def test_a_package_without_its_model_says_what_to_do(package: Path) -> None:
    (model(package / MODEL) / "tokenizer.bin").unlink()
    with pytest.raises(SpeechError, match=r"tokenizer.bin is not there; .*moonshine-voice==0.1.0"):
        MoonshineTranscriber()


def test_a_model_that_is_none_is_refused(package: Path) -> None:
    with pytest.raises(SpeechError, match="cannot be read; name another folder"):
        MoonshineTranscriber(model(package / "broken"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    with pytest.raises(SpeechError, match=r"pip install 'stream-retouch\[moonshine\]'"):
        MoonshineTranscriber()


@pytest.mark.skipif(not is_installed, reason="moonshine-voice is not installed")
def test_a_persons_voice_is_understood_and_silence_gives_no_words() -> None:
    import moonshine_voice

    with wave.open(str(moonshine_voice.get_assets_path() / "beckett.wav")) as sound:
        assert sound.getframerate() == 16_000
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    transcriber = MoonshineTranscriber()
    heard = transcriber.transcribe(samples.astype(np.int16)).lower()
    assert "ever tried. ever failed. no matter. try again." in heard
    assert transcriber.transcribe(np.zeros(32_000, np.int16)) == ""
