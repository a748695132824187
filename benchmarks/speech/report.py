"""The result as a table, as one line of JSON, and as a file."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, hardware, last_line, versions

ABOUT = """\
slots: share of clips whose set of keyword classes (category, region, left or right, stronger or weaker, numbers,
control words; all words of keeping are one class, all verbs of editing are one) is that of the sentence.
WER: word error rate. Voices are synthetic: nobody has spoken to it, and the embedded recogniser's own sound model has
learned from other voices of the same synthesiser (docs/words.md tells what it makes of voices of another kind). Each
clip goes through Opus at 24 kb/s, 48 to 16 kHz, and end-pointing.
rtf: processor seconds per second of sound. False triggers: sentences of a meeting that reached the recogniser while the
button was not held."""


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | slots | WER | exact | clips |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        cells = [f"{row[key]:.3f}" for key in ("slot_accuracy", "wer", "exact")]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {row['clips']:.0f} |")
    return "\n".join(lines)


def write(out: Path | None, command: str, values: dict[str, Any]) -> Path:
    """Writes the result file; gives its path."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    slug = re.sub(r"[^a-z0-9]+", "-", hardware().lower()).strip("-")
    path = out or RESULTS / f"speech_{slug}_{today}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    parts = [
        f"# Speech, {values['recogniser']}, {values['sentences']} sentences",
        f"`{command}`",
        f"{today}, {hardware()}; {packages}",
        table(values["rows"]),
        f"rtf {values['rtf']}, false triggers {values['false_triggers']} of {values['meeting_clips']}.",
        ABOUT,
        "```json\n" + json.dumps(values, indent=1) + "\n```",
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


__all__ = ["last_line", "table", "write"]
