"""Synthetic speakers: four synthesisers, each with as many voices, pitches and paces as it has.

espeak-ng builds its sounds from formants; the voices of flite, Pico and RHVoice were made from recordings of ten
people. No voice of `benchmarks.speech` is among them: neither those of espeak-ng that it speaks with, nor any MBROLA
voice, whose licences forbid it besides.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

ACCENTS = (
    "en-us en-us en-us en-gb en-gb-x-rp en-gb-scotland en-gb-x-gbcwmd en-gb-x-gbclan en-029".split()
)
VARIANTS = (
    "f1 f2 f4 f5 m2 m4 m5 m6 m7 m8 klatt klatt2 klatt3 klatt4 adam Alex Alicia Andrea Andy anika Annie antonio aunty "
    "belinda benjamin boris caleb david Denis Diogo ed edward edward2 Gene Gene2 grandma grandpa gustave Henrique Hugo "
    "iven iven2 iven3 iven4 Jacky john kaukovalta Lee linda Marco marcelo Mario max Michael michel miguel Mike Mr "
    "norbert pablo paul pedro quincy rob robert sandro shelby steph steph2 steph3 Storm travis victor zac"
).split()
"""Of espeak-ng; without f3, m1, m3 and the plain voices."""
FLITE = "slt slt rms rms awb awb kal16 kal".split()
PICO = "en-US en-GB".split()
RHVOICE = "bdl clb alan slt lyubov".split()
"""Those whose licence allows it."""
SHARES = {"espeak-ng": 0.4, "flite": 0.28, "pico2wave": 0.12, "RHVoice-test": 0.2}
"""How often each synthesiser speaks, by the name of its command."""
_LONGEST_S = 20.0


class Spoken(NamedTuple):
    """One sentence of a synthesiser."""

    wav: bytes
    """The file it wrote."""
    is_british: bool


Speaker = Callable[[str, np.random.Generator], Spoken]


def installed(names: Iterable[str] = tuple(SHARES)) -> dict[str, Speaker]:
    """Which of these synthesisers are here, by the names of their commands."""
    return {name: _SPEAKERS[name] for name in names if shutil.which(name)}


def say(text: str, rng: np.random.Generator, speakers: dict[str, Speaker]) -> Spoken:
    """The sentence in a voice that is drawn."""
    names = list(speakers)
    shares = np.array([SHARES[name] for name in names])
    return speakers[str(rng.choice(names, p=shares / shares.sum()))](text, rng)


def _espeak(text: str, rng: np.random.Generator) -> Spoken:
    accent = str(rng.choice(ACCENTS))
    pace, pitch = str(rng.integers(125, 210)), str(int(np.clip(rng.normal(50, 20), 5, 95)))
    voice = f"{accent}+{rng.choice(VARIANTS)}"
    made = _run("espeak-ng", "-v", voice, "-s", pace, "-p", pitch, "--stdout", "--", text)
    return Spoken(made, accent.startswith("en-gb"))


def _flite(text: str, rng: np.random.Generator) -> Spoken:
    voice, slower = str(rng.choice(FLITE)), f"duration_stretch={rng.uniform(0.8, 1.25):.2f}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        _run("flite", "-voice", voice, "--setf", slower, "-t", f" {text}", "-o", str(out))
        return Spoken(out.read_bytes(), voice == "awb")


def _pico(text: str, rng: np.random.Generator) -> Spoken:
    language, pace, pitch = str(rng.choice(PICO)), rng.integers(85, 120), rng.integers(80, 120)
    tagged = f'<speed level="{pace}"><pitch level="{pitch}">{text}</pitch></speed>'
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        _run("pico2wave", "-l", language, "-w", str(out), tagged)
        return Spoken(out.read_bytes(), language == "en-GB")


def _rhvoice(text: str, rng: np.random.Generator) -> Spoken:
    voice, pace, pitch = str(rng.choice(RHVOICE)), rng.integers(85, 130), rng.integers(75, 130)
    with tempfile.TemporaryDirectory() as folder:
        out, given = Path(folder) / "said.wav", Path(folder) / "said.txt"
        given.write_text(text)
        options = ("-p", voice, "-r", str(pace), "-t", str(pitch))
        _run("RHVoice-test", *options, "-i", str(given), "-o", str(out))
        return Spoken(out.read_bytes(), voice == "alan")


def _run(*command: str) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=_LONGEST_S).stdout


_SPEAKERS: dict[str, Speaker] = {
    "espeak-ng": _espeak,
    "flite": _flite,
    "pico2wave": _pico,
    "RHVoice-test": _rhvoice,
}
