"""Error sums pooled over scenes, and the figures they give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import numpy as np

from benchmarks.quality.pictures import Rgb, psnr
from benchmarks.quality.views import Views


@dataclass(slots=True)
class Sums:
    """Pooled error sums of one filter; what they are for stands in the package's docstring."""

    masked: float = 0.0
    masked_n: float = 0.0
    clean: float = 0.0
    clean_n: float = 0.0
    left: float = 0.0
    named: float = 0.0
    changed: float = 0.0
    unnamed: float = 0.0
    kept_changed: float = 0.0
    kept: float = 0.0
    by_kind: dict[str, list[float]] = field(default_factory=dict)
    """Kind to what is left of it and what there was."""

    def add(self, out: Rgb, s: Views) -> None:
        """One scene."""
        error = out - s.target
        self.masked += float((error[s.wanted] ** 2).sum())
        self.masked_n += 3.0 * float(s.wanted.sum())
        self.clean += float(((out - s.source)[s.still] ** 2).sum())
        self.clean_n += 3.0 * float(s.still.sum())
        self.left += float(np.abs(error[s.wanted]).sum())
        self.named += float(np.abs(s.source - s.target)[s.wanted].sum())
        self.changed += float(np.abs(out - s.source)[s.unnamed].sum())
        self.unnamed += float(np.abs(s.source - s.clean)[s.unnamed].sum())
        self.kept_changed += float(np.abs(out - s.source)[s.kept].sum())
        self.kept += float(np.abs(s.source - s.clean)[s.kept].sum())
        for kind, where in s.kinds.items():
            sums = self.by_kind.setdefault(kind, [0.0, 0.0])
            sums[0] += float(np.abs(error[where]).sum())
            sums[1] += float(np.abs(s.source - s.target)[where].sum())

    def figures(self) -> dict[str, float | None]:
        """The figures that need no other filter beside; None for what no scene asked."""
        return {
            "masked_psnr_db": psnr(self.masked, self.masked_n),
            "clean_psnr_db": psnr(self.clean, self.clean_n),
            "named_removed": self.removed(),
            "unnamed_changed": self.changed / self.unnamed if self.unnamed else None,
            "kept_changed": self.kept_changed / self.kept if self.kept else None,
        }

    def removed(self) -> float:
        """Share removed of what was named."""
        return 1.0 - self.left / max(self.named, 1e-9)

    def removed_by_kind(self) -> dict[str, float]:
        """Share removed of each kind, by name."""
        return {
            kind: 1.0 - left / named
            for kind, (left, named) in sorted(self.by_kind.items())
            if named > 0
        }


def gain_db(ours: Sums, nothing: Sums) -> float:
    """Masked PSNR over doing nothing, dB."""
    return psnr(ours.masked, ours.masked_n) - psnr(nothing.masked, nothing.masked_n)


def pooled(parts: Iterable[Sums]) -> Sums:
    """The sums of all scenes of several."""
    whole = Sums()
    for part in parts:
        for name in (f.name for f in fields(Sums) if f.name != "by_kind"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        for kind, (left, named) in part.by_kind.items():
            sums = whole.by_kind.setdefault(kind, [0.0, 0.0])
            sums[0] += left
            sums[1] += named
    return whole
