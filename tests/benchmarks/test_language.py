"""benchmarks.language with planners that are right on some items and wrong on others."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from benchmarks.language import planners, report
from benchmarks.language.__main__ import main
from benchmarks.language.faults import fault
from benchmarks.language.instructions import expected_plans, read
from benchmarks.language.played import Played, play
from benchmarks.language.result import BOUNDS, holds, result
from benchmarks.language.rouge import best_rouge1, in_words, rouge1
from benchmarks.report import WEIGHTS
from stream_retouch.cli import NAMES, Names
from stream_retouch.engine import BLOCK_WIDTH, BLOCKS, TEXT_WIDTH, Conditioning
from stream_retouch.errors import EngineError, MediaError, WeightsError
from stream_retouch.language import replies
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue, Edit, InstructionPlan, Keep
from training.language.plan_scoring import accuracy

CASES = Path(__file__).parents[1] / "data" / "grammar_cases.jsonl"
SPOT, NOSE_SPOT, MOLE = (
    Edit("spot", ("face",), 0.8),
    Edit("spot", ("nose",), 0.8),
    Keep("mole", ("face",)),
)
PLAN_MS, PREPARE_MS = 1.0, 2.0


def spend(ms: float) -> None:
    """Keeps the CPU busy."""
    start = time.process_time()
    while (time.process_time() - start) * 1e3 < ms:
        pass


class WordPlanner:
    """Knows a few words and takes `PLAN_MS`. Its undo says that the spots stay on, which is not so."""

    def __init__(self, *_chosen: object) -> None: ...

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        spend(PLAN_MS)
        look = dialogue.look
        match text:
            case "spots":
                return InstructionPlan((*look.edits, SPOT), look.keep), "Removing spots."
            case "nose":
                return InstructionPlan((*look.edits, NOSE_SPOT)), "Removing spots on your nose."
            case "undo":
                return InstructionPlan((SPOT,), (), "undo"), replies.UNDONE
        return replace(look, action="reject"), replies.NOT_UNDERSTOOD


class LookConditioner:
    """Remembers what it was given and takes `PREPARE_MS`."""

    def __init__(self) -> None:
        self.given: list[tuple[InstructionPlan, object]] = []

    @classmethod
    def load(cls, weights: Path | None = None) -> Self:
        return cls()

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        spend(PREPARE_MS)
        self.given.append((plan, key_crop))
        zero = np.zeros((BLOCKS, BLOCK_WIDTH), np.float32)
        return Conditioning(np.zeros(TEXT_WIDTH, np.float32), zero, zero, zero)


class NoConditioner(LookConditioner):
    @classmethod
    def load(cls, weights: Path | None = None) -> Self:
        raise WeightsError("retouchgpt-256.safetensors", "no such file")


HERE = "tests.benchmarks.test_language"
FAKES = Names({}, "", f"{HERE}:LookConditioner", f"{HERE}:WordPlanner")


def wanted(*edits: tuple[str, str, list[float]], keep: Any = (), action: str = "apply") -> Any:
    named = [{"category": c, "regions": [r], "amount": a} for c, r, a in edits]
    keeps = [{"category": c, "regions": [r]} for c, r in keep]
    return {"edits": named, "keep": keeps, "action": action}


D = [0.5, 1.0]
SPOTS, NOSE = wanted(("spot", "face", D)), wanted(("spot", "nose", D))
UNDONE, REJECTED = wanted(action="undo"), wanted(action="reject")
ITEMS: list[dict[str, Any]] = [
    {"id": 1, "kind": "simple", "turns": ["spots"], "plan": SPOTS},
    {"id": 2, "kind": "simple", "turns": ["nose"], "plan": SPOTS},  # pairs
    {"id": 3, "kind": "simple", "turns": ["spots"], "plan": wanted(("spot", "face", [0.1, 0.45]))},  # amounts
    {"id": 4, "kind": "simple", "turns": ["nose"], "plan": SPOTS, "accept": [NOSE]},
    {"id": "five", "kind": "dialogue", "turns": ["spots", "undo"], "plan": UNDONE},
    {"id": 6, "kind": "dialogue", "turns": ["undo", "spots"], "plan": UNDONE},  # action
    {"id": 7, "kind": "keep", "turns": ["spots"], "plan": wanted(("spot", "face", D), keep=[("mole", "face")])},
    {"id": 8, "kind": "out", "turns": ["blue eyes"], "plan": REJECTED},
    {"id": 9, "kind": "spoken_errors", "turns": ["spots"], "plan": SPOTS},
    {"id": 10, "kind": "spoken_errors", "turns": ["spits"], "plan": SPOTS},  # action
]  # fmt: skip
WRONG = [2, 3, 6, 7, 10]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "items.jsonl", [json.dumps(item) for item in ITEMS])


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(file: Path, capsys: pytest.CaptureFixture[str], *more: str, names: Names = FAKES) -> Any:
    """The table's text and the JSON of the last line."""
    assert main(["--instructions", str(file), "--out", str(file.parent / "out"), *more], names) == 0
    shown = capsys.readouterr().out
    return shown, json.loads(shown.splitlines()[-1])


