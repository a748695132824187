"""Is a plan right? The scoring rules of the project's instruction schema, applied to predictions.

An example is ``{id, kind, turns, plan, accept?}`` where an edit's amount is an interval ``[lo, hi]``; a prediction
is ``{action, edits, keep}`` where it is a number. Right means, against ``plan`` or any one of ``accept``: the
action matches, the set of (category, region) pairs is equal, every amount lies in its interval, and every keep is
present. The ceiling of accuracy is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    HOME_SPILL,
    HOME_ZONES,
    REGIONS,
    Category,
)

Pair = tuple[str, str]
SPOKEN_KIND = "spoken_errors"
"""The kind that counts towards the spoken figure; every other kind counts towards the typed one."""
_ROUNDING = 1e-6


def expanded(category: str, regions: Iterable[str]) -> set[Pair]:
    """The (category, region) pairs that an edit or a keep names, home zones observed."""
    names = set(regions)
    pairs: set[Pair] = set()
    for kind in CATEGORIES if category == BLEMISHES else (Category(category),):
        home = {r.value for r in HOME_ZONES.get(kind, ())}
        wanted = {r.value for r in REGIONS} if FACE in names else names
        if home and FACE in names:
            wanted = home
        elif home and category == BLEMISHES:
            wanted = names & home
        pairs |= {(kind.value, region) for region in wanted}
    return pairs


def kept_pairs(plan: Mapping[str, Any]) -> set[Pair]:
    """The pairs that the plan's keeps name."""
    return {p for keep in plan["keep"] for p in expanded(keep["category"], keep["regions"])}


def edited_pairs(plan: Mapping[str, Any]) -> dict[Pair, Any]:
    """The amount of every edited pair that is not kept; the more specific edit tells it, then the later one."""
    ranked = sorted(
        plan["edits"], key=lambda e: (e["category"] != BLEMISHES, FACE not in e["regions"])
    )
    found: dict[Pair, Any] = {}
    for edit in ranked:
        found |= dict.fromkeys(expanded(edit["category"], edit["regions"]), edit["amount"])
    kept = kept_pairs(plan)
    return {pair: amount for pair, amount in found.items() if pair not in kept}


def _spill(pairs: Iterable[Pair]) -> set[Pair]:
    """The neighbours that are ignored on either side because one side edits the home zone beside them."""
    kinds = {kind for kind, region in pairs if region in {r.value for r in _home(kind)}}
    return {(kind, r.value) for kind in kinds for r in HOME_SPILL.get(Category(kind), ())}


def _home(kind: str) -> Sequence[Any]:
    return HOME_ZONES.get(Category(kind), ())


def matches(predicted: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a predicted plan is right against one expected plan."""
    if predicted["action"] != expected["action"]:
        return False
    found = {p: a for p, a in edited_pairs(predicted).items() if a > 0.0}
    wanted = edited_pairs(expected)
    ignored = _spill([*found, *wanted])
    if set(found) - ignored != set(wanted) - ignored:
        return False
    if not kept_pairs(expected) <= kept_pairs(predicted):
        return False
    return all(
        wanted[pair][0] - _ROUNDING <= found[pair] <= wanted[pair][1] + _ROUNDING
        for pair in set(wanted) - ignored
    )


def is_right(predicted: Mapping[str, Any], example: Mapping[str, Any]) -> bool:
    """Whether a predicted plan is right against the example's plan or any plan it accepts."""
    return any(matches(predicted, p) for p in (example["plan"], *example.get("accept", ())))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of right plans, 0..1; None where there was no example."""

    overall: float | None
    typed: float | None
    spoken: float | None
    by_kind: dict[str, float]
    wrong: tuple[Any, ...]
    """Ids of the examples that were not right; a missing prediction is not right."""


def _share(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None


def accuracy(
    examples: Sequence[Mapping[str, Any]], predictions: Mapping[Any, Mapping[str, Any]]
) -> Accuracy:
    """The accuracy of `predictions` (plan by example id) on `examples`, overall and by kind."""
    marks = [(e, e["id"] in predictions and is_right(predictions[e["id"]], e)) for e in examples]
    kinds = sorted({e["kind"] for e in examples})
    by_kind = {k: _share([m for e, m in marks if e["kind"] == k]) or 0.0 for k in kinds}
    return Accuracy(
        _share([m for _, m in marks]),
        _share([m for e, m in marks if e["kind"] != SPOKEN_KIND]),
        _share([m for e, m in marks if e["kind"] == SPOKEN_KIND]),
        by_kind,
        tuple(e["id"] for e, m in marks if not m),
    )
