"""Painted faces through every row: the filters, ours, ours without a part."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from benchmarks.heldout import Scene
from benchmarks.quality import masks, sheets
from benchmarks.quality.filters import FILTERS, filtered
from benchmarks.quality.ours import Answer, AnyRow
from benchmarks.quality.pictures import Rgb, bytes_of, inside
from benchmarks.quality.scenes import print_of
from benchmarks.quality.sums import Sums, gain_db
from benchmarks.quality.tones import Person, ita_deg
from benchmarks.quality.views import Views, views
from training.progress import progress

NOTHING, OURS = "nothing", "ours"
_SHEET_ROWS = 8

Distance = Callable[[Rgb, Rgb], float]
"""Of two squares, RGB code values: LPIPS."""


@dataclass(slots=True)
class Tally:
    """One row's sums, and the figures that are means over scenes."""

    sums: Sums = field(default_factory=Sums)
    ssim: list[float] = field(default_factory=list)
    lpips: list[float] = field(default_factory=list)
    soft_iou: list[float] = field(default_factory=list)
    mask_ssim: list[float] = field(default_factory=list)

    def add(self, out: Rgb, s: Views, distance: Distance | None) -> None:
        """One scene's picture."""
        self.sums.add(out, s)
        pair = out[inside(s.box)], s.target[inside(s.box)]
        a, b = (bytes_of(p) for p in pair)
        self.ssim.append(float(structural_similarity(a, b, channel_axis=-1)))  # type: ignore[no-untyped-call]
        if distance is not None:
            self.lpips.append(distance(*pair))

    def add_mask(self, answer: Answer, s: Views) -> None:
        """One scene's M_s; scenes where neither mask says anything do not count, a face that was missed counts as 0."""
        if answer.mask is None or answer.transform is None:
            if s.wanted.any():
                self.soft_iou.append(0.0)
                self.mask_ssim.append(0.0)
            return
        truth = masks.true_mask(s, answer.transform, len(answer.mask))
        overlap = masks.soft_iou(answer.mask, truth)
        if overlap is not None:
            self.soft_iou.append(overlap)
            self.mask_ssim.append(masks.mask_ssim(answer.mask, truth))

    def figures(self, nothing: Tally) -> dict[str, Any]:
        """All figures of the row; the mask's only where there is one."""
        found: dict[str, Any] = self.sums.figures()
        found["masked_psnr_gain_db"] = gain_db(self.sums, nothing.sums)
        for name in ("ssim", "lpips", "soft_iou", "mask_ssim"):
            values = getattr(self, name)
            if values:
                found[name] = float(np.mean(values))
        return {k: None if v is None else round(v, 4) for k, v in found.items()}


@dataclass(slots=True, eq=False)
class Painted:
    """What the painted scenes gave."""

    tallies: dict[str, Tally]
    persons: dict[str, Person] = field(default_factory=dict)
    prints: list[str] = field(default_factory=list)
    """What was painted and asked, scene by scene."""
    sheet: list[sheets.Row] = field(default_factory=list)


def measure(
    scenes: Iterable[Scene], count: int, ours: Sequence[AnyRow], distance: Distance | None
) -> Painted:
    """Every row on the first `count` scenes. The first of `ours` is the whole network."""
    names = (NOTHING, *FILTERS, *(row.name for row in ours))
    found = Painted({name: Tally() for name in names})
    shown = sheets.spread(count, _SHEET_ROWS)
    for number, scene in enumerate(itertools.islice(scenes, count)):
        found.prints.append(print_of(scene))
        s = views(scene)
        skin = scene.skin[: s.source.shape[0], : s.source.shape[1]]
        found.tallies[NOTHING].add(s.source, s, distance)
        for name in FILTERS:
            out = filtered(name, s.source, skin, s.box)
            found.tallies[name].add(out, s, distance)
        for row in ours:
            answer = row.retouch(scene.source, scene.plan)
            found.tallies[row.name].add(answer.picture, s, distance)
            found.tallies[row.name].add_mask(answer, s)
            if row.name == OURS:
                person = found.persons.setdefault(scene.portrait.person_id, Person())
                person.angles.append(ita_deg(s.clean, skin))
                person.nothing.add(s.source, s)
                person.ours.add(answer.picture, s)
                if number in shown:
                    found.sheet.append(sheets.painted_row(s, answer.picture, answer.mask, scene))
        progress("painted", number + 1, count)
    return found
