"""The JSON of a run: figures of our row on top, every row below."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.heldout import frozen_hash
from benchmarks.quality import filters, tones
from benchmarks.quality.monotone import AMOUNTS, rises
from benchmarks.quality.ours import AnyRow, Row
from benchmarks.quality.painted import NOTHING, OURS, Painted
from benchmarks.quality.report import holds
from benchmarks.quality.unpainted import Unpainted
from benchmarks.report import hardware, versions
from engines.weights_file import weights_hash


def result(
    painted: Painted,
    unpainted: Unpainted,
    amounts: dict[str, list[float]],
    rows: Sequence[AnyRow],
) -> dict[str, Any]:
    """Every figure. The first of `rows` is the whole network."""
    nothing = painted.tallies[NOTHING]
    table = {name: tally.figures(nothing) for name, tally in painted.tallies.items()}
    real = {name: _rounded(sums.figures()) for name, sums in unpainted.sums.items()}
    kinds = painted.tallies[OURS].sums.removed_by_kind()
    worst = min(kinds, key=lambda kind: kinds[kind]) if kinds else None
    persons = list(painted.persons.values())
    found: dict[str, Any] = {
        **table[OURS],
        "worst_kind_removed": round(kinds[worst], 4) if worst else None,
        "worst_kind": worst,
        "amount_monotone": _share(rises(row) for row in amounts.values()),
        **real[OURS],
        **tones.gaps(persons),
        "rows": table,
        "real_rows": real,
        "removed_by_kind": {kind: round(share, 3) for kind, share in kinds.items()},
        "amounts": {
            "mean_removed": {
                str(a): round(float(np.mean([row[i] for row in amounts.values()])), 4)
                for i, a in enumerate(AMOUNTS)
                if amounts
            },
            "not_monotone": [name for name, row in amounts.items() if not rises(row)],
        },
        "tones": tones.by_tone(persons),
        "real_by_face": unpainted.sums[OURS].by_face,
        "classical": {"best": filters.BEST, "grid": filters.GRID},
        "row_weights": {row.name: row.weights for row in rows},
        "faces_missed": rows[0].faces_missed,
    }
    found["holds"] = holds(found)
    return found


def run_of(split: str, ours: Row, prints: Sequence[str]) -> dict[str, Any]:
    """What was run on what."""
    seconds = ours.engine.seconds
    return {
        "engine": ours.engine.name,
        "crop_size": ours.engine.crop_size,
        "engine_ms_p50": round(float(np.median(seconds)) * 1e3, 2) if seconds else None,
        "split": split,
        "scenes": len(prints),
        "scenes_sha256": hashlib.sha256("\n".join(prints).encode()).hexdigest(),
        "heldout_sha256": frozen_hash(),
        "weights_sha256": weights_hash(ours.file),
        "hardware": hardware(),
        "versions": versions(),
    }


def _rounded(figures: dict[str, float | None]) -> dict[str, float | None]:
    return {k: None if v is None else round(v, 4) for k, v in figures.items()}


def _share(verdicts: Any) -> float | None:
    found = [bool(v) for v in verdicts]
    return round(sum(found) / len(found), 4) if found else None
