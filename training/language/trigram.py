"""The word model of the recogniser that ships: a trigram counted from the corpus, and the dictionary of its words.

    python -m training.language.trigram

writes ``engines/weights/speech/words.arpa`` and ``words.dict``, the same each time. It needs pocketsphinx, whose
dictionary says how common words sound; `spoken.EXTRA` says it of the others.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.language.british import british
from training.language.spoken import Pronunciations, frequent, pronunciations, sentences

FOLDER = Path(__file__).parents[2] / "engines" / "weights" / "speech"
START, END = "<s>", "</s>"
PAIR_DISCOUNT, TRIPLE_DISCOUNT = 0.85, 0.9
"""What is taken from every count, so that what was never seen has a chance."""
_NEVER = -99.0
"""log10 of the probability of the start, which never follows anything."""


@dataclass(frozen=True, slots=True)
class _Order:
    """Counts of the n-grams of one length, and of what follows their beginnings."""

    grams: dict[tuple[str, ...], int]
    """Those that are kept."""
    totals: dict[tuple[str, ...], int]
    """Context -> how often anything followed it, kept or not."""
    left: dict[tuple[str, ...], float]
    """Context -> the share of its probability that goes to the next shorter context."""
    discount: float


class Trigram:
    """An interpolated trigram, smoothed after Kneser and Ney.

    ``p3(c|ab) = (n(abc) - D)/n(ab) + left(ab) p2(c|b)``, and so on down to ``p1(w) = n(w)/N``; ``left`` is what the
    discount and the dropped trigrams leave over. Pairs and words count once for each different word before them, not
    each time they come: "circles" comes often, but after "dark".
    """

    def __init__(self, rows: Iterable[Sequence[str]], least: int = 1) -> None:
        """Counts the rows, each one sentence; trigrams seen fewer than `least` times are dropped."""
        triples: Counter[tuple[str, ...]] = Counter()
        starts: Counter[tuple[str, ...]] = Counter()
        followed: set[tuple[str, ...]] = set()
        for row in rows:
            padded = (START, *row, END)
            triples.update(padded[i : i + 3] for i in range(len(padded) - 2))
            starts[padded[:2]] += 1
            followed.update(padded[i : i + 2] for i in range(len(padded) - 1))
        if not starts:
            raise ValueError("there is no sentence to count; give at least one")
        self._words = Counter(pair[1:] for pair in followed)
        self._total = self._words.total()
        self._pairs = _order(Counter(triple[1:] for triple in triples) + starts, 1, PAIR_DISCOUNT)
        self._triples = _order(triples, least, TRIPLE_DISCOUNT)

    @property
    def words(self) -> list[str]:
        """All words, in order of the alphabet, without the marks of start and end."""
        return sorted(word for (word,) in self._words if word != END)

    def probability(self, word: str, *before: str) -> float:
        """Of `word` after up to two words, the nearer one last."""
        if len(before) > 2:
            raise ValueError("a trigram looks at two words; give the last two")
        if not before:
            return self._words.get((word,), 0) / self._total
        order = self._triples if len(before) == 2 else self._pairs
        shorter = self.probability(word, *before[1:])
        if before not in order.totals:
            return shorter
        count = order.grams.get((*before, word), 0)
        own = max(count - order.discount, 0.0) / order.totals[before]
        return own + order.left[before] * shorter

    def arpa(self) -> Iterator[str]:
        """The lines of the ARPA file."""
        ones = sorted([START, END, *self.words])
        yield "\\data\\"
        yield f"ngram 1={len(ones)}"
        yield f"ngram 2={len(self._pairs.grams)}"
        yield f"ngram 3={len(self._triples.grams)}"
        yield "\n\\1-grams:"
        for word in ones:
            share = self.probability(word)
            yield _line(share, (word,), self._pairs.left.get((word,)))
        yield "\n\\2-grams:"
        for pair in sorted(self._pairs.grams):
            yield _line(self.probability(pair[1], pair[0]), pair, self._triples.left.get(pair))
        yield "\n\\3-grams:"
        for a, b, c in sorted(self._triples.grams):
            yield _line(self.probability(c, a, b), (a, b, c), None)
        yield "\n\\end\\"


def _order(counts: Counter[tuple[str, ...]], least: int, discount: float) -> _Order:
    totals: dict[tuple[str, ...], int] = defaultdict(int)
    kept_sum: dict[tuple[str, ...], float] = defaultdict(float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        if count >= least:
            kept_sum[gram[:-1]] += count - discount
    left = {context: 1 - kept_sum[context] / total for context, total in totals.items()}
    return _Order({g: n for g, n in counts.items() if n >= least}, dict(totals), left, discount)


def _line(share: float, gram: tuple[str, ...], left: float | None) -> str:
    log = math.log10(share) if share > 0 else _NEVER
    tail = "" if left is None or left >= 1 else f"\t{math.log10(left):.2f}"
    return f"{log:.2f}\t{' '.join(gram)}{tail}"


def dictionary(words: Iterable[str], known: Pronunciations) -> Iterator[str]:
    """The lines of a dictionary with every way to say each of `words`, British ones included."""
    for word in words:
        every = dict.fromkeys((*known[word], *(british(word, said) for said in known[word])))
        for i, phones in enumerate(every):
            yield f"{word} {phones}" if i == 0 else f"{word}({i + 1}) {phones}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws sentences, counts them, writes the two files."""
    parser = argparse.ArgumentParser(description="write the recogniser's word model")
    parser.add_argument("--sentences", type=int, default=60_000)
    parser.add_argument("--least-word", type=int, default=3, help="drop rarer words (default 3)")
    parser.add_argument("--least-trigram", type=int, default=2, help="drop rarer trigrams")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args(arguments)
    try:
        known = pronunciations()
    except ImportError:
        print("pocketsphinx is not installed; pip install pocketsphinx==5.1.1", file=sys.stderr)
        return 1
    drawn = sentences(np.random.default_rng(args.seed), args.sentences, known)
    rows = frequent(drawn, args.least_word)
    model = Trigram(rows, args.least_trigram)
    args.out.mkdir(parents=True, exist_ok=True)
    _write(args.out / "words.arpa", model.arpa())
    _write(args.out / "words.dict", dictionary(model.words, known))
    print(f"{len(rows)} sentences, {len(model.words)} words, written to {args.out}")
    return 0


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
