"""The figures as a table, and as a file with a plot of change over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.instruction_latency.measured import BOUNDS, Measured
from benchmarks.instruction_latency.shown import SHARE
from benchmarks.report import write_file

PARTS = {
    "understood": "text sent to `plan` received: planner and conditioner",
    "begun": "`plan` to `applied`: the first frame of the fade",
    "grown": f"`applied` to {SHARE:.0%} of the change in the returned picture",
    "took": "text arrived to first frame left, as `applied` says",
}


def tables(found: dict[str, Any]) -> str:
    """All tables as Markdown."""
    lines = ["| figure | measured | bound | holds |", "|---|---:|---:|---|"]
    for name, sign, bound in BOUNDS:
        held = {True: "yes", False: "**no**", None: "-"}[found["holds"].get(name)]
        lines.append(f"| `{name}` | {_number(found[name])} | {sign} {bound:g} | {held} |")
    counted = f"{found['counted']} of {found['asked']} instructions counted"
    why = "; ".join(f"{count} not: {reason}" for reason, count in found["not_counted"].items())
    spans = ["| part | p50 ms | p95 ms |", "|---|---:|---:|"]
    for name, what in PARTS.items():
        part = found["parts_ms"][name]
        spans.append(f"| {name}: {what} | {_number(part['p50'])} | {_number(part['p95'])} |")
    texts = ["| text | asked | counted | p50 ms | change, codes |", "|---|---:|---:|---:|---:|"]
    for text, row in found["by_text"].items():
        texts.append(
            f"| {text} | {row['asked']} | {row['counted']} | {_number(row['p50_ms'])} "
            f"| {_number(row['change_codes'])} |"
        )
    video = found["video"]
    added = video["added_ms"]
    said = (
        f"Video meanwhile: {_number(video['fps'])} frames a second of {found['camera_fps']}, "
        f"added {_number(added['p50'])} / {_number(added['p95'])} ms (p50 / p95)."
    )
    blocks = ("\n".join(part) for part in (lines, spans, texts))
    first, *others = blocks
    return "\n\n".join((first, f"{counted}{'; ' + why if why else ''}.", *others, said))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def write(out: Path | None, command: str, found: dict[str, Any], runs: Sequence[Measured]) -> Path:
    """Writes the result file, and a plot beside it if matplotlib is installed; gives its path."""
    return write_file(
        out,
        "instruction-latency",
        f"From words to picture, {found['size']} at {found['camera_fps']} frames a second",
        command,
        [tables(found)],
        found,
        lambda path: _plot(path, runs),
        "change over time",
    )


def _plot(path: Path, runs: Sequence[Measured]) -> bool:
    """Share of the final change over time, a line an instruction; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        if run.shown.shares is not None:
            axes.plot(run.curve.times_s * 1000, run.shown.shares, linewidth=0.8, alpha=0.6)
    axes.axhline(SHARE, color="black", linewidth=0.8, linestyle="--")
    for name, _, bound in BOUNDS:
        axes.axvline(
            bound, color="grey", linewidth=0.8, linestyle=":", label=f"{name} <= {bound:g}"
        )
    axes.set_xlim(-100, 800)
    axes.set_ylim(-0.2, 1.3)
    axes.set_xlabel("ms since the text was sent")
    axes.set_ylabel("share of the final change")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    return True
