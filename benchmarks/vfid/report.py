"""From vectors to figures, and how they are shown."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import report as common
from benchmarks.vfid import i3d
from benchmarks.vfid.followed import SEGMENT
from benchmarks.vfid.frechet import frechet, split_half, units
from benchmarks.vfid.measured import REFERENCE, Found, Measured
from benchmarks.vfid.rows import GPUPIXEL, OURS, PAINTED, PER_FRAME, TITLES

FIGURES = ("vfd_a", "vfd_t")
FEW = 30
"""Segments below which the distances are not to be believed."""
_SHOWN = 6
"""Clips on the sheet."""
_SHEET = (PAINTED, OURS, GPUPIXEL, REFERENCE)
_LEFT_OUT = "left out: weights/vgg19_slim16x_5SE.npz is not in the data folder (--shared)"
_TOO_FEW = "left out: they need two segments or more; give longer videos that show a face, or a larger --frames"
_NO_I3D = "left out: no I3D weights; name rgb_imagenet.pt with --i3d"

Vector = NDArray[np.float64]


def figures(measured: Sequence[Measured], default: bool) -> dict[str, Any]:
    """All distances to the reference set, by figure and row; None for what is left out."""
    good = [m for m in measured if m.rows]
    names = [name for name in (good[0].rows if good else ()) if name != REFERENCE]
    values: dict[str, Any] = {
        "vfd_a": _scaled(good, names, lambda found: found.appearance),
        "vfd_t": _scaled(good, names, lambda found: found.time),
        "vfid": {mode: _plain(good, names, mode) for mode in i3d.MODES},
    }
    values["floor"] = {key: _floor(good, key) for key in FIGURES}
    if all(v is None for v in values["vfid"].values()):
        values["vfid"] = None
    values |= {
        "clips": len(good),
        "clips_with_segments": sum(not m.note for m in good),
        "segments": len(_stacked(good, REFERENCE, lambda f: f.appearance)[0]),
        "segment_frames": SEGMENT,
        "without_segment": {m.name: m.note for m in measured if m.note},
    }
    if default:
        values["holds"] = holds(values)
    return values


def holds(values: dict[str, Any]) -> dict[str, bool]:
    """The bounds: ours below GPUPixel-style smoothing and below ours without temporal smoothing."""
    return {
        f"{key}_below_{other}": values[key][OURS] < values[key][other]
        for key in FIGURES
        for other in (GPUPIXEL, PER_FRAME)
        if values[key] is not None
    }


def _stacked(
    measured: Sequence[Measured], row: str, part: Callable[[Found], list[Vector]]
) -> tuple[list[Vector], list[str]]:
    """All vectors of a row, and the clip that each is of."""
    found = [(vector, m.name) for m in measured for vector in part(m.rows[row])]
    return [vector for vector, _ in found], [name for _, name in found]


def _scaled(
    measured: Sequence[Measured], names: Sequence[str], part: Callable[[Found], list[Vector]]
) -> dict[str, float] | None:
    """The distances with each dimension in units of the reference's own spread; None below two vectors."""
    reference, _ = _stacked(measured, REFERENCE, part)
    if len(reference) < 2:
        return None
    base = np.stack(reference)
    by = units(base)
    return {
        name: _digits(frechet(base * by, np.stack(_stacked(measured, name, part)[0]) * by))
        for name in names
    }


def _floor(measured: Sequence[Measured], key: str) -> float | None:
    part: Callable[[Found], list[Vector]] = (
        (lambda f: f.appearance) if key == "vfd_a" else (lambda f: f.time)
    )
    vectors, groups = _stacked(measured, REFERENCE, part)
    if len(vectors) < 4:
        return None
    base = np.stack(vectors)
    floor = split_half(base * units(base), groups)
    return None if floor is None else _digits(floor)


def _plain(
    measured: Sequence[Measured], names: Sequence[str], mode: str
) -> dict[str, float] | None:
    """VFID: nothing scaled, one vector a video; None below two videos."""
    with_video = [m for m in measured if m.rows[REFERENCE].video]
    if len(with_video) < 2:
        return None
    base = np.stack([m.rows[REFERENCE].video[mode] for m in with_video])
    return {
        name: _digits(frechet(base, np.stack([m.rows[name].video[mode] for m in with_video])))
        for name in names
    }


