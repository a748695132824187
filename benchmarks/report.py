"""The latency result as a table, as one line of JSON, and as a file with a plot."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
WEIGHTS = Path(__file__).parents[1] / "engines" / "weights"
PACKAGES = ("aiortc", "av", "numpy", "opencv-python-headless", "openvino", "torch")

_COLUMNS = (
    ("fps", "fps"),
    ("added ms p50/p95/p99", "added_ms"),
    ("round trip ms p50/p95/p99", "round_trip_ms"),
    ("slope ms/s", "slope_ms_per_s"),
    ("p95 first > last third", "thirds"),
    ("longest gap ms", "longest_gap_ms"),
    ("fresh", "fresh_share"),
    ("face", "face_share"),
    ("dropped", "dropped"),
    ("reused", "reused"),
    ("not returned", "not_returned"),
    ("CPU %", "cpu_percent"),
)


@dataclass(slots=True)
class Row:
    """One server under the same load."""

    name: str
    figures: dict[str, Any]
    times_s: list[float] = field(default_factory=list)
    """When each frame was sent, seconds since the beginning of the measured time."""
    added_ms: list[float] = field(default_factory=list)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table; a dash where a row has no such figure."""
    lines = [
        "| | " + " | ".join(title for title, _ in _COLUMNS) + " |",
        "|---" * (len(_COLUMNS) + 1) + "|",
    ]
    for row in rows:
        cells = [_cell(row.figures, key) for _, key in _COLUMNS]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figures: dict[str, Any], key: str) -> str:
    if key == "thirds":
        return f"{figures['p95_first_third']} > {figures['p95_last_third']}"
    value = figures.get(key)
    if isinstance(value, dict):
        return " / ".join("-" if value[p] is None else f"{value[p]:.1f}" for p in _SHOWN)
    return "-" if value is None else str(value)


_SHOWN = ("p50", "p95", "p99")


def result(rows: Sequence[Row], args: argparse.Namespace) -> dict[str, Any]:
    """The JSON: figures of the first row on top, every row below ``rows``."""
    return {
        **rows[0].figures,
        "engine": args.engine,
        "engine_delay_ms": args.engine_delay_ms,
        "codec": args.codec,
        "size": "{}x{}".format(*args.size),
        "camera_fps": args.fps,
        "seconds": args.seconds,
        "say": args.say,
        "rows": {row.name: row.figures for row in rows},
        "hardware": hardware(),
        "versions": versions(),
        "weights_sha256": weights(),
    }


def file_path(text: str) -> Path:
    """Where a result file may go, as an argument: told before measuring, not after."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} is a folder; name a file, {path / 'result.md'} say"
        )
    return path


def picture_size(multiple: int) -> Callable[[str], tuple[int, int]]:
    """Reads an argument like 1280x720, sides multiples of `multiple`."""

    def parse(text: str) -> tuple[int, int]:
        width, _, height = text.partition("x")
        whole = width.isdigit() and height.isdigit()
        if not whole or int(width) % multiple or int(height) % multiple:
            raise argparse.ArgumentTypeError(
                f"must be like 1280x720, sides multiples of {multiple}, not {text}"
            )
        return int(width), int(height)

    return parse


def last_line(values: dict[str, Any]) -> str:
    """`values` as one line."""
    return json.dumps(values, separators=(",", ":"))


def write_file(
    out: Path | None,
    what: str,
    title: str,
    command: str,
    blocks: Sequence[str],
    values: dict[str, Any],
    plot: Callable[[Path], bool],
    shows: str,
) -> Path:
    """Writes a result file, and a plot beside it; gives its path.

    Args:
        out: where; None for ``what``, machine and day in the folder of results.
        title: its heading.
        command: that measured it.
        blocks: Markdown, after the machine and the versions.
        values: the JSON at its end; ``hardware`` and ``versions`` are told at the top.
        plot: writes the picture; False when it cannot.
        shows: what the picture shows.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    slug = re.sub(r"[^a-z0-9]+", "-", hardware().lower()).strip("-")
    path = out or RESULTS / f"{what}_{slug}_{today}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    packages = ", ".join(f"{name} {version}" for name, version in values["versions"].items())
    parts = [f"# {title}", f"`{command}`", f"{today}, {values['hardware']}; {packages}", *blocks]
    if plot(path.with_suffix(".png")):
        parts.append(f"![{shows}]({path.with_suffix('.png').name})")
    parts.append("```json\n" + json.dumps(values, indent=1) + "\n```")
    path.write_text("\n\n".join(parts) + "\n")
    return path


def write(out: Path | None, command: str, rows: Sequence[Row], values: dict[str, Any]) -> Path:
    """Writes the result file of delays; gives its path."""
    late = values["engine_delay_ms"]
    return write_file(
        out,
        f"latency-engine-{late:.0f}-ms-late" if late else "latency",
        f"Latency, {values['size']} at {values['camera_fps']} frames a second, {values['codec']}",
        command,
        [
            table(rows),
            "added: last packet of a frame in to last packet of the same frame out, at the service; "
            "round trip: the same at the client's socket; fresh: share of frames whose edit came from "
            "their own crop. CPU is of one core, the client not included.",
        ],
        values,
        lambda path: _plot(path, rows),
        "added delay over time",
    )


def _plot(path: Path, rows: Sequence[Row]) -> bool:
    """Added delay over time; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        axes.plot(row.times_s, row.added_ms, ".", markersize=3, label=row.name)
    axes.set_xlabel("seconds")
    axes.set_ylabel("added delay, ms")
    axes.set_yscale("log")  # a delay that grows without end would flatten the others
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, dpi=110)
    return True


def hardware() -> str:
    """Cores that may be used and the processor's name."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        name = found.group(1) if found else name
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return f"{cores} cores {name}"


def versions() -> dict[str, str]:
    """Python and the packages that the figures depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def weights() -> dict[str, str]:
    """SHA-256 of every weights file that ships."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(WEIGHTS.glob("*.safetensors"))
    }
