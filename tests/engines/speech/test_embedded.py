"""The recogniser that ships asks a second one where it is not sure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.speech.voices import VOICES, can_speak, held, over_the_wire, spoken
from engines.speech import embedded
from engines.speech.embedded import POSSIBLE, SURE, EmbeddedTranscriber
from engines.speech.reader import Reading

SOUND = np.full(16_000, 100, np.int16)


class Ours:
    """As sure as it is told."""

    text, surety = "ours", 0.0

    def __init__(self, folder: object) -> None: ...

    def read(self, samples: NDArray[np.int16]) -> Reading:
        return Reading(self.text, self.surety)


class Theirs:
    """Holds more than one reading for possible, or none."""

    possible = ("theirs", "others")

    def __init__(self, folder: object) -> None: ...

    def readings(self, samples: NDArray[np.int16], most: int) -> list[str]:
        return list(self.possible)


@pytest.mark.parametrize(
    ("surety", "possible", "heard"),
    [
        (0.0, ("theirs",), "ours"),
        (SURE, ("theirs",), "ours"),
        (SURE - 0.01, ("theirs",), "theirs"),
        (SURE - 0.01, ("theirs", "ours"), "ours"),
        (POSSIBLE - 0.01, ("theirs", "ours"), "theirs"),
        (-np.inf, ("theirs", "ours"), "theirs"),
        (SURE - 0.01, (), ""),
    ],
)
def test_the_second_one_is_asked_where_the_first_is_unsure(
    monkeypatch: pytest.MonkeyPatch, surety: float, possible: tuple[str, ...], heard: str
) -> None:
    monkeypatch.setattr(embedded, "SoundReader", Ours)
    monkeypatch.setattr(embedded, "SphinxTranscriber", Theirs)
    monkeypatch.setattr(Ours, "surety", surety)
    monkeypatch.setattr(Theirs, "possible", possible)
    assert EmbeddedTranscriber().transcribe(SOUND) == heard


def test_where_the_first_hears_nothing_the_second_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "SoundReader", Ours)
    monkeypatch.setattr(embedded, "SphinxTranscriber", Theirs)
    monkeypatch.setattr(Ours, "text", "")
    assert EmbeddedTranscriber().transcribe(SOUND) == "theirs"


@pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")
@pytest.mark.parametrize("text", ["remove the dark circles", "keep my freckles"])
def test_a_plain_command_is_understood(text: str) -> None:
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    pytest.importorskip("kaldi_decoder", reason="kaldi-decoder is not installed")
    whole = held(over_the_wire(spoken(text, VOICES[0])))
    assert whole is not None and EmbeddedTranscriber().transcribe(whole) == text