def _digits(value: float) -> float:
    """Five of them: the rows of one run differ in the third."""
    return float(f"{value:.5g}")


def table(values: dict[str, Any]) -> str:
    """The figures as a Markdown table, and what was left out."""
    columns = [("VFD-A", values["vfd_a"]), ("VFD-T", values["vfd_t"])]
    if values["vfid"] is not None:
        columns += [(f"VFID ({mode})", values["vfid"][mode]) for mode in i3d.MODES]
    names = next((list(column) for _, column in columns if column), [])
    lines = [
        "| | " + " | ".join(title for title, _ in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for name in names:
        cells = ["-" if column is None else f"{column[name]:.5g}" for _, column in columns]
        lines.append(f"| {TITLES.get(name, name)} | " + " | ".join(cells) + " |")
    floors = [values["floor"][key] for key in FIGURES]
    cells = ["-" if floor is None else f"{floor:.5g}" for floor in floors]
    cells += ["-"] * (len(columns) - len(cells))
    lines.append("| split-half floor of the reference | " + " | ".join(cells) + " |")
    text = "\n".join(lines)
    text += f"\n\n{values['clips']} clips, {values['segments']} segments of {SEGMENT} frames."
    if values["vfd_a"] is None:
        unseen = values["clips_with_segments"] and not values["segments"]
        text += f"\nVFD-A, VFD-T {_LEFT_OUT if unseen else _TOO_FEW}."
    elif values["segments"] < FEW:
        text += f"\nFewer than {FEW} segments: no basis for a covariance, take the figures for a trial run."
    if values["vfid"] is None:
        text += f"\nVFID {_NO_I3D}."
    for name, note in values["without_segment"].items():
        text += f"\n{name} left out of VFD-A and VFD-T: {note}."
    for name, well in values.get("holds", {}).items():
        text += f"\n{name}: {'yes' if well else 'NO'}"
    return text


def write(
    out: Path | None, command: str, values: dict[str, Any], measured: Sequence[Measured]
) -> Path:
    """Writes the result file, with a sheet of frames beside it in the default run; gives its path."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    slug = re.sub(r"[^a-z0-9]+", "-", common.hardware().lower()).strip("-")
    path = out or common.RESULTS / f"vfid_{slug}_{today}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [
        f"# VFID, VFD-A and VFD-T, {today}",
        f"`{command}` on {values['hardware']}",
        table(values),
    ]
    parts.append(
        "VFD-A: appearance, VFD-T: change from frame to frame, both of a slim VGG on the aligned face square, in units "
        "of the reference set's spread; lower is nearer. Comparable at the same set of clips only, and never with "
        "published VFID. The split-half floor is what two halves of the reference are apart; rows below it differ "
        "only because the very same clips are compared."
    )
    sheet = _sheet(measured)
    if sheet is not None:
        picture = path.with_suffix(".jpg")
        bgr = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(picture), bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
        parts.append(f"Painted, ours, GPUPixel-style, reference:\n\n![frames]({picture.name})")
        parts.append(
            "Clips: The White House, Weekly Address (public domain); Cooke, Barker, Cunningham, Shao (2006), GRID "
            "(CC BY 4.0); Intel, sample-videos (CC BY 4.0); semi-synthetic morphs of photographs of DeBruine and Jones "
            "(2017), Face Research Lab London Set (CC BY 4.0), not real video. All imperfections in the first column "
            "that the last does not show are painted."
        )
    parts.append("```json\n" + json.dumps(values, indent=1) + "\n```")
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _sheet(measured: Sequence[Measured]) -> NDArray[np.uint8] | None:
    """Some clips below one another, each a row of faces in the order of _SHEET."""
    shown = [m for m in measured if m.sheet is not None]
    if not shown:
        return None
    step = max(len(shown) / _SHOWN, 1.0)
    chosen = [shown[int(i * step)] for i in range(min(_SHOWN, len(shown)))]
    rows = []
    for m in chosen:
        assert m.sheet is not None
        order = [name for name in m.rows if name != REFERENCE] + [REFERENCE]
        cells = np.split(m.sheet, len(order), axis=1)
        rows.append(np.hstack([cells[order.index(name)] for name in _SHEET]))
    return np.vstack(rows)
