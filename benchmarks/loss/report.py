"""The figures as a table, as one line of JSON, and as a file with a plot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import hardware, versions, write_file

BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("freeze_ms_max", "one_packet", 300.0),
    ("freeze_ms_max", "loss_1", 300.0),
    ("freeze_ms_max", "loss_3", 600.0),
    ("recovery_s", "one_packet", 1.0),
    ("recovery_s", "loss_1", 1.0),
    ("recovery_s", "loss_3", 1.0),
    ("recovery_s", "loss_10", 1.0),
    ("recovery_s", "reorder_5", 1.0),
    ("recovery_s", "outage_300", 1.0),
    ("delay_ms_p95", "bottleneck", 300.0),
)
"""Of our row: figure, scenario, greatest value."""
_COLUMNS = (
    ("freeze ms", "freeze_ms_max"),
    ("over 150 ms", "freezes_over_150_ms"),
    ("recovery s", "recovery_s_max"),
    ("never", "never_recovered"),
    ("events", "events"),
    ("fps", "fps"),
    ("frames lost", "frames_lost"),
    ("damaged", "frames_broken"),
    ("client missed", "camera_missed"),
    ("delay ms p50/p95", "delay_ms"),
    ("kbps", "kbps"),
    ("packets", "packets"),
    ("packets lost", "packets_lost"),
    ("RTX", "rtx"),
    ("NACK", "nack"),
    ("PLI", "pli"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    row: str
    scenario: str
    direction: str
    figures: dict[str, Any]
    pauses: list[tuple[float, float]]
    """For the plot: seconds of each shown frame, milliseconds since the one before it."""


def short(run: Measured) -> str:
    """The run in a few words."""
    found = run.figures
    recovery = found["recovery_s_max"]
    return (
        f"freeze {found['freeze_ms_max']:.0f} ms, recovery "
        f"{'-' if recovery is None else f'{recovery:.2f} s'}, {found['fps']} fps"
    )


def tables(runs: Sequence[Measured]) -> str:
    """Every run as a row, in Markdown."""
    lines = [
        "| scenario | way | row | " + " | ".join(title for title, _ in _COLUMNS) + " |",
        "|---|---|---" + "|---:" * len(_COLUMNS) + "|",
    ]
    for run in runs:
        cells = [_cell(run.figures[key]) for _, key in _COLUMNS]
        head = [run.scenario, run.direction, run.row]
        lines.append("| " + " | ".join(head + cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join("-" if value[p] is None else f"{value[p]:.0f}" for p in ("p50", "p95"))
    return "-" if value is None else str(value)


def row_figures(runs: Sequence[Measured]) -> dict[str, dict[str, float | None]]:
    """One row's figures by scenario: the worse of both directions, and each beside it."""
    found: dict[str, dict[str, float | None]] = {
        "freeze_ms_max": {},
        "recovery_s": {},
        "delay_ms_p95": {},
    }
    for run in runs:
        values = {
            "freeze_ms_max": run.figures["freeze_ms_max"],
            "recovery_s": run.figures["recovery_s_max"],
            "delay_ms_p95": run.figures["delay_ms"]["p95"],
        }
        for figure, value in values.items():
            kept = found[figure]
            kept[f"{run.scenario}.{run.direction}"] = value
            known = [v for v in (kept.get(run.scenario), value) if v is not None]
            kept[run.scenario] = max(known, default=None)
    return {figure: dict(sorted(values.items())) for figure, values in found.items()}


def result(runs: Sequence[Measured], args: argparse.Namespace) -> dict[str, Any]:
    """The JSON: figures of the first row on top, every row below ``rows``, every run in ``runs``."""
    names = list(dict.fromkeys(run.row for run in runs))
    rows = {name: row_figures([run for run in runs if run.row == name]) for name in names}
    top = rows[names[0]]
    return {
        **top,
        "holds": holds(rows["ours"]) if "ours" in rows else {},
        "seconds": args.seconds,
        "seed": args.seed,
        "size": "{}x{}".format(*args.size),
        "camera_fps": args.fps,
        "codec": args.codec,
        "engine": args.engine,
        "rows": rows,
        "runs": {f"{r.row}.{r.scenario}.{r.direction}": r.figures for r in runs},
        "hardware": hardware(),
        "versions": versions(),
    }


def holds(found: dict[str, dict[str, float | None]]) -> dict[str, bool]:
    """For each measured bound whether it holds."""
    held = {}
    for figure, scenario, bound in BOUNDS:
        value = found[figure].get(scenario)
        if value is not None:
            held[f"{figure}.{scenario}"] = value <= bound
    return held


def bounds_table(found: dict[str, Any]) -> str:
    """The bounds, in Markdown, ours and the other rows beside them."""
    names = list(found["rows"])
    lines = [
        "| figure | bound | " + " | ".join(names) + " | holds |",
        "|---|---:" + "|---:" * len(names) + "|---|",
    ]
    for figure, scenario, bound in BOUNDS:
        values = [found["rows"][name][figure].get(scenario) for name in names]
        if any(value is not None for value in values):
            cells = ["-" if value is None else f"{value:g}" for value in values]
            held = {True: "yes", False: "**no**", None: "-"}[
                found["holds"].get(f"{figure}.{scenario}")
            ]
            lines.append(
                f"| `{figure}.{scenario}` | <= {bound:g} | " + " | ".join(cells) + f" | {held} |"
            )
    return "\n".join(lines)


def write(out: Path | None, command: str, runs: Sequence[Measured], found: dict[str, Any]) -> Path:
    """Writes the result file, and a plot beside it if matplotlib is installed; gives its path."""
    return write_file(
        out,
        "loss",
        f"Loss, {found['size']} at {found['camera_fps']} frames a second, {found['codec']}",
        command,
        [
            f"{found['seconds']:g} s a run, 25 ms each way, seed {found['seed']}; the worse direction "
            "counts:",
            bounds_table(found),
            "Every run. What scenarios and figures mean stands in benchmarks/loss/__init__.py.",
            tables(runs),
        ],
        found,
        lambda path: _plot(path, runs),
        "pauses between frames",
    )


def _plot(path: Path, runs: Sequence[Measured]) -> bool:
    """Pauses over time, a panel for each scenario and direction; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    scenarios = list(dict.fromkeys(run.scenario for run in runs))
    ways = list(dict.fromkeys(run.direction for run in runs))
    names = list(dict.fromkeys(run.row for run in runs))
    size = (5.5 * len(ways), 1.6 * len(scenarios) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(scenarios), len(ways), squeeze=False, sharex=True, sharey=True)
    for run in runs:
        panel = panels[scenarios.index(run.scenario)][ways.index(run.direction)]
        times = [at for at, _ in run.pauses]
        pauses = [ms for _, ms in run.pauses]
        color = f"C{names.index(run.row)}"
        panel.plot(times, pauses, ".", markersize=2.5, label=run.row, color=color)
        panel.set_title(f"{run.scenario}, {run.direction}", fontsize=9)
    for panel in panels.flat:
        panel.set_yscale("log")
        panel.set_ylim(3, 10_000)
        panel.axhline(333, color="grey", linewidth=0.8, linestyle=":")
        panel.grid(alpha=0.3)
    for panel in panels[-1]:
        panel.set_xlabel("seconds")
    for row in panels:
        row[0].set_ylabel("ms since last")
    panels[0][0].legend(fontsize=8)
    figure.savefig(path, dpi=100)
    return True
