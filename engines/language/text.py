"""A turn's text as word pieces: lower case, NFKC, byte-level BPE, so that no word is unknown."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from engines.language.sentence import SentencePieces

PAD, FIRST, LATER = "<pad>", "<first>", "<later>"
"""Padding, and what stands before a turn: whether something was asked before it."""
Merge = tuple[str, str]
"""Two pieces that become one."""


def normalised(text: str) -> str:
    """The text as the tokenizer reads it: NFKC, case folded, white space and control characters as single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in folded)
    return " ".join(plain.split())


class WordPieces:
    """Texts to numbers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        pad, first, later = (tokenizer.token_to_id(t) for t in (PAD, FIRST, LATER))
        if pad != 0 or first is None or later is None:
            raise ValueError("the tokenizer lacks <pad> as 0, <first> or <later>; train it anew")
        self._starts = first, later

    @classmethod
    def load(cls, path: Path) -> WordPieces:
        """Those of a ``tokenizer.json``."""
        return cls(Tokenizer.from_file(str(path)))

    @classmethod
    def learned(cls, texts: Iterable[str], vocabulary: int) -> WordPieces:
        """Trained on texts."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, FIRST, LATER],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator((normalised(t) for t in texts), trainer)
        return cls(tokenizer)

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def merges(self) -> list[Merge]:
        """What is merged, in the order of their ranks."""
        return [(one, other) for one, other in self._told()["model"]["merges"]]

    def number(self, piece: str) -> int:
        """A piece's number."""
        number = self._tokenizer.token_to_id(piece)
        if number is None:
            raise KeyError(piece)
        return int(number)

    def joined_by(self, merges: Iterable[Merge], count: int) -> tuple[WordPieces, list[Merge]]:
        """With those merges too, behind the ones there are, until there are `count` pieces; and which were added."""
        told = self._told()
        vocabulary, added = told["model"]["vocab"], []
        for one, other in merges:
            if len(vocabulary) >= count:
                break
            if one in vocabulary and other in vocabulary and one + other not in vocabulary:
                vocabulary[one + other] = len(vocabulary)
                added.append((one, other))
        told["model"]["merges"] += [list(merge) for merge in added]
        return WordPieces(Tokenizer.from_str(json.dumps(told))), added

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._tokenizer.to_str())
        return told

    def save(self, path: Path) -> None:
        """Writes ``tokenizer.json``."""
        self._tokenizer.save(str(path))

    def dropout(self, share: float | None) -> None:
        """Merges are left out at random (BPE-dropout, Provilkov et al. 2020); None for none."""
        self._tokenizer.model.dropout = share

    def numbers(self, text: str, later: bool, most: int) -> list[int]:
        """The pieces of a turn, at most so many: of a longer turn its beginning and its end."""
        pieces = [self._starts[later], *self._tokenizer.encode(normalised(text)).ids]
        if len(pieces) > most:
            half = most // 2
            pieces = [*pieces[:half], *pieces[len(pieces) - (most - half) :]]
        return pieces


class TurnPieces:
    """A turn as the network is fed it: pieces for the sentence encoder, if there is one, then those for E_txt.

    The sentence encoder's numbers are counted on from the last of E_txt's, so that one row holds both.
    """

    def __init__(self, words: WordPieces, sentence: SentencePieces | None = None) -> None:
        self.words, self.sentence = words, sentence

    @property
    def count(self) -> int:
        """How many pieces E_txt knows."""
        return self.words.count

    def numbers(self, text: str, later: bool, most: int) -> list[int]:
        """The pieces of a turn; at most so many of them for E_txt."""
        own = self.words.numbers(text, later, most)
        if self.sentence is None:
            return own
        return [self.words.count + n for n in self.sentence.numbers(normalised(text))] + own


def padded(rows: Sequence[Sequence[int]], vocabulary: int | None = None) -> list[list[int]]:
    """Rows of one length, zeros in front; where rows begin with numbers from `vocabulary` on, that part is padded by
    itself."""
    if vocabulary is None:
        longest = max(len(r) for r in rows)
        return [[0] * (longest - len(r)) + list(r) for r in rows]
    front = padded([[n for n in r if n >= vocabulary] for r in rows])
    own = padded([[n for n in r if n < vocabulary] for r in rows])
    return [[*a, *b] for a, b in zip(front, own, strict=True)]
