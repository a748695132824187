"""What the recogniser makes of speech, as examples: nothing is in them that nobody could have understood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.speech import voices as measured
from stream_retouch.language.program import parsed
from training.language.frames import lines
from training.language.misheard import VOICES, can_be_learned, main, misheard
from training.language.voices import can_speak


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("blur my pores", "blur my pours", True),
        ("remove the pores on my nose", "remove the pours on my nose", True),
        ("get rid of the spots", "it gripped of the spots", True),
        ("hide the scar", "hide the mole", False),
        ("hide the scar on my chin", "hide the on my chin", False),
        ("moles on the left cheek", "moles on the right cheek", False),
        ("hide the scar", "hide the elephants", False),
        ("moles away", "", False),
        ("keep my mole", "he my mole", False),
        ("pull it back", "put it back", False),
    ],
)
def test_only_what_can_be_told_from_the_words_is_learned(
    said: str, heard: str, expected: bool
) -> None:
    assert can_be_learned(said, heard) == expected


def test_the_voices_are_not_those_of_the_benchmark() -> None:
    assert not set(VOICES) & {voice.name for voice in measured.VOICES}


@pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")
def test_lines_are_what_was_heard_and_a_program(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    out = tmp_path / "heard.txt"
    assert main(["--count", "2", "--seed", "3", "--out", str(out)]) == 0
    found = [line for line in out.read_text().splitlines() if " => " in line]
    assert found == [f"{text} => {said}" for text, said in misheard(2, np.random.default_rng(3))]
    assert all(parsed(line.rpartition(" => ")[2]) for line in found)


def test_the_corpus_has_some() -> None:
    assert len(lines("whole", "en_sphinx")) > 500
