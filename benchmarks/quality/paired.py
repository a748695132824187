"""Which of several weights is better, and by how much beyond chance, on freshly painted validation persons.

``python -m benchmarks.quality.paired FILE FILE ... --draws 4``. The validation split of `benchmarks.quality` has 24
scenes, and its gain is pooled: one scene can be a quarter of all that is left, so a tenth of a decibel between two
networks says nothing. Here as many scenes are drawn as wanted, with seeds of their own, every network answers each of
them, and what is told is the difference to the first one, with its standard error over persons drawn anew (bootstrap,
Efron and Tibshirani 1993, chapter 6): what would be another face counts, not what would be another spot.

``--persons trained`` draws on persons that the retoucher is trained on instead: what they are better by is no promise,
but what it knows by heart.

Below, for the first: kinds and scenes that most of what is left lies in, so that one knows what to work on.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import heldout
from benchmarks.quality import masks, ours, scenes
from benchmarks.quality.ours import AnyRow
from benchmarks.quality.sums import Sums, gain_db, pooled
from benchmarks.quality.told import told
from benchmarks.quality.views import Views, views
from training.progress import progress

FIRST_SEED = 20270201
"""Of the first draw; the next one's is the next number."""
DRAWN_ANEW = 400
KEYS = ("masked_psnr_gain_db", "clean_psnr_db", "named_removed", "soft_iou")
_SHOWN, _MOST = 8, 20


