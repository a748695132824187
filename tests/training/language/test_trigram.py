"""The word model of the recogniser: a distribution, written as ARPA, of words that can be said."""

from __future__ import annotations

import numpy as np
import pytest

from training.language.commands import command
from training.language.spoken import (
    EXTRA,
    frequent,
    number_words,
    read_pronunciations,
    sentences,
    words_said,
)
from training.language.trigram import END, FOLDER, START, Trigram, dictionary

ROWS = [
    "remove the spots".split(),
    "remove the moles".split(),
    "keep the moles please".split(),
    "remove the spots please".split(),
]


@pytest.mark.parametrize("least", [1, 2])
@pytest.mark.parametrize("before", [(), ("the",), ("remove", "the"), (START, "keep"), ("odd",)])
def test_the_probabilities_after_any_words_add_up_to_one(
    before: tuple[str, ...], least: int
) -> None:
    model = Trigram(ROWS, least)
    assert sum(model.probability(w, *before) for w in [*model.words, END]) == pytest.approx(1)


def test_what_was_seen_more_often_is_likelier() -> None:
    model = Trigram(ROWS)
    assert model.probability("spots", "remove", "the") > model.probability("moles", "remove", "the")


def test_the_arpa_file_says_the_same_probabilities() -> None:
    model = Trigram(ROWS)
    lines = list(model.arpa())
    assert "ngram 1=8" in lines and lines[-1].strip() == "\\end\\"
    (spots,) = [line for line in lines if line.split("\t")[1:2] == ["remove the spots"]]
    assert 10 ** float(spots.split()[0]) == pytest.approx(
        model.probability("spots", "remove", "the"), rel=0.02
    )


def test_dropped_trigrams_are_not_written() -> None:
    assert "ngram 3=0" in list(Trigram(ROWS, least=9).arpa())


def test_no_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="give at least one"):
        Trigram([])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Remove 50% of the T-zone's shine!", "remove fifty percent of the t zone's shine"),
        ("crow\u2019s feet: 25", "crow's feet twenty five"),
        ("spots & moles, 100%", "spots and moles one hundred percent"),
        ("shine by 20 per cent", "shine by twenty percent"),
        ("an upper centre line", "an upper centre line"),
        ("...", ""),
    ],
)
def test_signs_and_figures_become_words(text: str, words: str) -> None:
    assert " ".join(words_said(text)) == words


def test_numbers_beyond_a_hundred_are_said_digit_by_digit() -> None:
    assert number_words(305) == "three zero five"


def test_further_pronunciations_are_kept() -> None:
    known = read_pronunciations(["# note", "mole M OW L", "mole(2) M AO L"])
    assert known == {"mole": ("M OW L", "M AO L")}
    assert list(dictionary(["mole"], known)) == ["mole M OW L", "mole(2) M AO L"]


def test_british_ways_to_say_a_word_stand_beside_the_american_one() -> None:
    said = list(dictionary(["scar", "line"], {"scar": ("S K AA R",), "line": ("L AY N",)}))
    assert said == ["scar S K AA R", "scar(2) S K AA", "line L AY N"]


def test_only_words_that_can_be_said_are_counted() -> None:
    rng = np.random.default_rng(0)
    every = {w for _ in range(300) for w in words_said(command(rng))}
    known = dict.fromkeys(every - {"moles"}, ("AH",))
    drawn = list(sentences(np.random.default_rng(1), 40, known))
    assert len(drawn) == 40 and not any("moles" in row for row in drawn)


def test_sentences_with_rare_words_and_repeated_ones_are_left_out() -> None:
    assert frequent([("a", "b"), ("a", "c"), ("b",), ("b",)], 2) == [("a", "b"), ("b",)]


def test_every_added_pronunciation_has_phones() -> None:
    known = read_pronunciations(EXTRA.read_text(encoding="utf-8").splitlines())
    assert {"zits", "rosacea", "undereye", "melasma", "hyperpigmentation"} <= set(known)


def test_what_ships_is_small() -> None:
    files = list(FOLDER.glob("words.*"))
    assert files and sum(path.stat().st_size for path in files) < 2_000_000