def test_every_figure_is_that_of_the_plans(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown, found = run(file, capsys)
    assert (found["items"], found["turns"], found["wrong"]) == (10, 12, WRONG)
    assert found["plan_accuracy"] == 0.5 and found["plan_accuracy_spoken"] == 0.5
    assert (found["lowest_kind"], found["lowest_kind_accuracy"]) == ("keep", 0.0)
    rows = {kind: tuple(row.values()) for kind, row in found["kinds"].items()}
    assert tuple(found["kinds"]["simple"]) == (
        "items",
        "right",
        "accuracy",
        "action",
        "pairs",
        "keeps",
        "amounts",
    )
    assert rows == {
        "dialogue": (2, 1, 0.5, 1, 0, 0, 0),
        "keep": (1, 0, 0.0, 0, 0, 1, 0),
        "out": (1, 1, 1.0, 0, 0, 0, 0),
        "simple": (4, 2, 0.5, 0, 1, 0, 1),
        "spoken_errors": (2, 1, 0.5, 1, 0, 0, 0),
    }  # fmt: skip
    assert "| simple | 4 | 2 | 0.500 | 0 | 1 | 1 | 0 |" in shown
    assert "| **all** | 10 | 5 | 0.500 | 2 | 1 | 1 | 1 |" in shown
    assert "| `lowest_kind_accuracy` | 0.000 (keep) | >= 0.8 | **no** |" in shown
    assert (
        found["planner_class"] == f"{HERE}:WordPlanner" and len(found["instructions_sha256"]) == 64
    )


def test_times_are_those_that_the_parts_take(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = run(file, capsys)
    assert PLAN_MS <= found["plan_ms"] < PREPARE_MS <= found["prepare_ms"] < 50
    assert found["turn_ms"] == pytest.approx(found["plan_ms"] + found["prepare_ms"], abs=2e-4)
    assert found["holds"]["turn_ms"] is True


def test_predictions_give_the_same_accuracy_through_the_scorer(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file.parent / "new" / "predictions.jsonl"
    _, found = run(file, capsys, "--predictions", str(path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["id"] for line in lines] == [item["id"] for item in ITEMS]
    scored = accuracy(ITEMS, {line["id"]: line["plan"] for line in lines})
    assert (scored.typed, scored.spoken) == (found["plan_accuracy"], found["plan_accuracy_spoken"])
    assert list(scored.wrong) == found["wrong"] == WRONG
    assert main(["--instructions", str(path)], FAKES) == 1
    with pytest.raises(SystemExit):
        main(["--instructions", str(file), "--predictions", str(file)], FAKES)
    assert "would overwrite" in capsys.readouterr().err


def test_turns_are_played_as_a_session_plays_them() -> None:
    conditioner = LookConditioner()
    both = play(["spots", "nose"], WordPlanner(), conditioner)
    assert both.plan == InstructionPlan((SPOT, NOSE_SPOT)) and len(both.plan_ms) == 2
    assert both.reply == "Removing spots on your nose."
    undone = play(["spots", "nose", "undo"], WordPlanner(), conditioner)
    assert undone.plan == InstructionPlan((SPOT,), (), "undo")
    # The look counts, not what the planner says about it.
    assert play(["spots", "undo"], WordPlanner(), None).plan == InstructionPlan(action="undo")
    rejected = play(["spots", "blue eyes"], WordPlanner(), conditioner)
    assert rejected.plan == InstructionPlan((SPOT,), (), "reject") and rejected.prepare_ms is None
    looks = [InstructionPlan((SPOT, NOSE_SPOT)), InstructionPlan((SPOT,))]
    assert conditioner.given == [(look, None) for look in looks]


def test_the_planner_that_serves_is_right_on_its_own_cases() -> None:
    examples, _ = read(CASES)
    played = [play(e["turns"], GrammarPlanner(), None) for e in examples]
    found = result(examples, played, 0.0)
    assert found["plan_accuracy"] == found["plan_accuracy_spoken"] == 1.0 and found["wrong"] == []
    assert found["rouge1"] > 0.8 and found["prepare_ms"] is None and "turn_ms" not in found["holds"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"id": 2', "it is not JSON (Expecting ',' delimiter, column 9); write one object a line"),
        ("[]", "it is no object; give id, kind, turns and plan"),
        ({"kind": None}, "its kind is no text; give the name of a kind"),
        ({"id": True}, "its id is neither a number nor a text; give one of them"),
        ({"id": 1}, "its id is that of line 1; give every line one of its own"),
        ({"turns": []}, "its turns are no list of texts; give what was said, oldest first"),
        ({"turns": "spots"}, "its turns are no list of texts; give what was said, oldest first"),
        ({"accept": None}, "its accept is no list; give whole plans, or leave it out"),
        ({"accept": [{"edits": []}]}, "a plan lacks a part; give action, edits and keep"),
        ({"plan": wanted(("spot", "face", [0.9, 0.5]))}, "no interval; give [lo, hi] between 0 and 1"),
        ({"plan": wanted(("spot", "face", 0.8))}, "no interval; give [lo, hi] between 0 and 1"),  # type: ignore[arg-type]
        ({"plan": wanted(("beard", "face", D))}, "unknown category in a plan's edits; use a name of the schema"),
        ({"plan": wanted(("spot", "neck", D))}, "unknown region in a plan's edits; use names of the schema"),
        ({"plan": wanted(keep=[("spot", "neck")])}, "unknown region in a plan's keep; use names of the schema"),
        ({"plan": wanted(action="redo")}, "unknown action of a plan; use one of apply, undo, reset, nothing, reject"),
        ({"plan": SPOTS | {"edits": ["spot"]}}, "no list of objects; give category, regions and amount"),
    ],
)  # fmt: skip
def test_a_broken_line_is_named_with_the_remedy(
    line: str | dict[str, Any], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = line if isinstance(line, str) else json.dumps(ITEMS[1] | line)
    file = written(tmp_path / "broken.jsonl", [json.dumps(ITEMS[0]), "", text])
    assert main(["--instructions", str(file)], FAKES) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"\nbenchmarks.language: {file}: line 3: ") and told.out == ""
    assert told.err.rstrip().endswith(sentence)


def test_a_file_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be read .*; name a file with --instructions"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(MediaError, match="holds no instruction; write one JSON object a line"):
        read(written(tmp_path / "empty.jsonl", ["", " "]))
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(MediaError, match="line 1: it is not UTF-8; save the file in that encoding"):
        read(tmp_path / "latin.jsonl")


def test_separators_within_a_text_end_no_line(tmp_path: Path) -> None:
    item = ITEMS[0] | {"turns": ["spots\u2028now"]}
    file = written(tmp_path / "lines.jsonl", ["\ufeff" + json.dumps(item, ensure_ascii=False)])
    assert read(file)[0] == [item]


@pytest.mark.parametrize(
    ("text", "reference", "f1"),
    [
        ("Removing spots.", "removing SPOTS", 1.0),
        ("Removing spots on your nose.", "Removing spots.", 2 * 2 / (5 + 2)),
        ("the the the", "the cat", 2 * 1 / (3 + 2)),
        ("Undone", "Nothing", 0.0),
        ("", "", 0.0),
    ],
)
def test_rouge1_of_known_pairs(text: str, reference: str, f1: float) -> None:
    assert rouge1(text, reference) == rouge1(reference, text) == pytest.approx(f1)


def test_the_expected_plan_in_words_is_the_reply_to_it() -> None:
    plan = wanted(("spot", "nose", [0.1, 0.45]), ("acne", "face", D), keep=[("mole", "face")])
    expected = expected_plans({"plan": plan, "accept": [UNDONE]})
    assert in_words(expected[0]) == (
        "Slightly softening spots on your nose; removing acne; keeping your moles."
    )
    assert best_rouge1(replies.UNDONE, expected) == 1.0 > best_rouge1(replies.UNDONE, expected[:1])
    assert in_words(InstructionPlan()) == in_words(InstructionPlan(action="reset")) == replies.RESET
    assert in_words(InstructionPlan((SPOT,), (), "reject")) == replies.CANNOT
    assert in_words(InstructionPlan((SPOT,), (), "nothing")) == replies.NOTHING


ALL_BUT_MOLES = wanted(("blemishes", "face", D), keep=[("mole", "face")])


@pytest.mark.parametrize(
    ("predicted", "expected", "what"),
    [
        (wanted(("spot", "face", 0.8)), SPOTS, None),  # type: ignore[arg-type]
        (wanted(("spot", "face", 0.3)), SPOTS, "amounts"),  # type: ignore[arg-type]
        (wanted(("spot", "nose", 0.3)), SPOTS, "pairs"),  # type: ignore[arg-type]
        (wanted(("spot", "nose", 0.3), action="undo"), SPOTS, "action"),  # type: ignore[arg-type]
        (wanted(("blemishes", "face", 0.8)), ALL_BUT_MOLES, "keeps"),  # type: ignore[arg-type]
        (wanted(("blemishes", "face", 0.2)), ALL_BUT_MOLES, "keeps"),  # type: ignore[arg-type]
        (wanted(("scar", "face", 0.8)), ALL_BUT_MOLES, "pairs"),  # type: ignore[arg-type]
        (wanted(("spot", "face", 0.8), keep=[("spot", "nose")]), SPOTS, "pairs"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_where_a_plan_fails(predicted: Any, expected: Any, what: str | None) -> None:
    assert fault(predicted, {"plan": expected}) == what
    # The nearest of the plans that are right counts.
    assert fault(predicted, {"plan": UNDONE | {"action": "reset"}, "accept": [expected]}) == what


def test_bounds_are_held_to_what_was_measured_before_it_is_rounded() -> None:
    good = {name: bound for name, _, bound in BOUNDS}
    assert holds(good) == dict.fromkeys(good, True)
    worse = {n: b - 1e-6 if sign == ">=" else b + 1e-6 for n, sign, b in BOUNDS}
    assert holds(worse) == dict.fromkeys(good, False)
    assert holds(dict.fromkeys(good)) == {}
    spoken = [dict(ITEMS[8])]
    found = result(spoken, [play(["spots"], WordPlanner(), None)], None)
    assert found["holds"] == {"plan_accuracy_spoken": True} and found["lowest_kind"] is None
    heavy = result(spoken, [play(["spots"], WordPlanner(), None)], 16.00001)
    assert heavy["language_weights_mb"] == 16.0 and not heavy["holds"]["language_weights_mb"]


def test_the_words_of_others_stay_out_of_the_result(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(file, capsys)
    (path,) = (file.parent / "out").iterdir()
    assert path.name.startswith("language-items_") and path.suffix == ".md"
    text = path.read_text()
    assert "5 wrong: 2, 3, 6, 7, 10\n" in text and str(file.parent) not in text
    assert "spits" not in text and "expected" not in text.partition("5 wrong")[2]
    assert report.is_ours(CASES) and not report.is_ours(file)


def test_our_own_failures_are_shown_with_what_came() -> None:
    played = [play(item["turns"], WordPlanner(), None) for item in ITEMS]
    text = report.failures(ITEMS, played, in_full=True)
    assert (
        '2 (simple), pairs: ["nose"]\n'
        "  expected apply: spot on face 0.5..1\n"
        "  came     apply: spot on nose 0.8\n" in text
    )
    assert '10 (spoken_errors), action: ["spits"]' in text and '"five"' not in text
    many = [ITEMS[1] | {"id": n} for n in range(50)]
    text = report.failures(many, [played[1]] * 50, in_full=True)
    assert text.startswith("50 wrong, the first 40:") and text.count("expected") == 40
    right = [Played(InstructionPlan((SPOT,)), "", (1.0,), None)]
    assert report.failures(ITEMS[:1], right, in_full=True) == "No plan was wrong."


def test_what_is_missing_is_left_out_plainly(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = replace(FAKES, conditioner=f"{HERE}:NoConditioner")
    shown, found = run(file, capsys, "--limit", "4", names=names)
    assert found["items"] == 4 and found["plan_accuracy"] == 0.5
    assert found["prepare_ms"] is found["turn_ms"] is found["language_weights_mb"] is None
    assert not {"turn_ms", "language_weights_mb"} & set(found["holds"])
    assert (
        "Left out: prepare_ms and turn_ms (weights retouchgpt-256.safetensors: no such file"
        in shown
    )
    assert f"language_weights_mb (weights {WEIGHTS}: it is not known which" in shown
    missing = replace(FAKES, conditioner="no_such_package:Conditioner")
    assert "No module named 'no_such_package'" in run(file, capsys, names=missing)[0]


def test_planners_are_started_as_the_command_line_does() -> None:
    assert planners.class_of(planners.load("default", NAMES)) == planners.PLANNERS["embedded"].place
    grammar = planners.load("grammar", FAKES)
    assert isinstance(grammar, GrammarPlanner) and planners.weights_of(grammar) == []
    with pytest.raises(EngineError, match="the planner default cannot be used: .*; choose another"):
        planners.load("default", replace(FAKES, planner=f"{HERE}:NoSuchPlanner"))


def test_weights_are_those_of_the_planner_and_of_the_language_part(tmp_path: Path) -> None:
    network = tmp_path / "network.safetensors"
    parts = {"language.words": 600, "language.pool": 400, "encoder.stem": 5000}
    save_file({name: np.zeros(size, np.float16) for name, size in parts.items()}, network)
    assert planners.language_mb(GrammarPlanner(), network, tmp_path) == 2000 / 1e6
    embedded = type("EmbeddedPlanner", (WordPlanner,), {"__module__": "engines.planner"})()
    with pytest.raises(WeightsError, match="no such file"):
        planners.language_mb(embedded, network, tmp_path)
    (tmp_path / "planner.safetensors").write_bytes(bytes(3000))
    assert planners.language_mb(embedded, network, tmp_path) == 5000 / 1e6
    with pytest.raises(WeightsError, match="not a safetensors file"):
        planners.language_mb(GrammarPlanner(), tmp_path / "planner.safetensors", tmp_path)
