"""The planner's corpus: every line is valid, every example true to its slots, and nothing of the tests is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from engines.language.tokens import program, tokens
from stream_retouch.language.program import ACTS, KINDS, parsed
from training.language import corpus, vary
from training.language.banks import HERE, LANGUAGES, NOUNS, bank, kinds, places_for
from training.language.frames import filled, gerund, lines
from training.language.noise import heard, slipped, typed
from training.language.sentences import Sentences, learn_pieces
from training.language.vary import exchanged, mirrored, varied

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(p for folder in ("whole", "frames") for p in (HERE / folder).glob("*.txt"))
_FILLING = {"K": "mole", "P": "chin", "A": "=0.3"}
_SLOT = re.compile(r"\b[KPA]\d\b")


def normal(text: str) -> str:
    """A text without marks and case, to compare."""
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_line_holds_a_program(path: Path) -> None:
    for text, said in lines(path.parent.name, path.stem):
        slots = {m.lower() for m in _SLOT.findall(said)}
        assert text, said
        for slot in slots:
            forms = {f"{{{slot}}}"} | ({f"{{n{slot[1:]}}}"} if slot[0] == "p" else set())
            assert any(form in text for form in forms), (text, said)
        assert parsed(_SLOT.sub(lambda m: _FILLING[m[0][0]], said)), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_frame_can_be_filled(language: str) -> None:
    words, rng = bank(language), np.random.default_rng(1)
    names = [p.stem for p in FILES if p.parent.name == "frames" and p.stem[:2] == language]
    assert names
    for pair in lines("frames", *names):
        for _ in range(3):
            text, said = filled(pair, words, rng)
            assert "{" not in text, text
            assert parsed(said) and not _SLOT.search(said), said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_nouns(language: str) -> None:
    words, rng = bank(language), np.random.default_rng(2)
    for kind in NOUNS:
        assert len({words.noun(rng, kind) for _ in range(40)}) >= 5, kind


def test_amounts_are_as_they_are_said() -> None:
    words, rng = bank("en"), np.random.default_rng(3)
    for _ in range(300):
        said, share = words.amount(rng)
        assert 0 <= share <= 1
        number = re.search(r"(\d+) ?(%|percent|per cent)", said)
        assert number is None or int(number[1]) == round(100 * share), said


def test_examples_are_valid_and_varied() -> None:
    rng = np.random.default_rng(4)
    said = [corpus.example(rng) for _ in range(1500)]
    assert len({s.text for s in said}) > 1300
    assert {op.kind for s in said for op in s.ops if op.act in ACTS} == set(KINDS)
    for one in said:
        assert one.ops and one.text.strip()
        assert [o.act for o in program(tokens(one.ops))] == [o.act for o in one.ops]


def test_kinds_stay_where_they_live() -> None:
    rng = np.random.default_rng(5)
    assert set(places_for({"crows_feet"}, rng)) <= {
        "crows_feet_zone",
        "left_crows_feet",
        "right_crows_feet",
    }
    assert places_for({"crows_feet", "eye_bag"}, rng) == ()
    assert len(set(kinds(rng, 5))) == 5


def test_noise_is_repeatable_and_sometimes_nothing() -> None:
    text = "Please remove the spots on my left cheek, but keep my freckles."
    for noise in (typed, heard, slipped):
        first, again = ([noise(text, np.random.default_rng(i)) for i in range(30)] for _ in "ab")
        assert first == again and len(set(first)) > 5
    assert text in {typed(text, np.random.default_rng(i)) for i in range(10)}
    assert all("," not in heard(text, np.random.default_rng(i)) for i in range(10))


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("remove", "removing"),
        ("get rid of", "getting rid of"),
        ("zap", "zapping"),
        ("clean up", "cleaning up"),
    ],
)
def test_gerunds(verb: str, expected: str) -> None:
    assert gerund(verb) == expected


def test_sides_are_mirrored_in_text_and_program() -> None:
    pair = ("the Left cheek, not the right one", "edit spot left_cheek; keep spot right_cheek")
    assert mirrored(pair) == (
        "the Right cheek, not the left one",
        "edit spot right_cheek; keep spot left_cheek",
    )
    for still in (("do it right now", "edit spot left"), ("my nose, alright", "edit spot nose")):
        assert mirrored(still) == still


def test_a_kind_or_place_is_exchanged_only_where_it_is_meant() -> None:
    rng = np.random.default_rng(1)
    table = {"mole": ("moles",), "scar": ("scars",)}
    pair = ("moles off my chin", "edit mole chin")
    assert exchanged(pair, table, rng) == ("scars off my chin", "edit scar chin")
    for still in (
        ("moles and scars", "edit mole face; edit scar face"),
        ("like moles", "edit spot face"),
    ):
        assert exchanged(still, table, rng) == still
    places = vary._PLACES
    bags = ("lines on my chin", "edit line chin")
    assert exchanged(bags, places, rng) == bags


def test_varied_sentences_are_still_programs() -> None:
    rng = np.random.default_rng(6)
    pairs = lines("whole", "en", "en_scope", "en_follow_up")
    changed = [(p, varied(p, rng)) for p in pairs]
    assert sum(a != b for a, b in changed) > 0.1 * len(pairs)
    assert all(parsed(b[1]) for _, b in changed)


def test_no_held_out_turn_is_in_the_corpus() -> None:
    held = ROOT / "tests/data/instructions_heldout.jsonl"
    items = [json.loads(line) for line in held.read_text(encoding="utf-8").splitlines()]
    whole = {
        normal(t) for p in FILES if p.parent.name == "whole" for t, _ in lines("whole", p.stem)
    }
    # very short turns ("undo", "a bit more") have few wordings, and belong to everybody
    long = {normal(t) for i in items for t in i["turns"] if len(normal(t).split()) > 5}
    assert len(long & whole) <= 0.005 * len(long), sorted(long & whole)


def test_batches_are_padded_words_and_programs(tmp_path: Path) -> None:
    from engines.language.config import PlannerConfig

    config = PlannerConfig(vocabulary=400)
    learn_pieces(tmp_path, config, 1, sentences=300)
    batches = iter(Sentences(tmp_path, config, 8, (1, 2)))
    words, programs = next(batches)
    assert words.shape[0] == programs.shape[0] == 8 and words.shape[1] <= config.most_words
    assert bool((words[:, -1] > 0).all()) and bool((programs[:, 0] == 1).all())
    again = next(iter(Sentences(tmp_path, config, 8, (1, 2))))
    assert bool((again[1] == programs).all())
