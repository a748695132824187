"""Where a plan fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.language.plan_scoring import matches

FAULTS = ("action", "pairs", "keeps", "amounts")
"""What can be wrong, the furthest from right first."""
_RIGHT = len(FAULTS)


def fault(predicted: Mapping[str, Any], example: Mapping[str, Any]) -> str | None:
    """What is wrong, against the expected plan that comes nearest; None when the plan is right."""
    plans = (example["plan"], *example.get("accept", ()))
    nearest = max(_against(predicted, plan) for plan in plans)
    return None if nearest == _RIGHT else FAULTS[nearest]


def _against(predicted: Mapping[str, Any], expected: Mapping[str, Any]) -> int:
    """Index in FAULTS, _RIGHT when nothing is wrong."""
    if matches(predicted, expected):
        return _RIGHT
    if predicted["action"] != expected["action"]:
        return FAULTS.index("action")
    anyhow = {**expected, "edits": [{**e, "amount": [0.0, 1.0]} for e in expected["edits"]]}
    if matches(predicted, anyhow):
        return FAULTS.index("amounts")
    keeping = {**predicted, "keep": [*predicted["keep"], *expected["keep"]]}
    return FAULTS.index("keeps" if matches(keeping, anyhow) else "pairs")
