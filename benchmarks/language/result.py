"""The figures of a run, and the bounds that they are held to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.language.faults import FAULTS, fault
from benchmarks.language.instructions import Example, expected_plans
from benchmarks.language.played import Played
from benchmarks.language.rouge import best_rouge1
from stream_retouch.language.plan import plan_to_json
from training.language.plan_scoring import SPOKEN_KIND, accuracy

BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("plan_accuracy", ">=", 0.95),
    ("lowest_kind_accuracy", ">=", 0.80),
    ("plan_accuracy_spoken", ">=", 0.85),
    ("turn_ms", "<=", 60.0),
    ("language_weights_mb", "<=", 16.0),
)


def holds(found: Mapping[str, Any]) -> dict[str, bool]:
    """For each measured bound whether it holds."""
    return {
        name: bool(found[name] >= bound if sign == ">=" else found[name] <= bound)
        for name, sign, bound in BOUNDS
        if found.get(name) is not None
    }


def result(
    examples: Sequence[Example], played: Sequence[Played], weights_mb: float | None
) -> dict[str, Any]:
    """Every figure, and by kind how many items there are, are right, and fail where; None is what was not measured."""
    plans = [plan_to_json(p.plan) for p in played]
    scored = accuracy(examples, {e["id"]: p for e, p in zip(examples, plans, strict=True)})
    typed = {kind: share for kind, share in scored.by_kind.items() if kind != SPOKEN_KIND}
    lowest = min(typed, key=lambda kind: typed[kind]) if typed else None
    rouges = [
        best_rouge1(p.reply, expected_plans(e)) for e, p in zip(examples, played, strict=True)
    ]
    found: dict[str, Any] = {
        "plan_accuracy": scored.typed,
        "plan_accuracy_spoken": scored.spoken,
        "lowest_kind": lowest,
        "lowest_kind_accuracy": typed[lowest] if lowest else None,
        "rouge1": float(np.mean(rouges)),
        **_times("plan_ms", [ms for p in played for ms in p.plan_ms]),
        **_times("prepare_ms", [p.prepare_ms for p in played if p.prepare_ms is not None]),
    }
    prepare_ms = found["prepare_ms"]
    found["turn_ms"] = None if prepare_ms is None else found["plan_ms"] + prepare_ms
    found["language_weights_mb"] = weights_mb
    verdicts = holds(found)
    return {
        **{k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()},
        "holds": verdicts,
        "kinds": _by_kind(examples, plans),
        "items": len(examples),
        "turns": sum(len(e["turns"]) for e in examples),
        "wrong": list(scored.wrong),
    }


def _times(name: str, taken: Sequence[float]) -> dict[str, float | None]:
    """Median and 95th percentile."""
    if not taken:
        return {name: None, f"{name}_p95": None}
    return {name: float(np.median(taken)), f"{name}_p95": float(np.percentile(taken, 95))}


def _by_kind(
    examples: Sequence[Example], plans: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    faults: dict[str, Counter[str | None]] = {}
    for example, plan in zip(examples, plans, strict=True):
        faults.setdefault(example["kind"], Counter())[fault(plan, example)] += 1
    return {
        kind: {
            "items": counts.total(),
            "right": counts[None],
            "accuracy": round(counts[None] / counts.total(), 4),
            **{name: counts[name] for name in FAULTS},
        }
        for kind, counts in sorted(faults.items())
    }
