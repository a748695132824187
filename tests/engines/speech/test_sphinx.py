"""pocketsphinx with the word model that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.speech.voices import VOICES, can_speak, over_the_wire, spoken
from engines.speech.sphinx import SphinxTranscriber
from stream_retouch.errors import SpeechError

pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")


@pytest.fixture(scope="module")
def sphinx() -> SphinxTranscriber:
    return SphinxTranscriber()


def test_silence_and_a_blip_are_no_words(sphinx: SphinxTranscriber) -> None:
    assert sphinx.transcribe(np.zeros(100, np.int16)) == ""
    assert sphinx.readings(np.zeros(100, np.int16), 3) == []


@pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")
@pytest.mark.parametrize("text", ["remove the dark circles", "keep my freckles"])
def test_a_plain_command_is_understood(sphinx: SphinxTranscriber, text: str) -> None:
    heard = sphinx.transcribe(over_the_wire(spoken(text, VOICES[0])))
    assert set(text.split()) - {"the"} <= set(heard.split())


@pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")
def test_readings_differ_and_begin_with_what_is_transcribed() -> None:
    clip = over_the_wire(spoken("remove the dark circles", VOICES[0]))
    readings = SphinxTranscriber().readings(clip, 5)
    assert readings[0] == SphinxTranscriber().transcribe(clip)
    assert 1 < len(readings) == len(set(readings)) <= 5


def test_a_folder_without_the_files_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="name another folder with --speech-dir"):
        SphinxTranscriber(tmp_path)


def test_a_word_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.arpa").write_text("nonsense")
    (tmp_path / "words.dict").write_text("mole M OW L\n")
    with pytest.raises(SpeechError, match="cannot be read"):
        SphinxTranscriber(tmp_path)
