"""The figures as tables, and as a file with the failures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.language.faults import fault
from benchmarks.language.instructions import Example
from benchmarks.language.planners import DEFAULT
from benchmarks.language.played import Played
from benchmarks.language.result import BOUNDS
from benchmarks.report import RESULTS, hardware
from stream_retouch.language.plan import plan_to_json

SHOWN = 40
"""Failures that a result file lists."""
ROOT = Path(__file__).resolve().parents[2]
_COLUMNS = ("items", "right", "accuracy", "action", "pairs", "amounts", "keeps")


def tables(found: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    parts = [
        _kinds(found["kinds"]),
        _figures(found),
        *(f"Left out: {sentence}." for sentence in found["left_out"]),
        f"{found['items']} items, {found['turns']} turns, through {found['planner_class']}; "
        f"instructions {found['instructions_sha256'][:12]}",
        f"{found['hardware']}; " + ", ".join(f"{n} {v}" for n, v in found["versions"].items()),
    ]
    return "\n\n".join(parts)


def _kinds(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    sums = {key: sum(row[key] for row in kinds.values()) for key in _COLUMNS if key != "accuracy"}
    rows = {**kinds, "**all**": {**sums, "accuracy": sums["right"] / sums["items"]}}
    lines = ["| kind | " + " | ".join(_COLUMNS) + " |", "|---" + "|---:" * len(_COLUMNS) + "|"]
    for kind, row in rows.items():
        cells = [f"{row[k]:.3f}" if k == "accuracy" else str(row[k]) for k in _COLUMNS]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\nThe last four columns: where a wrong plan fails."


def _figures(found: Mapping[str, Any]) -> str:
    bounds = {name: f"{sign} {bound:g}" for name, sign, bound in BOUNDS}
    names = [
        *("plan_accuracy", "lowest_kind_accuracy", "plan_accuracy_spoken", "rouge1"),
        *("plan_ms", "prepare_ms", "turn_ms", "language_weights_mb"),
    ]
    lines = ["| figure | measured | bound | holds |", "|---|---:|---:|---|"]
    for name in names:
        value = "-" if found[name] is None else f"{found[name]:.3f}"
        if name == "lowest_kind_accuracy" and found["lowest_kind"] is not None:
            value += f" ({found['lowest_kind']})"
        if found.get(f"{name}_p95") is not None:
            value += f" (p95 {found[f'{name}_p95']:.3f})"
        held = {True: "yes", False: "**no**", None: "-"}[found["holds"].get(name)]
        lines.append(f"| `{name}` | {value} | {bounds.get(name, '')} | {held} |")
    return "\n".join(lines)


def is_ours(instructions: Path) -> bool:
    """Whether the file lies in this repository: what others hold out is not written down, ids aside."""
    return instructions.resolve().is_relative_to(ROOT)


def failures(examples: Sequence[Example], played: Sequence[Played], in_full: bool) -> str:
    """The first SHOWN failures as Markdown; without `in_full` their ids only."""
    pairs = zip(examples, played, strict=True)
    wrong = [(e, p, f) for e, p in pairs if (f := fault(plan_to_json(p.plan), e)) is not None]
    if not wrong:
        return "No plan was wrong."
    title = f"{len(wrong)} wrong"
    title += f", the first {SHOWN}:" if len(wrong) > SHOWN else ":"
    if not in_full:
        return f"{title} " + ", ".join(_text(e["id"]) for e, _, _ in wrong[:SHOWN])
    lines = []
    for example, found, what in wrong[:SHOWN]:
        others = len(example.get("accept", ()))
        lines += [
            f"{_text(example['id'])} ({example['kind']}), {what}: {_text(example['turns'])}",
            f"  expected {_plan(example['plan'])}" + (f" (or {others} more)" if others else ""),
            f"  came     {_plan(plan_to_json(found.plan))}",
        ]
    return f"{title}\n\n```text\n" + "\n".join(lines) + "\n```"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plan(plan: Mapping[str, Any]) -> str:
    """``apply: spot on nose, chin 0.5..1; keep mole on face``."""
    parts = [
        f"{e['category']} on {', '.join(e['regions'])} {_amount(e['amount'])}"
        for e in plan["edits"]
    ]
    parts += [f"keep {k['category']} on {', '.join(k['regions'])}" for k in plan["keep"]]
    return f"{plan['action']}: {'; '.join(parts) or 'the untouched face'}"


def _amount(amount: Any) -> str:
    return "{:g}..{:g}".format(*amount) if isinstance(amount, list) else f"{amount:g}"


def file_of(out: Path | None, instructions: Path, planner: str) -> Path:
    """Where the result goes: what, hardware, date."""
    named = f"language-{instructions.stem}" + ("" if planner == DEFAULT else f"-{planner}-planner")
    what, where = (re.sub(r"[^a-z0-9]+", "-", t.lower()).strip("-") for t in (named, hardware()))
    return (out or RESULTS) / f"{what}_{where}_{date.today()}.md"


def write(path: Path, command: str, found: Mapping[str, Any], failed: str) -> None:
    """Writes the result file."""
    text = f"""# Words understood, {found["instructions"]}, {date.today()}

`{command}`

{tables(found)}

`plan_accuracy`: right plans of all kinds but spoken_errors. `rouge1`: against a reply made from the expected plan.
Times are process CPU, medians, one torch thread; `turn_ms`: planner and conditioner together.

{failed}

```json
{json.dumps(found, indent=1)}
```
"""
    path.write_text(
        text, encoding="utf-8", errors="backslashreplace"
    )  # JSON may tell half a character
