"""Recordings: what is said, with which sounds, and how they are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engines.speech.phones import PHONES
from training.speech import recordings, speakers
from training.speech.recordings import Recordings, phones_of


def folder_of(path: Path, *lengths: int) -> Path:
    """A folder of recordings of such lengths, whose samples count up."""
    path.mkdir()
    np.arange(sum(lengths), dtype="<i2").tofile(path / recordings.SAMPLES)
    rows = [(length, f"said {i}", [i + 1]) for i, length in enumerate(lengths)]
    (path / recordings.INDEX).write_text(json.dumps(rows))
    return path


def test_folders_are_read_one_after_the_other(tmp_path: Path) -> None:
    one, two = folder_of(tmp_path / "one", 5, 3), folder_of(tmp_path / "two", 4)
    found = Recordings([one, two, two])
    assert len(found) == 4 and found.lengths().tolist() == [5, 3, 4, 4]
    assert found.samples(1).tolist() == [5, 6, 7] and found.samples(3).tolist() == [0, 1, 2, 3]
    assert found.held == [True, False, True, True]
    assert found.words[1] == "said 1" and found.phones[2].tolist() == [1]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Recordings([tmp_path])


def test_a_british_speaker_drops_the_r(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "pronunciations", lambda: {"scar": ("S K AA R",), "a": ("AH",)})
    said = [[PHONES[i - 1] for i in phones_of(("a", "scar"), british)] for british in (False, True)]
    assert said == ["AH S K AA R".split(), "AH S K AA".split()]


def test_no_voice_of_the_benchmark_is_among_the_speakers() -> None:
    from benchmarks.speech.voices import VOICES

    spoken = {f"{accent}+{variant}" for accent in speakers.ACCENTS for variant in speakers.VARIANTS}
    variants = {voice.name.partition("+")[2] for voice in VOICES}
    assert not spoken & {voice.name for voice in VOICES}
    assert not set(speakers.VARIANTS) & (variants - {""})


@pytest.mark.skipif(not speakers.installed(["espeak-ng"]), reason="espeak-ng is not installed")
def test_a_sentence_is_recorded_as_the_service_would_hear_it() -> None:
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    one = recordings.recorded(("keep", "my", "mole"), np.random.default_rng(3), ["espeak-ng"])
    assert one is not None and 8_000 < len(one.samples) < 48_000
    assert [PHONES[i - 1] for i in one.phones][:3] == ["K", "IY", "P"]


def test_without_a_synthesiser_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speakers.shutil, "which", lambda name: None)
    assert recordings.main([str(tmp_path / "out")]) == 1
    assert "apt-get install espeak-ng" in capsys.readouterr().err
