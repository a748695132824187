"""The rows as a table, as one line of JSON, and as a file with a plot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Row, hardware, versions, weights, write_file

_COLUMNS = (
    ("streams", "streams"),
    ("refused", "refused"),
    ("fps min", "fps_min"),
    ("fps of each", "fps"),
    ("added ms p50/p95, worst", "added_ms"),
    ("longest gap ms", "longest_gap_ms"),
    ("fresh, least", "fresh_share"),
    ("rungs", "rungs"),
    ("mixed up", "mixed_up"),
    ("CPU %", "cpu_percent"),
    ("loop %", "loop_percent"),
    ("loop lag ms", "loop_lag_ms"),
    ("clients CPU %", "client_cpu_percent"),
)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table; a dash where a row has no such figure."""
    lines = [
        "| | " + " | ".join(title for title, _ in _COLUMNS) + " |",
        "|---" + "|---:" * len(_COLUMNS) + "|",
    ]
    for row in rows:
        cells = [_cell(row.figures[key]) for _, key in _COLUMNS]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join("-" if v is None else f"{v:.1f}" for v in value.values())
    if isinstance(value, list):
        return " ".join("-" if v is None else f"{v:g}" for v in value) or "-"
    return "-" if value is None else str(value)


def first(rows: Sequence[Row]) -> Row:
    """The row that stands for all: ours with the most streams that refused nobody, or the first."""
    ours = [row for row in rows if row.figures["kind"] != "stock" and not row.figures["refused"]]
    return max(ours, key=lambda row: int(row.figures["streams"]), default=rows[0])


def result(rows: Sequence[Row], args: argparse.Namespace) -> dict[str, Any]:
    """The JSON: figures of `first` on top, every row below ``rows``."""
    return {
        **first(rows).figures,
        "row": first(rows).name,
        "engine": args.engine,
        "processes": args.processes,
        "size": "{}x{}".format(*args.size),
        "camera_fps": args.fps,
        "seconds": args.seconds,
        "join_s": args.join_s,
        "say": args.say,
        "rows": {row.name: row.figures for row in rows},
        "hardware": hardware(),
        "versions": versions(),
        "weights_sha256": weights(),
    }


def write(out: Path | None, command: str, rows: Sequence[Row], values: dict[str, Any]) -> Path:
    """Writes the result file, and a plot beside it if matplotlib is installed; gives its path."""
    return write_file(
        out,
        "load-viewers" if all(r.figures["kind"] == "viewers" for r in rows) else "load",
        f"Load, {values['size']} at {values['camera_fps']} frames a second, "
        f"service in {values['processes']} processes",
        command,
        [
            table(rows),
            "What the figures mean stands in benchmarks/load/__init__.py; what was refused, why:",
            "\n".join(f"* {reason}" for reason in _reasons(rows)) or "* nobody",
        ],
        values,
        lambda path: _plot(path, rows),
        "frames a second and added delay",
    )


def _reasons(rows: Sequence[Row]) -> list[str]:
    return [f"{row.name}: {reason}" for row in rows for reason in row.figures["reasons"]]


def _plot(path: Path, rows: Sequence[Row]) -> bool:
    """Each user's frames a second and added delay by the number of users; False without
    matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, kind in enumerate(dict.fromkeys(row.figures["kind"] for row in rows)):
        fps, delay = [], []
        for row in (row for row in rows if row.figures["kind"] == kind):
            at = row.figures["users"] + 0.1 * i
            fps += [(at, value) for value in row.figures["fps"]]
            delay += [(at, value["p95"]) for value in row.figures["added_ms_each"]]
        for axes, pairs in ((left, fps), (right, delay)):
            known = [pair for pair in pairs if pair[1] is not None]
            axes.plot([at for at, _ in known], [v for _, v in known], "o", label=kind, alpha=0.7)
    left.set_ylabel("frames a second, each user")
    left.set_ylim(0)
    right.set_ylabel("added delay p95, ms, each user")
    right.set_yscale("log")
    for axes in (left, right):
        axes.set_xlabel("users who came")
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    figure.savefig(path, dpi=110)
    return True
