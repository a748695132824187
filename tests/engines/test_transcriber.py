"""A recogniser in a process of its own: it answers, it may die, and its faults are sentences."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.transcriber import Apart, load
from stream_retouch.errors import SpeechError

SAMPLES = np.arange(1600, dtype=np.int16)


class Counting:
    """Tells what it was given; dies of a single sample, is at a loss with two."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            raise SpeechError(f"{folder} is not a model; name another")

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        if len(samples) == 1:
            os._exit(3)
        if len(samples) == 2:
            raise ValueError("something that was said")
        return f"{len(samples)} {int(samples.astype(np.int64).sum())} {os.getpid()}"


class Hanging:
    """Never answers."""

    def __init__(self, folder: Path | None) -> None: ...

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        threading.Event().wait()
        return ""


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    one = Apart(Counting, None)
    yield one
    one.close()


def test_the_samples_arrive_whole_in_another_process(apart: Apart) -> None:
    count, total, process = apart.transcribe(SAMPLES).split()
    assert (int(count), int(total)) == (1600, int(SAMPLES.astype(np.int64).sum()))
    assert int(process) != os.getpid()


def test_it_starts_anew_after_its_process_has_died(apart: Apart) -> None:
    with pytest.raises(SpeechError, match="say them again"):
        apart.transcribe(SAMPLES[:1])
    assert apart.transcribe(SAMPLES).startswith("1600 ")


def test_a_fault_is_told_without_what_was_said(apart: Apart) -> None:
    with pytest.raises(SpeechError, match="ValueError") as caught:
        apart.transcribe(SAMPLES[:2])
    assert "said;" not in str(caught.value) and "something" not in str(caught.value)


def test_what_cannot_be_loaded_says_why() -> None:
    with pytest.raises(SpeechError, match="nowhere is not a model; name another"):
        Apart(Counting, Path("nowhere"))


def test_a_closed_one_says_so() -> None:
    one = Apart(Counting, None)
    one.close()
    one.close()
    with pytest.raises(SpeechError, match="is closed"):
        one.transcribe(SAMPLES)


def test_closing_ends_an_utterance_that_hangs() -> None:
    hung = Apart(Hanging, None)
    found: list[str] = []

    def say() -> None:
        with pytest.raises(SpeechError) as caught:
            hung.transcribe(SAMPLES)
        found.append(str(caught.value))

    saying = threading.Thread(target=say)
    saying.start()
    while not hung._lock.locked():
        pass
    hung.close()
    saying.join(10)
    assert len(found) == 1 and "say them again" in found[0] or "closed" in found[0]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SpeechError, match="use one of embedded, pocketsphinx, moonshine"):
        load("parrot")
