"""Several things in one breath: every thing keeps its own place, and nothing that is told is taken back."""

from __future__ import annotations

import numpy as np

from stream_retouch.language.program import parsed
from training.language.banks import bank
from training.language.frames import cancels
from training.language.several import several

DRAWS = 400


def drawn() -> list[tuple[str, str]]:
    rng, words = np.random.default_rng(5), bank("en")
    return [several(words, rng) for _ in range(DRAWS)]


def test_every_sentence_has_a_program_of_several_things() -> None:
    for text, program in drawn():
        ops = parsed(program)
        assert "{" not in text and text == text.strip(), text
        assert len(ops) > 1 or len(ops[0].places) > 1, (text, program)
        assert not cancels(program), (text, program)


def test_all_that_is_said_to_stay_is_kept_and_the_rest_is_not() -> None:
    acts = {op.act for _, program in drawn() for op in parsed(program)}
    assert acts == {"edit", "keep"}
    for text, program in drawn():
        if any(text.startswith(start) for start in ("everything but", "the lot, save for")):
            ops = parsed(program)
            assert (ops[0].act, ops[0].kind) == ("edit", "blemishes")
            assert {op.act for op in ops[1:]} == {"keep"}


def test_a_thing_with_a_place_has_an_article_of_its_own() -> None:
    rng, words = np.random.default_rng(6), bank("en")
    found = [several(words, rng) for _ in range(20 * DRAWS)]
    lists = [
        (text, program)
        for text, program in found
        if text.startswith("remove ") and [op.act for op in parsed(program)] == ["edit", "edit"]
    ]
    assert lists
    for text, program in lists:
        first, last = parsed(program)
        if first.places == ("face",) != last.places:
            behind = text.split(" and ")[-1].split(", ")[-1].split(" & ")[-1].split()
            assert set(behind) & {"my", "the", "all", "these", "those", "this", "that", "a"}
