"""The figures of `benchmarks.stability` as tables, as a file and as a plot."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, hardware
from benchmarks.stability.flicker import Flicker
from benchmarks.stability.shots import GPUPIXEL, PER_FRAME, SMOOTHED

BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("warp_ratio", "<=", 1.02),
    ("edit_energy_ratio", ">=", 0.5),
    ("flicker_ratio", "<=", 0.5),
    ("ghost_frames", "<=", 2),
    ("slip_px", "<=", 1.0),
)
"""What is asked of the smoothed run."""
PLOTTED = 3


def holds(found: Mapping[str, Any]) -> dict[str, bool]:
    """For each measured figure whether its bound holds."""
    return {
        name: bool(found[name] >= bound if sign == ">=" else found[name] <= bound)
        for name, sign, bound in BOUNDS
        if found.get(name) is not None
    }


def tables(found: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    bounds = [
        (f"`{n}`", _cell(found[n]), f"{sign} {bound:g}", "yes" if holds(found)[n] else "**no**")
        for n, sign, bound in BOUNDS
        if found.get(n) is not None
    ]
    rows = [
        (name, *(_cell(row[k]) for k in ("warp_ratio", "edit_energy", "flicker")))
        for name, row in found.get("rows", {}).items()
    ]
    names = ("slip_px", "slip_px_per_frame", "layer_slip_px")
    slips = [
        (name, _cell(found[name]), _cell(found[f"{name}_p95"]))
        for name in names
        if found.get(name) is not None
    ]
    parts = (
        _table(("figure", "measured", "bound", "holds"), bounds),
        _table(("filter", "warp ratio", "edit energy", "edit change, codes"), rows),
        _table(("at 15 degrees of yaw, px", "median", "p95"), slips),
        _clips(found.get("clips", {})),
    )
    return "\n\n".join(part for part in parts if part)


def _clips(clips: Mapping[str, dict[str, Any]]) -> str:
    titles = (
        "clip", "pairs", "flow trusted", "E_warp input", GPUPIXEL, PER_FRAME, SMOOTHED,
        "energy per frame", "energy smoothed", "flicker ratio",
    )  # fmt: skip
    rows = []
    for name, f in clips.items():
        if not f["pairs"]:
            rows.append((name, 0, *("-" for _ in titles[2:])))
            continue
        ratios = [_cell(f["warp_ratio"][row]) for row in (GPUPIXEL, PER_FRAME, SMOOTHED)]
        energies = [_cell(f["edit_energy"][row]) for row in (PER_FRAME, SMOOTHED)]
        flicker = _cell(f.get("flicker_ratio"))
        start = (name, f["pairs"], _cell(f["trusted_share"]), f"{f['warp_input']:.2e}")
        rows.append((*start, *ratios, *energies, flicker))
    return _table(titles, rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    lines = ["| " + " | ".join(titles) + " |", "|---" + "|---:" * (len(titles) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def write(
    out: Path | None, command: str, found: Mapping[str, Any], flickers: Mapping[str, Flicker]
) -> Path:
    """Writes the result file, and the plot beside it if matplotlib is installed; gives its path."""
    slug = re.sub(r"[^a-z0-9]+", "-", hardware().lower()).strip("-")
    path = out or RESULTS / f"stability_{slug}_{date.today()}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"# Stability, {date.today()}", f"`{command}` on {hardware()}", tables(found), _NOTES]
    if plot(path.with_suffix(".png"), flickers):
        parts.append(f"![change of the edit over time]({path.with_suffix('.png').name})")
    parts.append(
        "Clips: White House weekly address (public domain); GRID corpus, Cooke et al. 2006, CC BY 4.0; sign-language "
        "clips of Intel, CC BY 4.0; semi-synthetic ones and portraits from DeBruine, L. & Jones, B. (2017), Face "
        "Research Lab London Set, CC BY 4.0. The semi-synthetic clips are not real video."
    )
    parts.append("```json\n" + json.dumps(found, indent=1) + "\n```")
    path.write_text("\n\n".join(parts) + "\n")
    return path


_NOTES = """\
"Remove all blemishes". Warp ratio: E_warp of the output over that of the input, flow and occlusion from the input
(DIS), on the faces' ovals, clips count alike. Edit energy: mean squared change there, squared RGB code values. Edit
change: mean absolute change of the edit from frame to frame in aligned crop coordinates on skin, code values; the
flicker ratio is that with smoothing over that without. Ghost frames: the worst cut. Slip: median of painted moles on
held-out persons turned in depth; `layer_slip_px` is how far smoothing alone moves the layer."""


def plot(path: Path, flickers: Mapping[str, Flicker]) -> bool:
    """The change of the edit over time in PLOTTED clips; False without matplotlib or anything to show."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    chosen = _chosen({name: f for name, f in flickers.items() if f.per_frame})
    if not chosen:
        return False
    figure = Figure(figsize=(9, 2.4 * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), squeeze=False)[:, 0]
    for axes, name in zip(panels, chosen, strict=True):
        flicker = flickers[name]
        axes.plot(flicker.times_s, flicker.per_frame, label=PER_FRAME, linewidth=1)
        axes.plot(flicker.times_s, flicker.smoothed, label=SMOOTHED, linewidth=1.5)
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_ylabel("change, codes")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    panels[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=110)
    return True


def _chosen(flickers: Mapping[str, Flicker]) -> list[str]:
    """One clip of each source, the one with the most frames."""
    by_source: dict[str, str] = {}
    for name, flicker in flickers.items():
        source = name.split("_")[0]
        best = by_source.get(source)
        if best is None or len(flicker.per_frame) > len(flickers[best].per_frame):
            by_source[source] = name
    return [by_source[s] for s in ("wh", "grid", "london", "asl") if s in by_source][:PLOTTED]
