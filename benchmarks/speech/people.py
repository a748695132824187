"""A person's recorded voice through the recognisers: `python -m benchmarks.speech.people`.

The prompts of Asterisk, spoken by Allison Smith, with their texts (Debian's asterisk-core-sounds-en and
asterisk-core-sounds-en-g722, CC BY-SA 3.0; only measured with, nothing here has learned from them). They are no
instructions, so every recogniser gets a word model in which any word of all prompts may follow any other: `wer`, the
word error rate, then tells how well sounds are heard. `asked` is the share of prompts for which `embedded` asked its
second recogniser. The last line is JSON.
"""

from __future__ import annotations

import argparse
import gzip
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import last_line
from benchmarks.speech.slots import word_errors
from engines.speech.embedded import SURE, EmbeddedTranscriber
from engines.speech.reader import FOLDER, SoundReader
from engines.speech.sound_model import ABOUT, WEIGHTS
from engines.speech.sphinx import SphinxTranscriber
from engines.transcriber import Recogniser
from stream_retouch.errors import SpeechError
from training.language.spoken import pronunciations, words_said
from training.language.trigram import dictionary

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
FEWEST, MOST = 3, 12
"""Words of a prompt that is used."""
_PLAIN = re.compile(r"[A-Za-z' ,;!?-]+[.?!]?")
_PACKET = 160


class Prompt(NamedTuple):
    """One recording."""

    text: str
    path: Path


class _Ours:
    """The sound model without a second recogniser."""

    def __init__(self, folder: Path) -> None:
        self._reader = SoundReader(folder)

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        return self._reader.read(samples).text


def prompts(texts: Path, sounds: Path) -> Iterator[Prompt]:
    """Those of plain words whose pronunciation is known.

    Raises:
        OSError: the texts cannot be read.
    """
    known = pronunciations()
    for line in gzip.open(texts, "rt", encoding="utf-8"):
        name, _, text = (part.strip() for part in line.partition(":"))
        path = sounds / f"{name}.g722"
        words = words_said(text)
        is_plain = _PLAIN.fullmatch(text) and FEWEST <= len(words) <= MOST
        if is_plain and all(word in known for word in words) and path.is_file():
            yield Prompt(text, path)


def heard(path: Path) -> NDArray[np.int16]:
    """(N,) the samples of a raw G.722 file, at 16 kHz."""
    decoder = av.CodecContext.create("g722", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 16_000, "mono"  # type: ignore[assignment]
    data = path.read_bytes()
    packets = (av.Packet(data[i : i + _PACKET]) for i in range(0, len(data), _PACKET))
    frames = [frame.to_ndarray().reshape(-1) for one in packets for frame in decoder.decode(one)]
    return np.concatenate(frames).astype(np.int16)


def any_order(words: Sequence[str], folder: Path) -> None:
    """Writes a word model of those words, each as likely as any other everywhere, beside our sound model."""
    lines = dictionary(words, pronunciations())
    (folder / "words.dict").write_text("\n".join(lines) + "\n", encoding="utf-8")
    each = f"{math.log10(1 / (len(words) + 1)):.4f}"
    grams = ["-99\t<s>\t0.0", f"{each}\t</s>", *(f"{each}\t{word}\t0.0" for word in words)]
    arpa = ["\\data\\", f"ngram 1={len(grams)}", "", "\\1-grams:", *grams, "", "\\end\\", ""]
    (folder / "words.arpa").write_text("\n".join(arpa), encoding="utf-8")
    for name in (WEIGHTS, ABOUT):
        shutil.copy(FOLDER / name, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a line a recogniser and, last, one line of JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.speech.people", description=__doc__)
    parser.add_argument("--sounds", type=Path, default=SOUNDS, metavar="DIR")
    parser.add_argument("--texts", type=Path, default=TEXTS, metavar="FILE")
    args = parser.parse_args(arguments)
    try:
        found = list(prompts(args.texts, args.sounds))
    except OSError as problem:
        found = []
        print(problem, file=sys.stderr)
    if not found:
        told = (
            "no prompts there; apt-get install asterisk-core-sounds-en asterisk-core-sounds-en-g722"
        )
        print(told, file=sys.stderr)
        return 1
    words = sorted({word for prompt in found for word in words_said(prompt.text)})
    sounds = [heard(prompt.path) for prompt in found]
    values: dict[str, float] = {"prompts": len(found), "words": len(words)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        any_order(words, folder)
        recognisers: dict[str, Recogniser] = {}
        try:
            recognisers["pocketsphinx"] = SphinxTranscriber(folder)
            recognisers["ours_alone"] = _Ours(folder)
            recognisers["embedded"] = EmbeddedTranscriber(folder)
        except SpeechError as problem:
            print(problem, file=sys.stderr)
            return 1
        for who, recogniser in recognisers.items():
            pairs = zip(found, sounds, strict=True)
            counted = [word_errors(p.text, recogniser.transcribe(samples)) for p, samples in pairs]
            errors, said = (sum(column) for column in zip(*counted, strict=True))
            values[f"{who}_wer"] = round(errors / said, 3)
            print(f"{who}: WER {values[f'{who}_wer']:.3f} of {said} words", flush=True)
        reader = SoundReader(folder)
        unsure = [reader.read(samples).surety < SURE for samples in sounds]
        values["asked"] = round(float(np.mean(unsure)), 3)
    print(last_line(values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
