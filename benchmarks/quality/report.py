"""The figures as tables, as JSON values and as a file with its two sheets."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.quality import filters, sheets, through_words
from benchmarks.report import hardware
from stream_retouch.engine import CROP_SIZE

RESULTS = Path(__file__).parents[1] / "results"

BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("masked_psnr_gain_db", ">=", 9.0),
    ("clean_psnr_db", ">=", 48.0),
    ("soft_iou", ">=", 0.55),
    ("named_removed", ">=", 0.65),
    ("unnamed_changed", "<=", 0.10),
    ("worst_kind_removed", ">=", 0.45),
    ("kept_changed", "<=", 0.02),
    ("amount_monotone", ">=", 0.95),
    ("real_blob_energy", "<=", 0.6),
    ("identity_cosine", ">=", 0.97),
    ("texture_kept", ">=", 0.85),
    ("texture_kept", "<=", 1.10),
)
"""What the model is held to; the gap between tones and the classical filters are judged apart (`holds`)."""
_COLUMNS = (
    ("masked dB", "masked_psnr_db", 2),
    ("gain dB", "masked_psnr_gain_db", 2),
    ("clean dB", "clean_psnr_db", 2),
    ("removed", "named_removed", 3),
    ("unnamed", "unnamed_changed", 3),
    ("kept", "kept_changed", 3),
    ("SSIM", "ssim", 4),
    ("LPIPS", "lpips", 4),
    ("Soft-IoU", "soft_iou", 3),
    ("mask SSIM", "mask_ssim", 3),
)
_REAL_COLUMNS = (
    ("blob energy", "real_blob_energy", 3),
    ("texture kept", "texture_kept", 3),
    ("identity", "identity_cosine", 4),
    ("identity, worst face", "identity_cosine_min", 4),
)


def holds(found: dict[str, Any]) -> dict[str, bool]:
    """For each measured bound whether it holds."""
    verdicts: dict[str, bool] = {}
    for name, sign, bound in BOUNDS:
        value = found.get(name)
        if value is not None:
            held = bool(value >= bound if sign == ">=" else value <= bound)
            verdicts[name] = held and verdicts.get(name, True)
    gap = found.get("tone_gap_db")
    if gap is not None:
        low, high = found["tone_gap_db_ci95"]
        verdicts["tone_gap_db"] = abs(gap) <= 1.0 or low <= 0.0 <= high
    rows = found["rows"]
    for key in ("masked_psnr_gain_db", "named_removed"):
        others = [rows[name][key] for name in filters.FILTERS if name in rows]
        if others:
            verdicts[f"{key}_above_classical"] = rows["ours"][key] > max(others)
    return verdicts | through_words.holds(rows)


def tables(found: dict[str, Any]) -> str:
    """All tables as Markdown."""
    kinds = ", ".join(f"{k} {v:.2f}" for k, v in found["removed_by_kind"].items())
    parts = [
        _bounds(found),
        _table("painted marks", _COLUMNS, found["rows"]),
        through_words.table(found),
        f"Share removed by kind: {kinds}.",
        _table("real skin", _REAL_COLUMNS, found["real_rows"]),
        _amounts(found),
        _tones(found),
        *(f"Left out: {sentence}." for sentence in found.get("left_out", ())),
    ]
    return "\n\n".join(part for part in parts if part)


def _bounds(found: dict[str, Any]) -> str:
    verdicts = holds(found)
    asked: dict[str, list[str]] = {}
    for name, sign, bound in BOUNDS:
        asked.setdefault(name, []).append(f"{sign} {bound:g}")
    rows = [(name, found.get(name), ", ".join(bounds)) for name, bounds in asked.items()]
    rows.append(("tone_gap_db", found.get("tone_gap_db"), "-1 to 1, or 0 in its interval"))
    lines = ["| figure | measured | bound | holds |", "|---|---:|---:|---|"]
    for name, value, bounds in rows:
        held = {True: "yes", False: "**no**", None: "-"}[verdicts.get(name)]
        extra = f" ({found['worst_kind']})" if name == "worst_kind_removed" and value else ""
        if name == "tone_gap_db" and value is not None:
            extra = f" (95 %: {_span(found['tone_gap_db_ci95'])})"
        lines.append(f"| `{name}` | {_number(value, 4)}{extra} | {bounds} | {held} |")
    for key in ("masked_psnr_gain_db", "named_removed"):
        verdict = verdicts.get(f"{key}_above_classical")
        held = {True: "yes", False: "**no**", None: "-"}[verdict]
        lines.append(f"| `{key}` | | above each classical filter | {held} |")
    return "\n".join(lines)


def _table(
    title: str, columns: Sequence[tuple[str, str, int]], rows: dict[str, dict[str, Any]]
) -> str:
    shown = [c for c in columns if any(row.get(c[1]) is not None for row in rows.values())]
    lines = [
        "| " + " | ".join((title, *(name for name, _, _ in shown))) + " |",
        "|---" + "|---:" * len(shown) + "|",
    ]
    for name, row in rows.items():
        cells = " | ".join(_number(row.get(key), digits) for _, key, digits in shown)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def _amounts(found: dict[str, Any]) -> str:
    removed = found["amounts"]["mean_removed"]
    steps = ", ".join(f"{share:.3f} at {amount}" for amount, share in removed.items())
    lost = found["amounts"]["not_monotone"]
    return f"Amounts: removed {steps}." + (f" Not rising: {', '.join(lost)}." if lost else "")


def _tones(found: dict[str, Any]) -> str:
    parts = []
    for tone, row in found["tones"].items():
        parts.append(f"{tone}: {row}" if isinstance(row, str) else f"{tone}: {_tone(row)}")
    text = "By skin tone (ITA): " + "; ".join(parts) + "."
    if found.get("tone_gap_db") is None:
        return text + f" Gap: {found['tone_gap_note']}."
    removed = found["tone_gap_removed"], found["tone_gap_removed_ci95"]
    thirds = "; ".join(f"{k}: {_tone(v)}" for k, v in found["tone_thirds"].items())
    return f"{text} Thirds: {thirds}. Gap of removed {removed[0]:.3f} (95 %: {_span(removed[1])})."


def _tone(row: dict[str, Any]) -> str:
    return (
        f"{row['persons']} persons, gain {row['masked_psnr_gain_db']:.2f} dB, "
        f"removed {row['named_removed']:.3f}"
    )


def _span(interval: Sequence[float]) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}"


def _number(value: Any, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def tuning(found: dict[str, list[dict[str, float]]]) -> str:
    """The best settings of each filter as text."""
    lines = []
    for name, rows in found.items():
        lines.append(f"{name}: {len(rows)} settings")
        for row in rows[:5]:
            values = ", ".join(f"{k} {v:g}" for k, v in row.items())
            lines.append(f"  {values}")
    return "\n".join(lines)


def file_name(found: dict[str, Any]) -> str:
    """Of the result file: another size of network, or plans through words, are another result."""
    slug = re.sub(r"[^a-z0-9]+", "-", hardware().lower()).strip("-")
    name = "quality" if found["crop_size"] == CROP_SIZE else f"quality-{found['crop_size']}"
    name += "-through-words" if "through_words" in found else ""
    return f"{name}_{slug}_{date.today()}.md"


def write(
    out: Path | None,
    command: str,
    found: dict[str, Any],
    painted: list[sheets.Row],
    real: list[sheets.Row],
) -> Path:
    """Writes the result file and its two sheets; gives its path."""
    path = out or RESULTS / file_name(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    first, second = path.with_suffix(".jpg"), path.with_name(f"{path.stem}_real.jpg")
    shown = []
    if sheets.write(first, painted):
        shown.append(
            "Painted marks: before, after, target, mask (the mask in the aligned crop, the others in the picture).\n\n"
            f"![before, after, target, mask]({first.name})"
        )
    if sheets.write(second, real):
        shown.append(
            f"Real skin, one pixel for one: before, after, difference times {sheets.DIFFERENCE:g}.\n\n"
            f"![before, after, difference]({second.name})"
        )
    which = "frozen held-out set" if found["split"] == "heldout" else "validation persons"
    text = f"""# Quality on the {which}, {date.today()}

`{command}` with {found["engine"]} on {hardware()}

{tables(found)}

{_settings()}

{_rows_note(found)}

{(chr(10) * 2).join(shown)}

Pictures: DeBruine, L. & Jones, B. (2017), Face Research Lab London Set, figshare, CC BY 4.0; imperfections painted in
the first sheet. What each figure means: `benchmarks/quality/__init__.py`.

```json
{json.dumps(found, indent=1)}
```
"""
    path.write_text(re.sub(r"\n{3,}", "\n\n", text))
    return path


def _settings() -> str:
    best = "; ".join(
        f"{name} " + ", ".join(f"{k} {v:g}" for k, v in setting.items())
        for name, setting in filters.BEST.items()
    )
    return f"Classical filters at their best setting on validation persons, on skin only: {best}."


def _rows_note(found: dict[str, Any]) -> str:
    weights = "; ".join(f"{name}: {which}" for name, which in found["row_weights"].items())
    return f"Weights by row: {weights}."
