"""Clips through a recogniser: what is left of the words, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.speech.slots import slots, word_errors
from benchmarks.speech.voices import (
    VOICES,
    Voice,
    held,
    noisy,
    over_the_wire,
    spoken,
)
from stream_retouch.engine import Transcriber

CONDITIONS = ("clean", "noisy")
SNR_DB = 15.0


@dataclass(frozen=True, slots=True)
class Clip:
    """One sentence as the service hears it."""

    text: str
    voice: str
    condition: str
    samples: NDArray[np.int16]
    """(N,) at 16 kHz."""


@dataclass(slots=True)
class Sums:
    """What is counted over clips."""

    clips: int = 0
    exact: int = 0
    right: int = 0
    errors: int = 0
    words: int = 0

    def add(self, said: str, heard: str) -> None:
        """One clip."""
        errors, words = word_errors(said, heard)
        self.clips += 1
        self.exact += errors == 0
        self.right += slots(said) == slots(heard)
        self.errors += errors
        self.words += words

    def figures(self) -> dict[str, float]:
        """Shares of the clips and of the words."""
        return {
            "slot_accuracy": round(self.right / max(self.clips, 1), 3),
            "wer": round(self.errors / max(self.words, 1), 3),
            "exact": round(self.exact / max(self.clips, 1), 3),
            "clips": self.clips,
        }


def clips(texts: Sequence[str], voices: Sequence[Voice] = VOICES, seed: int = 0) -> Iterator[Clip]:
    """Every text in every voice, clean and noisy, after Opus."""
    rng = np.random.default_rng(seed)
    for text in texts:
        for voice in voices:
            said = spoken(text, voice)
            yield Clip(text, voice.name, "clean", over_the_wire(said))
            yield Clip(text, voice.name, "noisy", over_the_wire(noisy(said, SNR_DB, rng)))


def timed(transcriber: Transcriber, samples: NDArray[np.int16]) -> tuple[str, float]:
    """The words, and the processor's seconds that they took."""
    began = time.process_time()
    text = transcriber.transcribe(samples)
    return text, time.process_time() - began


__all__ = ["CONDITIONS", "SNR_DB", "Clip", "Sums", "clips", "held", "timed"]
