"""From a run to its figures: a curve for every instruction, and what all of them say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.figures import percentiles
from benchmarks.instruction_latency.seen import Change, Looks
from benchmarks.instruction_latency.shown import STEADY_S, Curve, Shown, reasons, shown
from benchmarks.instruction_latency.talking import SETTLE_S, Said, Talk

BOUNDS: tuple[tuple[str, str, float], ...] = (("p50_ms", "<=", 200.0), ("p95_ms", "<=", 300.0))
REFUSED = "refused by the service"
NOT_APPLIED = "never applied"
_BEFORE_S = STEADY_S + 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """One instruction."""

    said: Said
    curve: Curve
    shown: Shown
    codes: float
    """Mean change of the cells that change, code values."""


def measured(talk: Talk) -> list[Measured]:
    """Every instruction of the run, counted or not, in order."""
    looks = looks_of(talk)
    changes: dict[tuple[str, str], Change] = {}
    found = []
    for said in talk.said:
        key = said.before, said.text
        if key not in changes:
            changes[key] = Change(looks, *key)
        curve = curve_of(talk, said, changes[key])
        found.append(Measured(said, curve, _shown(said, curve), changes[key].codes()))
    return found


def looks_of(talk: Talk) -> Looks:
    """The clip under every look, from the loops that it was shown for."""
    looks = Looks()
    for show in talk.shows:
        assert show.applied is not None
        for frame in talk.recording.returned:
            known = frame.number is not None and frame.timestamp in talk.pictures
            if known and show.applied + SETTLE_S <= frame.at <= show.until:
                looks.add(show.text, frame.number or 0, talk.pictures[frame.timestamp])
    return looks


def curve_of(talk: Talk, said: Said, change: Change) -> Curve:
    """What came back from a little before the text until the next one."""
    times, levels = [], []
    for frame in talk.recording.returned:
        if not said.sent - _BEFORE_S <= frame.at <= said.until:
            continue
        if frame.number is None or frame.timestamp not in talk.pictures:
            continue
        level = change.level(frame.number, talk.pictures[frame.timestamp])
        if level is not None:
            times.append(frame.at - said.sent)
            levels.append(level)
    return Curve(np.array(times), np.array(levels), said.until - said.sent)


def _shown(said: Said, curve: Curve) -> Shown:
    if said.refused:
        return Shown(None, REFUSED)
    return Shown(None, NOT_APPLIED) if said.applied is None else shown(curve)


def figures(found: Sequence[Measured]) -> dict[str, Any]:
    """The figures of a run; None where nothing was counted."""
    counted = [m for m in found if m.shown.ms is not None]
    whole = percentiles([m.shown.ms for m in counted if m.shown.ms is not None])
    values: dict[str, Any] = {
        "p50_ms": whole["p50"],
        "p95_ms": whole["p95"],
        "max_ms": whole["max"],
        "asked": len(found),
        "counted": len(counted),
        "not_counted": reasons(m.shown.why_not for m in found),
        "parts_ms": parts(counted),
        "by_text": by_text(found),
        "ms": [None if m.shown.ms is None else round(m.shown.ms, 1) for m in found],
    }
    values["holds"] = holds(values)
    return values


def parts(counted: Sequence[Measured]) -> dict[str, dict[str, float | None]]:
    """Where the time of the counted ones went, as far as the service's messages tell."""
    spans: dict[str, list[float]] = {"understood": [], "begun": [], "grown": [], "took": []}
    for m in counted:
        said, ms = m.said, m.shown.ms
        if said.planned is None or said.applied is None or ms is None:
            continue
        spans["understood"].append((said.planned - said.sent) * 1000)
        spans["begun"].append((said.applied - said.planned) * 1000)
        spans["grown"].append(ms - (said.applied - said.sent) * 1000)
        if said.took_ms is not None:
            spans["took"].append(said.took_ms)
    return {name: _half_and_most(values) for name, values in spans.items()}


def _half_and_most(values: Sequence[float]) -> dict[str, float | None]:
    ranked = percentiles(values)
    return {"p50": ranked["p50"], "p95": ranked["p95"]}


def by_text(found: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """For each text how often it was counted, its median, and how much it changes."""
    table: dict[str, dict[str, Any]] = {}
    for text in dict.fromkeys(m.said.text for m in found):
        own = [m for m in found if m.said.text == text]
        took = [m.shown.ms for m in own if m.shown.ms is not None]
        table[text] = {
            "asked": len(own),
            "counted": len(took),
            "p50_ms": percentiles(took)["p50"],
            "change_codes": round(float(np.mean([m.codes for m in own])), 2),
        }
    return table


def holds(values: dict[str, Any]) -> dict[str, bool]:
    """For each measured bound whether it holds."""
    return {
        name: bool(values[name] <= bound) for name, _, bound in BOUNDS if values[name] is not None
    }
