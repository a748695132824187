"""A person's prompts: which are used, and a word model in which any word may follow any other."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speech import people
from benchmarks.speech.__main__ import _voice
from benchmarks.speech.voices import Voice

TEXTS = """; comments: are left out
one: Please hold the line.
two: Press 1 to hold.
three: [a beep tone]
four: Hold.
five: Please hold the xyzzy.
six: Hold the line, please.
"""
KNOWN = {"please": ("P L IY Z",), "hold": ("HH OW L D",), "the": ("DH AH",), "line": ("L AY N",)}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "pronunciations", lambda: KNOWN)


def test_prompts_are_plain_known_words_that_were_recorded(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "texts.gz", "wt") as file:
        file.write(TEXTS)
    for name in ("one", "two", "three", "four", "five"):
        (tmp_path / f"{name}.g722").write_bytes(b"")
    found = list(people.prompts(tmp_path / "texts.gz", tmp_path))
    assert found == [people.Prompt("Please hold the line.", tmp_path / "one.g722")]


def test_any_word_may_follow_any_other(tmp_path: Path) -> None:
    pytest.importorskip("kaldi_decoder", reason="kaldi-decoder is not installed")
    from engines.speech.phones import CLASSES, PHONES
    from engines.speech.reader import SoundReader

    people.any_order(sorted(KNOWN), tmp_path)
    reader = SoundReader(tmp_path)
    said = "L AY N HH OW L D".split()
    logs = np.full((len(said), CLASSES), -12.0, np.float32)
    logs[np.arange(len(said)), [PHONES.index(phone) + 1 for phone in said]] = -0.01
    reader.classes = lambda samples: logs  # type: ignore[method-assign]
    assert reader.read(np.full(16_000, 100, np.int16)).text == "line hold"


def test_without_prompts_the_remedy_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert people.main(["--texts", str(tmp_path / "none.gz")]) == 1
    assert "apt-get install asterisk-core-sounds-en" in capsys.readouterr().err


def test_a_voice_is_a_name_and_a_pace() -> None:
    assert _voice("mb-us1:165") == Voice("mb-us1", 165)
    with pytest.raises(argparse.ArgumentTypeError, match="as en-us:165"):
        _voice("mb-us1")
