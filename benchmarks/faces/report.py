"""The figures of `benchmarks.faces` as tables and as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.faces import sheet
from benchmarks.faces.sheet import Case
from benchmarks.report import hardware

RESULTS = Path(__file__).parents[1] / "results"

BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("recall", ">=", 0.97),
    ("false_per_1000", "<=", 1.0),
    ("recall_real", ">=", 0.98),
    ("nme", "<=", 0.030),
    ("jitter_px", "<=", 0.15),
    ("lag_px", "<=", 2.0),
    ("find_ms", "<=", 6.0),
    ("follow_ms", "<=", 2.5),
    ("reacquire_ms", "<=", 200.0),
)
"""What the issue *Faces* asks for; `recall` must not be below YuNet's either."""


def holds(found: dict[str, Any]) -> dict[str, bool]:
    """For each measured figure whether its bound holds."""
    verdicts = {
        name: bool(found[name] >= bound if sign == ">=" else found[name] <= bound)
        for name, sign, bound in BOUNDS
        if found.get(name) is not None
    }
    if found.get("recall_yunet") is not None:
        verdicts["recall_not_below_yunet"] = bool(found["recall"] >= found["recall_yunet"])
    return verdicts


def tables(found: dict[str, Any]) -> str:
    """All tables as Markdown, those of figures that were not measured left out."""
    parts = [_bounds(found), _rows(found), _conditions(found), _real(found), _rest(found)]
    return "\n\n".join(part for part in parts if part)


def _bounds(found: dict[str, Any]) -> str:
    rows = [
        (f"`{name}`", f"{found[name]:g}", f"{sign} {bound:g}", _yes(holds(found)[name]))
        for name, sign, bound in BOUNDS
        if found.get(name) is not None
    ]
    return _table(("figure", "measured", "bound", "holds"), rows)


def _rows(found: dict[str, Any]) -> str:
    rows = [
        (
            name,
            f"{r['recall']:.4f}",
            r["faces"],
            _plain(r["false_per_1000"]),
            _plain(r["false_per_1000_parts"]),
            r["false_in_scenes"],
        )
        for name, r in found.get("recall_rows", {}).items()
    ]
    titles = (
        "composed scenes",
        "recall >= 40 px",
        "faces",
        "false per 1000",
        "per 1000 with parts of faces",
        "false in scenes",
    )
    return _table(titles, rows)


def _conditions(found: dict[str, Any]) -> str:
    groups = found.get("recall_by_condition", {})
    if not groups:
        return ""
    names = list(next(iter(groups.values())))
    rows = [
        (group, row[names[0]]["faces"], *(_share(row.get(name)) for name in names))
        for group, row in groups.items()
    ]
    return _table(("condition", "faces", *names), rows)


def _real(found: dict[str, Any]) -> str:
    clips = found.get("recall_real_by_clip", {})
    if not clips:
        return ""
    names = [name for name in next(iter(clips.values())) if name != "faces"]
    rows = [
        (clip, row["faces"], *(f"{row[name]:.3f}" for name in names)) for clip, row in clips.items()
    ]
    whole = found["recall_real_rows"]
    rows.append(("all", found["recall_real_faces"], *(f"{whole[name]:.4f}" for name in names)))
    return _table(("real clip", "sure faces", *names), rows)


def _rest(found: dict[str, Any]) -> str:
    """What is beside the bounds, one line a part."""
    lines = []
    for title, keys in _DETAILS:
        values = [f"{key} {_flat(found[key])}" for key in keys if found.get(key) is not None]
        if values:
            lines.append(f"* {title}: " + "; ".join(values))
    if "tones" in found:
        lines.append(f"* skin tone: {found['tones']['verdict']}")
        for figure in ("recall", "nme"):
            side = found["tones"][figure]
            lines.append(f"  * {figure}: {_flat(side['groups'])}; gaps {_flat(side['gaps'])}")
    return "\n".join(lines)


_DETAILS = (
    ("landmarks", ("nme_portraits", "nme_portraits_p95", "nme_clips", "nme_clips_p95",
                   "clips_followed", "nme_common_points")),
    ("still", ("jitter_worst_px", "jitter_by_size", "jitter_h264_px")),
    ("moving", ("lag_mean_px", "lag_worst_px", "lost")),
    ("time", ("find_ms_p95", "find_ms_cpu", "follow_ms_p95", "follow_ms_cpu", "busy")),
    ("back", ("reacquire_cut_ms", "reacquire_occlusion_ms", "id_kept_after_occlusion")),
    ("left out", ("left_out",)),
)  # fmt: skip


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key}: {_flat(v)}" for key, v in value.items()) + ")"
    if isinstance(value, list):
        return " ".join(_flat(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    lines = ["| " + " | ".join(titles) + " |", "|---" + "|---:" * (len(titles) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def _yes(held: bool) -> str:
    return "yes" if held else "**no**"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _share(row: dict[str, Any] | None) -> str:
    return "-" if row is None else f"{row['recall']:.3f}"


def write(
    out: Path | None,
    command: str,
    found: dict[str, Any],
    missed: Sequence[Case],
    false: Sequence[Case],
) -> Path:
    """Writes the result file, and the sheet of the worst cases beside it; gives its path.

    Args:
        out: a folder; the usual one by default.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", hardware().lower()).strip("-")
    path = (out or RESULTS) / f"faces_{slug}_{date.today()}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = path.with_suffix(".jpg")
    parts = [f"# Faces, {date.today()}", f"`{command}` on {hardware()}", tables(found)]
    if sheet.write(picture, missed, false):
        parts += [
            "The largest faces missed (red; found ones green) and the surest false alarms (orange):",
            f"![worst cases]({picture.name})",
        ]
    parts.append(
        "Portraits: DeBruine, L. & Jones, B. (2017), Face Research Lab London Set, figshare, CC BY 4.0; "
        "held-out persons only, composed into made-up frames."
    )
    parts.append("```json\n" + json.dumps(found, indent=1) + "\n```")
    path.write_text("\n\n".join(parts) + "\n")
    return path
