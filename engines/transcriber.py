"""The recogniser of that name, in a process of its own: none of them may hold up a frame."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import SpeechError

START_S = 60.0
"""Longest time until a recogniser is loaded, seconds."""
ANSWER_S = 20.0
"""Longest time for one utterance, seconds."""
NICE = 5
"""Politeness of the process: words wait rather than frames."""
_DIED = "the recogniser has ended by itself; it starts anew with the next words, say them again"


class Recogniser(Protocol):
    """What runs in the process."""

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """As `stream_retouch.engine.Transcriber`."""
        ...


def _embedded(folder: Path | None) -> Recogniser:
    from engines.speech.embedded import EmbeddedTranscriber

    return EmbeddedTranscriber(folder)


def _sphinx(folder: Path | None) -> Recogniser:
    from engines.speech.sphinx import SphinxTranscriber

    return SphinxTranscriber(folder)


def _moonshine(folder: Path | None) -> Recogniser:
    from engines.speech.moonshine import MoonshineTranscriber

    return MoonshineTranscriber(folder)


def _faster_whisper(folder: Path | None) -> Recogniser:
    from engines.speech.local import FasterWhisperTranscriber

    return FasterWhisperTranscriber(folder)


def _whisper(folder: Path | None) -> Recogniser:
    from engines.speech.local import WhisperTranscriber

    return WhisperTranscriber(folder)


def _sherpa(folder: Path | None) -> Recogniser:
    from engines.speech.local import SherpaTranscriber

    return SherpaTranscriber(folder)


RECOGNISERS: dict[str, Callable[[Path | None], Recogniser]] = {
    "embedded": _embedded,
    "pocketsphinx": _sphinx,
    "moonshine": _moonshine,
    "faster-whisper": _faster_whisper,
    "whisper": _whisper,
    "sherpa-onnx": _sherpa,
}
"""Name of each recogniser and what loads it from a folder."""
_PACKAGES = {
    "embedded": ("pocketsphinx", "kaldi_decoder", "kaldifst"),
    "pocketsphinx": ("pocketsphinx",),
    "moonshine": ("moonshine_voice",),
}
"""What those import that can do without a folder."""


def load(name: str, folder: Path | None = None) -> Apart:
    """The recogniser of one of RECOGNISERS' names, running.

    Raises:
        SpeechError: it is not installed, or cannot be used.
    """
    if name not in RECOGNISERS:
        raise SpeechError(f"no recogniser is named {name}; use one of {', '.join(RECOGNISERS)}")
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES.get(name, ())):
        RECOGNISERS[name](folder)  # says what is missing, without a process
    return Apart(RECOGNISERS[name], folder)


class Apart:
    """A recogniser in a process of its own, started anew when it has died. Calls from any thread, one at a time."""

    def __init__(
        self,
        make: Callable[[Path | None], Recogniser],
        folder: Path | None,
        answer_s: float = ANSWER_S,
    ) -> None:
        """Starts it, and waits until it is loaded.

        Args:
            make: called in the process with the folder; a function of a module.
            folder: for `make`.
            answer_s: longest time for one utterance, seconds.

        Raises:
            SpeechError: what `make` raised, or that it took too long.
        """
        self._make, self._folder, self._answer_s = make, folder, answer_s
        self._lock = threading.Lock()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False
        self._start()

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in (N,) samples.

        Raises:
            SpeechError: the process died or took too long; the next call starts it anew.
        """
        with self._lock:
            if self._closed:
                raise SpeechError("the recogniser is closed; start the service again")
            if self._pipe is None:
                self._start()
            assert self._pipe is not None
            try:
                self._pipe.send_bytes(np.ascontiguousarray(samples, "<i2").tobytes())
                return self._answer(self._pipe, self._answer_s)
            except (EOFError, OSError) as problem:
                self._stop()
                raise SpeechError(_DIED) from problem

    def close(self) -> None:
        """Ends the process; an utterance in another thread ends with an error. May be called twice."""
        self._closed = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ValueError):  # ended by itself a moment ago
                process.terminate()
        with self._lock:
            self._stop()

    def _start(self) -> None:
        # spawn: a fork of a process with threads may hang
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_work, args=(other, self._make, self._folder), name="speech", daemon=True
        )
        self._process.start()
        other.close()
        try:
            self._answer(self._pipe, START_S)
        except (EOFError, OSError) as problem:
            self._stop()
            raise SpeechError(
                "the recogniser could not be started; choose another with --speech, or --speech off"
            ) from problem
        except SpeechError:
            self._stop()
            raise

    def _answer(self, pipe: Connection, timeout_s: float) -> str:
        if not pipe.poll(timeout_s):
            raise OSError("no answer in time")
        is_good, text = pipe.recv()
        if not is_good:
            raise SpeechError(text)
        return str(text)

    def _stop(self) -> None:
        pipe, process = self._pipe, self._process
        self._pipe = self._process = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.terminate()
            process.join()
            process.close()


def _work(pipe: Connection, make: Callable[[Path | None], Recogniser], folder: Path | None) -> None:
    """The process: loads the recogniser, then answers utterances until the pipe is closed."""
    import signal

    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the service, which closes the pipe
    try:
        recogniser = make(folder)
    except SpeechError as problem:
        pipe.send((False, str(problem)))
        return
    pipe.send((True, ""))
    with contextlib.suppress(EOFError, OSError):
        while True:
            samples = np.frombuffer(pipe.recv_bytes(), "<i2").astype(np.int16)
            try:
                pipe.send((True, recogniser.transcribe(samples)))
            except Exception as problem:  # only its kind: its text may hold what was said
                kind = type(problem).__name__
                pipe.send((False, f"the words could not be recognised ({kind}); say them again"))
