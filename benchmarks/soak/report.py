"""What was left behind, as a table, as one line of JSON, and as a file with a plot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import hardware, versions, weights, write_file
from benchmarks.soak.counts import KINDS, SETTLED_S, Counts, growth_mb, leaked

if TYPE_CHECKING:
    from benchmarks.soak.__main__ import Life


def result(life: Life, args: argparse.Namespace) -> dict[str, Any]:
    """The JSON."""
    left, tally = leaked(life.before, life.after), life.tally
    return {
        "growth_mb": growth_mb(life.samples),
        "leaked": sum(left.values()),
        "leaked_by": left,
        "noticed_s": round(tally.noticed_s, 1),
        "visits": dict(tally.visits),
        "refused": tally.refused,
        "failed": tally.failed,
        "minutes": args.minutes,
        "rss_mb": {
            "before": round(life.before.rss_mb),
            "most": round(max((c.rss_mb for c in life.samples), default=0.0)),
            "after": round(life.after.rss_mb),
        },
        "before": dict(zip(KINDS, life.before.held(), strict=True)),
        "after": dict(zip(KINDS, life.after.held(), strict=True)),
        "left": life.left,
        "engine": args.engine,
        "processes": args.processes,
        "size": "{}x{}".format(*args.size),
        "hardware": hardware(),
        "versions": versions(),
        "weights_sha256": weights(),
    }


def table(values: dict[str, Any]) -> str:
    """What was held before and after, as a Markdown table."""
    lines = ["| | before | after | left behind |", "|---|---:|---:|---:|"]
    for kind in KINDS:
        cells = values["before"][kind], values["after"][kind], values["leaked_by"][kind]
        lines.append(f"| {kind} | " + " | ".join(map(str, cells)) + " |")
    rss = values["rss_mb"]
    lines.append(f"| memory, MB | {rss['before']} | {rss['after']} | |")
    return "\n".join(lines)


def write(out: Path | None, command: str, life: Life, values: dict[str, Any]) -> Path:
    """Writes the result file, and a plot beside it if matplotlib is installed; gives its path."""
    came = ", ".join(f"{count} x {kind}" for kind, count in values["visits"].items()) or "nobody"
    growth = values["growth_mb"]
    told = "not known in so short a run" if growth is None else f"{growth} MB"
    problems = "\n".join(f"* {text}" for text in values["failed"]) or "* nothing"
    return write_file(
        out,
        "soak",
        f"{values['minutes']:g} minutes of people who come and go",
        command,
        [
            table(values),
            f"Beside the one who stayed came: {came}; turned away {values['refused']} times. Memory grew by {told} "
            f"after the first {SETTLED_S / 60:.0f} minutes. One who was taken away was noticed within "
            f"{values['noticed_s']} s. What went wrong:",
            problems,
            "What the figures mean stands in benchmarks/soak/__init__.py.",
        ],
        values,
        lambda path: _plot(path, life.samples),
        "memory and what is open over time",
    )


def _plot(path: Path, samples: Sequence[Counts]) -> bool:
    """Memory, and everything else, over time; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    minutes = [c.at_s / 60 for c in samples]
    left.plot(minutes, [c.rss_mb for c in samples])
    left.set_ylabel("resident memory, MB")
    left.set_ylim(0)
    for kind in KINDS:
        right.plot(minutes, [getattr(c, kind) for c in samples], label=kind)
    right.legend()
    for axes in (left, right):
        axes.set_xlabel("minutes")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    return True
