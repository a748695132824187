"""The benchmark of speech: keyword classes, word errors, sentences and voices; what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speech.measure import Sums, clips, held
from benchmarks.speech.report import table
from benchmarks.speech.said import HELD_OUT, MEETING, MOST_WORDS, instructions
from benchmarks.speech.slots import slots, word_errors
from benchmarks.speech.voices import HEARD_HZ, VOICES, WIRE_HZ, can_speak, noisy, over_the_wire
from training.language.spoken import words_said


def tone(seconds: float) -> np.ndarray:
    """A tone of 300 Hz at WIRE_HZ between two pauses."""
    at = np.arange(round(seconds * WIRE_HZ))
    loud = (at > len(at) // 4) & (at < 3 * len(at) // 4)
    return np.rint(8000 * loud * np.sin(2 * np.pi * 300 * at / WIRE_HZ)).astype(np.int16)


@pytest.mark.parametrize(
    ("said", "heard", "same"),
    [
        ("remove the spots on my left cheek", "erase that spots from the left cheek", True),
        ("keep my freckles", "don't touch my freckles", True),
        ("remove my freckles", "keep my freckles", False),
        ("the left cheek", "the right cheek", False),
        ("redness 50%", "redness fifty percent", True),
        ("redness 50%", "redness sixty percent", False),
        ("a bit stronger", "a bit weaker", False),
    ],
)
def test_slots_are_the_keywords_that_matter(said: str, heard: str, same: bool) -> None:
    assert (slots(said) == slots(heard)) == same


def test_word_errors_count_what_is_put_in_left_out_and_changed() -> None:
    assert word_errors("keep my mole", "keep my mole") == (0, 3)
    assert word_errors("keep my mole", "keep the big mole") == (2, 3)
    assert word_errors("keep my mole", "") == (3, 3)


def test_the_sentences_are_short_and_the_same_each_time() -> None:
    drawn = instructions(HELD_OUT, 60)
    assert len(set(drawn)) == 60 and drawn == instructions(HELD_OUT, 60)
    assert all(len(words_said(text)) <= MOST_WORDS and slots(text) for text in drawn)


def test_opus_keeps_the_tone_and_its_length() -> None:
    clip = over_the_wire(tone(1.0))
    assert abs(len(clip) / HEARD_HZ - 1.0) < 0.05
    spectrum = np.abs(np.fft.rfft(clip.astype(float)))
    assert abs(np.argmax(spectrum) * HEARD_HZ / len(clip) - 300) < 10


def test_noise_is_as_loud_as_it_is_told() -> None:
    clean = tone(1.0)
    added = noisy(clean, 15, np.random.default_rng(0)).astype(float) - clean
    speech = clean[np.abs(clean) > 0.02 * np.abs(clean).max()].astype(float)
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(added**2))
    assert abs(ratio - 15) < 0.5


def test_a_clip_is_heard_while_the_button_is_held_and_never_else() -> None:
    clip = over_the_wire(tone(1.0))
    whole = held(clip)
    assert whole is not None and len(whole)
    assert held(clip, is_held=False) is None


def test_figures_are_shares() -> None:
    sums = Sums()
    sums.add("keep my mole", "keep the mole")
    sums.add("less shine", "less shine")
    figures = sums.figures()
    assert figures == {"slot_accuracy": 1.0, "wer": 0.2, "exact": 0.5, "clips": 2}
    assert "| all | 1.000 | 0.200 | 0.500 | 2 |" in table({"all": figures})


@pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")
def test_every_sentence_is_spoken_clean_and_noisy() -> None:
    made = list(clips(MEETING[:1], VOICES[:2]))
    assert [clip.condition for clip in made] == ["clean", "noisy"] * 2
    assert all(len(clip.samples) > HEARD_HZ for clip in made)


@pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")
def test_the_last_line_is_json_and_the_result_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    from benchmarks.speech.__main__ import main

    out = tmp_path / "speech.md"
    assert main(["--sentences", "1", "--voices", "1", "--out", str(out)]) == 0
    values = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert values["clips"] == 2 and values["false_triggers"] == 0 and values["meeting_clips"] == 12
    assert "false triggers 0 of 12" in out.read_text()


def test_a_recogniser_without_its_folder_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.speech.__main__ import main

    assert main(["--speech", "faster-whisper"]) == 1
    assert capsys.readouterr().err.strip()