@dataclass(slots=True)
class Seen:
    """One network on one scene."""

    person: str
    scene: str
    sums: Sums
    nothing: Sums
    soft_iou: float | None
    by_kind: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Kind to the squared errors that are left, and those that were there."""


def seen(row: AnyRow, s: Views, scene: heldout.Scene) -> Seen:
    """What one row makes of a scene."""
    answer = row.retouch(scene.source, scene.plan)
    found = Seen(scene.portrait.person_id, scene.name, Sums(), Sums(), None)
    found.sums.add(answer.picture, s)
    found.nothing.add(s.source, s)
    if answer.mask is not None and answer.transform is not None:
        truth = masks.true_mask(s, answer.transform, len(answer.mask))
        found.soft_iou = masks.soft_iou(answer.mask, truth)
    elif s.wanted.any():
        found.soft_iou = 0.0  # a face that was missed
    for kind, where in s.kinds.items():
        left, there = answer.picture - s.target, s.source - s.target
        found.by_kind[kind] = float((left[where] ** 2).sum()), float((there[where] ** 2).sum())
    return found


def figures(all_seen: Sequence[Seen]) -> dict[str, float]:
    """The figures of `KEYS`, pooled as `benchmarks.quality` pools them."""
    sums, nothing = pooled(s.sums for s in all_seen), pooled(s.nothing for s in all_seen)
    overlaps = [s.soft_iou for s in all_seen if s.soft_iou is not None]
    values = sums.figures()
    return {
        "masked_psnr_gain_db": gain_db(sums, nothing),
        "clean_psnr_db": float(values["clean_psnr_db"] or 0.0),
        "named_removed": sums.removed(),
        "soft_iou": float(np.mean(overlaps)) if overlaps else 0.0,
    }


def differences(
    first: Sequence[Seen], other: Sequence[Seen], drawn: int = DRAWN_ANEW
) -> dict[str, tuple[float, float]]:
    """Of each figure the difference `other` less `first`, and its standard error over persons."""
    rng = np.random.default_rng(0)
    persons = sorted({s.person for s in first})
    of = {p: [i for i, s in enumerate(first) if s.person == p] for p in persons}
    samples: dict[str, list[float]] = {key: [] for key in KEYS}
    for _ in range(drawn):
        chosen = [i for p in rng.choice(persons, len(persons)) for i in of[str(p)]]
        a, b = figures([first[i] for i in chosen]), figures([other[i] for i in chosen])
        for key in KEYS:
            samples[key].append(b[key] - a[key])
    whole_a, whole_b = figures(first), figures(other)
    return {key: (whole_b[key] - whole_a[key], float(np.std(samples[key]))) for key in KEYS}


def what_is_left(all_seen: Sequence[Seen]) -> dict[str, dict[str, dict[str, float]]]:
    """Kinds and scenes with the share of all squared errors in them, and their gain; most first."""
    whole = sum(s.sums.masked for s in all_seen)
    kinds: dict[str, list[float]] = {}
    for s in all_seen:
        for kind, (left, there) in s.by_kind.items():
            both = kinds.setdefault(kind, [0.0, 0.0])
            both[0] += left
            both[1] += there
    one_by_one = {s.scene: [s.sums.masked, s.nothing.masked] for s in all_seen if s.nothing.masked}
    return {"kinds": _ranked(kinds, whole), "scenes": _ranked(one_by_one, whole)}


def _ranked(found: dict[str, list[float]], whole: float) -> dict[str, dict[str, float]]:
    ranked = sorted(found.items(), key=lambda item: -item[1][0])
    return {
        name: {
            "share": round(left / max(whole, 1e-9), 3),
            "gain_db": round(float(10 * np.log10(there / max(left, 1e-9))), 2),
        }
        for name, (left, there) in ranked[:_MOST]
        if there > 0
    }


def table(found: dict[str, Any]) -> str:
    """Every network as a row, and where most is left, in Markdown."""
    lines = [
        "| weights | gain dB | clean dB | named removed | Soft-IoU |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in found["rows"].items():
        cells = []
        for key in KEYS:
            digits = 2 if key.endswith("_db") else 3
            cell = f"{row[key]:.{digits}f}"
            if "less_first" in row:
                more, error = row["less_first"][key]
                cell += f" ({more:+.{digits}f} ± {error:.{digits}f})"
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for what, ranked in found["left"].items():
        lines += ["", f"| {what} | share of what is left | gain dB |", "|---|---:|---:|"]
        lines += [
            f"| {name} | {each['share']:.3f} | {each['gain_db']:.2f} |"
            for name, each in list(ranked.items())[:_SHOWN]
        ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    return told("paired", lambda: _measured(args), table)


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    files = {str(file): file for file in args.weights}
    people = scenes.people(args.shared, args.persons)
    with contextlib.ExitStack() as stack:
        rows: dict[str, ours.Row] = {}
        for name, file in files.items():
            rows[name] = ours.whole(args.engine, file)
            stack.enter_context(contextlib.closing(rows[name].engine))
        all_seen: dict[str, list[Seen]] = {name: [] for name in rows}
        whole = args.draws * 2 * len(people)
        for seed in range(FIRST_SEED, FIRST_SEED + args.draws):
            for number, scene in enumerate(heldout.draw(people, seed)):
                s = views(scene)
                for name, row in rows.items():
                    one = seen(row, s, scene)
                    one.scene = f"{scene.name} of draw {seed - FIRST_SEED + 1}"
                    all_seen[name].append(one)
                done = (seed - FIRST_SEED) * 2 * len(people) + number + 1
                progress("painted scenes", done, whole)
    first = all_seen[next(iter(rows))]
    found: dict[str, dict[str, Any]] = {name: {**figures(all_seen[name])} for name in rows}
    for name in list(rows)[1:]:
        found[name]["less_first"] = differences(first, all_seen[name])
    return {"scenes": whole, "rows": found, "left": what_is_left(first)}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.paired",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", nargs="+", type=Path, help="the first is compared with")
    parser.add_argument(
        "--draws",
        type=int,
        default=4,
        help="of two scenes a portrait, 24 of the validation persons (default 4)",
    )
    parser.add_argument("--persons", choices=("validation", scenes.TRAINED), default="validation")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--engine", default="openvino")
    args = parser.parse_args(argv)
    if args.draws < 1:
        parser.error("--draws must be at least 1")
    return args


if __name__ == "__main__":
    sys.exit(main())
