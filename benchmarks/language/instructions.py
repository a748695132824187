"""Instructions read from a file, every line checked before anything is measured."""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from stream_retouch.errors import MediaError
from stream_retouch.language.plan import InstructionPlan, plan_from_json

Example = dict[str, Any]
"""{id, kind, turns, plan, accept?}, as the schema says and `training.language.plan_scoring` reads it."""


def read(path: Path) -> tuple[list[Example], str]:
    """The examples of a JSON-lines file, blank lines aside, and the file's SHA-256, hex.

    Raises:
        MediaError: the file cannot be read, holds nothing, or a line is not as the schema says; the text names it.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        reason = f"cannot be read ({problem.strerror}); name a file with --instructions"
        raise MediaError(str(path), reason) from problem
    examples: list[Example] = []
    lines: dict[int | str, int] = {}
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            example = _checked(line)
            if example["id"] in lines:
                first = lines[example["id"]]
                raise ValueError(f"its id is that of line {first}; give every line one of its own")
        except ValueError as problem:
            raise MediaError(str(path), f"line {number}: {problem}") from problem
        lines[example["id"]] = number
        examples.append(example)
    if not examples:
        raise MediaError(str(path), "holds no instruction; write one JSON object a line")
    return examples, hashlib.sha256(data).hexdigest()


def expected_plans(example: Example) -> list[InstructionPlan]:
    """The plan that is expected and those that are equally right, with the middle of each interval for an amount."""
    return [_middled(plan) for plan in (example["plan"], *example.get("accept", ()))]


def _checked(line: bytes) -> Example:
    """The example that a line tells; ValueError where it is none."""
    try:
        example = json.loads(line.decode())
    except UnicodeDecodeError as problem:
        raise ValueError("it is not UTF-8; save the file in that encoding") from problem
    except json.JSONDecodeError as problem:
        where = f"{problem.msg}, column {problem.colno}"
        raise ValueError(f"it is not JSON ({where}); write one object a line") from problem
    if not isinstance(example, dict):
        raise ValueError("it is no object; give id, kind, turns and plan")
    missing = [key for key in ("id", "kind", "turns", "plan") if key not in example]
    if missing:
        raise ValueError(f"it has no {missing[0]}; give id, kind, turns and plan")
    if isinstance(example["id"], bool) or not isinstance(example["id"], int | str):
        raise ValueError("its id is neither a number nor a text; give one of them")
    if not isinstance(example["kind"], str):
        raise ValueError("its kind is no text; give the name of a kind")
    turns = example["turns"]
    if not isinstance(turns, list) or not turns or not all(isinstance(t, str) for t in turns):
        raise ValueError("its turns are no list of texts; give what was said, oldest first")
    if not isinstance(example.get("accept", []), list):
        raise ValueError("its accept is no list; give whole plans, or leave it out")
    expected_plans(example)
    return example


def _middled(plan: object) -> InstructionPlan:
    if not isinstance(plan, dict) or not {"action", "edits", "keep"} <= plan.keys():
        raise ValueError("a plan lacks a part; give action, edits and keep")
    if not isinstance(plan["edits"], list) or not all(isinstance(e, dict) for e in plan["edits"]):
        raise ValueError("a plan's edits are no list of objects; give category, regions and amount")
    middles = [_middle(edit.get("amount")) for edit in plan["edits"]]
    found = plan_from_json(plan | {"edits": [edit | {"amount": 0.0} for edit in plan["edits"]]})
    edits = [replace(e, amount=a) for e, a in zip(found.edits, middles, strict=True)]
    return replace(found, edits=tuple(edits))


def _middle(interval: object) -> float:
    if isinstance(interval, list) and len(interval) == 2:
        low, high = interval
        numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in interval)
        if numbers and 0 <= low <= high <= 1:  # NaN fails the comparisons too
            return float(low + high) / 2
    raise ValueError("an edit's amount is no interval; give [lo, hi] between 0 and 1")
