"""Unpainted faces through the filters and ours: "remove all blemishes"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.quality import sheets
from benchmarks.quality.filters import FILTERS, filtered
from benchmarks.quality.ours import Row
from benchmarks.quality.painted import OURS
from benchmarks.quality.real import RealSums, face, measure_face
from benchmarks.quality.scenes import all_blemishes, neutral
from training.mobilefacenet import MobileFaceNet
from training.progress import progress
from training.splits import Portrait


@dataclass(slots=True, eq=False)
class Unpainted:
    """What the real portraits gave."""

    sums: dict[str, RealSums]
    sheet: list[sheets.Row] = field(default_factory=list)


def measure(people: Sequence[Portrait], ours: Row, net: MobileFaceNet | None) -> Unpainted:
    """Every filter and ours on these portraits."""
    found = Unpainted({name: RealSums() for name in (*FILTERS, OURS)})
    still = neutral(people)
    shown = {still[i].file for i in sheets.spread(len(still), sheets.REAL_ROWS)}
    for number, person in enumerate(people):
        f = face(person)
        pictures = {name: filtered(name, f.source, f.whole_skin, f.box) for name in FILTERS}
        pictures[OURS] = ours.retouch(f.rgb, all_blemishes(1.0)).picture
        for name, picture in pictures.items():
            measure_face(found.sums[name], f, picture, net)
        if person.file in shown:
            found.sheet.append(sheets.real_row(f, pictures[OURS]))
        progress("real skin", number + 1, len(people))
    return found
