"""What the recogniser that ships really makes of spoken sentences, for the planner's network to learn from.

    python -m training.language.misheard --count 1500 --out training/language/whole/en_sphinx.txt

speaks sentences of the corpus with synthetic voices, sends them through Opus, end-pointing and pocketsphinx, and writes
"what was heard => what was meant", line by line. Further readings of the same sound count as much as the best one.
Sentences that came through whole are left out: the rest of the corpus teaches them. So are those that nobody could
understand, see `can_be_learned`. The voices are not those that the benchmark of speech measures with. Read the lines
before they are used: take out what means something else to a reader. Needs espeak-ng and pocketsphinx.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.speech.sphinx import FOLDER, SphinxTranscriber
from stream_retouch.errors import SpeechError
from training.language.corpus import pair
from training.language.frames import Pair
from training.language.keywords import slots
from training.language.spoken import read_pronunciations, words_said
from training.language.voices import Voice, can_speak, held, noisy, over_the_wire, spoken
from training.progress import progress

OUT = Path(__file__).parent / "whole" / "en_sphinx.txt"
VOICES = "en-us+f2 en-us+m3 en-us+m7 en-us+f4 en-gb en-gb+f4 en-gb+m7 en-gb-scotland".split()
SLOWEST, FASTEST = 140, 190
"""Words a minute."""
NOISY = 0.5
"""Share of sentences with noise."""
SNR_DB = 15.0
MOST_WORDS, MOST_ODD = 14, 1
"""Longest sentence, and how many of its words the recogniser may not know."""
HEAD = """\
# Instructions as pocketsphinx wrote them down, spoken by synthetic voices: python -m training.language.misheard
"""
READINGS, KEPT = 24, 3
"""Of so many readings of one utterance, so many at most are written."""
ALIKE = 0.6
"""Least likeness of the letters of what was said and of what was heard in its place."""
_LITTLE = frozenset(
    "a an the my your of to on in at it its it's is are be was and or so just please can could would you will "
    "i i'm i'd me that this those these them they all any some for with from really too also okay hey well "
    "um uh like now today do does have has got there here up as by we let's if though then very get".split()
)
"""Words that may be lost. So may verbs of editing, of which "get" is one."""


def can_be_learned(said: str, heard: str) -> bool:
    """Whether what was meant can be told from what was heard.

    Not when nothing of its keywords came through, when a keyword is heard that was not said, or when a word that
    matters left no trace: "blur my pores" as "blur my pours" can be learned, as "blur my chin" or "blur my" not.
    """
    before, after = slots(said), slots(heard)
    if not before & after or after - before:
        return False
    wanted, got = words_said(said), words_said(heard)
    match = difflib.SequenceMatcher(None, wanted, got, autojunk=False)
    lost = ((wanted[a:b], got[c:d]) for step, a, b, c, d in match.get_opcodes() if step != "equal")
    return all(_is_trace(words, traces) for words, traces in lost if any(map(_matters, words)))


def _matters(word: str) -> bool:
    return word not in _LITTLE and slots(word) != {"edit"}


def _is_trace(said: Sequence[str], heard: Sequence[str]) -> bool:
    """Whether the letters of some words can still be seen in others."""
    one, other = "".join(said), "".join(heard)
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= ALIKE


def misheard(count: int, rng: np.random.Generator) -> Iterator[Pair]:
    """So many sentences as they were heard, each with the program that was meant; none twice.

    Raises:
        SpeechError: pocketsphinx is not installed.
    """
    transcriber = SphinxTranscriber()
    known = read_pronunciations((FOLDER / "words.dict").read_text(encoding="utf-8").splitlines())
    found: set[str] = set()
    while len(found) < count:
        text, program = pair(rng)
        words = words_said(text)
        odd = sum(word not in known for word in words)
        if not text.isascii() or len(words) > MOST_WORDS or odd > MOST_ODD:
            continue
        heard = transcriber.readings(_utterance(text, rng), READINGS)
        able = [t for t in heard if t.split() != words and can_be_learned(text, t)]
        for other in [t for t in able if t not in found][: min(KEPT, count - len(found))]:
            found.add(other)
            yield other, program


def _utterance(text: str, rng: np.random.Generator) -> NDArray[np.int16]:
    """The sentence in one of the voices, as the service hears it."""
    voice = Voice(str(rng.choice(VOICES)), int(rng.integers(SLOWEST, FASTEST + 1)))
    clip = spoken(text, voice)
    if rng.random() < NOISY:
        clip = noisy(clip, SNR_DB, rng)
    whole = held(over_the_wire(clip))
    return np.zeros(0, np.int16) if whole is None else whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file, a line as soon as it is there."""
    parser = argparse.ArgumentParser(description="write down what the recogniser makes of speech")
    parser.add_argument("--count", type=int, default=1500, metavar="N", help="lines")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    args = parser.parse_args(arguments)
    if not can_speak():
        print("espeak-ng is not installed; apt-get install espeak-ng", file=sys.stderr)
        return 1
    try:
        with args.out.open("w", encoding="utf-8") as file:
            print(HEAD, file=file)
            made = misheard(args.count, np.random.default_rng(args.seed))
            for i, (heard, program) in enumerate(made):
                print(f"{heard} => {program}", file=file, flush=True)
                progress("misheard", i + 1, args.count)
    except SpeechError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
