"""Recordings to train the sound model on: sentences, spoken, through Opus and end-pointing, with their phones.

    python -m training.speech.recordings runs/recordings --count 30000

Most sentences are of the corpus; the others are common words in any order, so that the model hears sounds and does not
guess sentences. Needs pocketsphinx for its dictionary, and a synthesiser; all that are installed are used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.speech.phones import PHONES
from training.language.british import british
from training.language.spoken import pronunciations, sentences
from training.language.voices import (
    HEARD_HZ,
    WIRE_HZ,
    at_the_microphone,
    held,
    noisy,
    over_the_wire,
    resampled,
)
from training.progress import progress
from training.speech.speakers import SHARES, installed, say

ANY_WORDS = 0.25
"""Share of sentences that are words in any order."""
MOST_ANY_WORDS = 7
NOISY, LEAST_SNR_DB, MOST_SNR_DB = 0.3, 8.0, 25.0
"""Share of recordings with noise before the encoder, and how strong."""
WIRED, BIT_RATES = 0.6, (12_000, 40_000)
"""Share that goes through Opus, the others are only resampled; and at how many bits a second."""
LONGEST_S = 8.0
"""Longer recordings are left out."""
HELD_EVERY = 100
INDEX, SAMPLES = "index.json", "samples.i16"
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Recording:
    """One utterance as the service hears it."""

    samples: NDArray[np.int16]
    """(N,) at 16 kHz."""
    words: tuple[str, ...]
    phones: NDArray[np.int8]
    """(P,) places in PHONES, one more than that: 0 is CTC's blank."""


class Recordings:
    """The recordings of some folders: each folder's samples are one file, which is mapped, not read."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Opens them; a folder that is named twice counts twice.

        Raises:
            FileNotFoundError: a folder holds none.
        """
        self._places: list[tuple[NDArray[np.int16], int, int]] = []
        self.words: list[str] = []
        self.held: list[bool] = []
        """Whether it is one to measure on: every HELD_EVERYth of its folder, however often that is named."""
        self.phones: list[NDArray[np.int64]] = []
        for folder in folders:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            samples, begin = np.memmap(folder / SAMPLES, np.int16, "r"), 0
            for i, (length, words, phones) in enumerate(index):
                self.held.append(i % HELD_EVERY == 0)
                self._places.append((samples, begin, begin + length))
                self.words.append(words)
                self.phones.append(np.array(phones, np.int64))
                begin += length

    def __len__(self) -> int:
        """How many there are."""
        return len(self.words)

    def samples(self, i: int) -> NDArray[np.int16]:
        """(N,) of the i-th, at 16 kHz."""
        samples, begin, end = self._places[i]
        return np.asarray(samples[begin:end])

    def lengths(self) -> NDArray[np.int64]:
        """(count,) samples of each."""
        return np.array([end - begin for _, begin, end in self._places])


def phones_of(words: Sequence[str], is_british: bool) -> list[int]:
    """Places in PHONES, plus one, of the commonest way to say the words."""
    known = pronunciations()
    ways = (known[word][0] for word in words)
    said = (
        (british(word, way) for word, way in zip(words, ways, strict=True)) if is_british else ways
    )
    return [PHONES.index(phone) + 1 for way in said for phone in way.split()]


def recorded(
    words: tuple[str, ...], rng: np.random.Generator, speakers: Sequence[str]
) -> Recording | None:
    """One recording by one of the speakers; None when end-pointing found nothing in it, or too much."""
    spoken = say(" ".join(words), rng, installed(speakers))
    clip = at_the_microphone(spoken.wav, *(float(s) for s in rng.uniform(0.1, 0.6, 2)))
    if rng.random() < NOISY:
        clip = noisy(clip, float(rng.uniform(LEAST_SNR_DB, MOST_SNR_DB)), rng)
    heard = (
        over_the_wire(clip, int(rng.integers(*BIT_RATES)))
        if rng.random() < WIRED
        else resampled(clip, WIRE_HZ, HEARD_HZ)
    )
    whole = held(heard)
    if whole is None or len(whole) > LONGEST_S * HEARD_HZ:
        return None
    return Recording(whole, words, np.array(phones_of(words, spoken.is_british), np.int8))


def _sentences(count: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    known = pronunciations()
    drawn = list(sentences(rng, round(count * (1 - ANY_WORDS)), known))
    common = np.array(sorted({word for words in drawn for word in words}))
    rare = np.array(sorted(known))
    while len(drawn) < count:
        pool = common if rng.random() < 0.5 else rare
        words = rng.choice(pool, rng.integers(2, MOST_ANY_WORDS + 1))
        drawn.append(tuple(str(word) for word in words))
    return [drawn[i] for i in rng.permutation(count)]


def _chunk(
    rows: Sequence[tuple[str, ...]], seed: Sequence[int], speakers: Sequence[str]
) -> list[Recording]:
    rng = np.random.default_rng(seed)
    made = (recorded(words, rng, speakers) for words in rows)
    return [recording for recording in made if recording is not None]


def record(folder: Path, count: int, seed: int, processes: int, speakers: Sequence[str]) -> int:
    """Writes recordings of up to `count` sentences into a folder; gives how many there are."""
    rows = _sentences(count, np.random.default_rng(seed))
    chunks = [rows[i : i + _CHUNK] for i in range(0, count, _CHUNK)]
    folder.mkdir(parents=True, exist_ok=True)
    index: list[tuple[int, str, list[int]]] = []
    with (
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
        (folder / SAMPLES).open("wb") as file,
    ):
        seeds = zip(repeat(seed), range(len(chunks)))
        for done, made in enumerate(pool.map(_chunk, chunks, seeds, repeat(speakers)), 1):
            for one in made:
                file.write(one.samples.astype("<i2").tobytes())
                index.append((len(one.samples), " ".join(one.words), one.phones.tolist()))
            progress("recordings", done, len(chunks))
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return len(index)


def main(arguments: Sequence[str] | None = None) -> int:
    """Speaks, listens and writes."""
    parser = argparse.ArgumentParser(description="record sentences in synthetic voices")
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--count", type=int, default=30_000, metavar="N", help="sentences")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--speakers", nargs="+", choices=SHARES, default=list(SHARES))
    args = parser.parse_args(arguments)
    speakers = list(installed(args.speakers))
    if not speakers:
        print("no synthesiser is installed; apt-get install espeak-ng flite", file=sys.stderr)
        return 1
    try:
        count = record(args.out, args.count, args.seed, args.processes, speakers)
    except ImportError:
        print("pocketsphinx is not installed; pip install pocketsphinx==5.1.1", file=sys.stderr)
        return 1
    print(f"{count} recordings by {', '.join(speakers)}, written to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
