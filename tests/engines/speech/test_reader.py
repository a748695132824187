"""Our sound model with its word model: what is sure, what is not, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engines.speech.phones import BLANK, CLASSES, PHONES
from engines.speech.reader import FOLDER, SoundReader
from stream_retouch.errors import SpeechError

pytest.importorskip("kaldi_decoder", reason="kaldi-decoder is not installed")
pytest.importorskip("kaldifst", reason="kaldifst is not installed")

SOUND = np.full(16_000, 100, np.int16)


@pytest.fixture(scope="module")
def reader() -> SoundReader:
    return SoundReader()


def frames(said: str, other: str = "") -> np.ndarray:
    """Logarithms of classes: the phones of a sentence, two frames each; the last phone may be another."""
    phones = said.split()
    logs = np.full((2 * len(phones), CLASSES), -12.0, np.float32)
    for i, phone in enumerate(phones):
        heard = other if other and i == len(phones) - 1 else phone
        logs[2 * i, PHONES.index(heard) + 1] = -0.01
        logs[2 * i + 1, BLANK] = -0.01
    return logs


def test_a_clear_command_is_sure(reader: SoundReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "classes", lambda samples: frames("K IY P M AY F R EH K AH L Z"))
    assert reader.read(SOUND) == ("keep my freckles", 0.0)


def test_a_sound_that_does_not_fit_makes_it_unsure(
    reader: SoundReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = frames("K IY P M AY F R EH K AH L Z", other="OY")
    monkeypatch.setattr(reader, "classes", lambda samples: odd)
    reading = reader.read(SOUND)
    assert reading.text.startswith("keep my freck") and -3.0 < reading.surety < -0.3


def test_silence_and_a_blip_are_no_words(reader: SoundReader) -> None:
    assert reader.read(np.zeros(32_000, np.int16)) == ("", 0.0)
    assert reader.read(SOUND[:100]).text == ""


def test_there_is_a_class_every_30_ms(reader: SoundReader) -> None:
    logs = reader.classes(np.random.default_rng(1).integers(-900, 900, 16_000).astype(np.int16))
    assert logs.shape == (34, CLASSES) and np.allclose(np.exp(logs).sum(1), 1, atol=1e-4)


@pytest.mark.parametrize("fault", ["none", "torn", "another", "no numbers"])
def test_other_files_are_refused_with_a_remedy(tmp_path: Path, fault: str) -> None:
    if fault != "none":
        shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    if fault == "torn":
        whole = (tmp_path / "sound.safetensors").read_bytes()
        (tmp_path / "sound.safetensors").write_bytes(whole[:5000])
    if fault == "another":
        about = json.loads((tmp_path / "sound.json").read_text())
        (tmp_path / "sound.json").write_text(json.dumps(about | {"width": 32}))
    if fault == "no numbers":
        (tmp_path / "words.arpa").write_text("\\1-grams:\nmole\tmole\n")
    with pytest.raises(SpeechError, match="name another folder with --speech-dir"):
        SoundReader(tmp_path)
