"""Whether it works alike on every skin: figures by measured tone, and the gap with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.pictures import Rgb
from benchmarks.quality.sums import Sums, gain_db, pooled

LEAST_PERSONS = 5
"""A group of fewer is not shown."""
_DRAWS = 1000


@dataclass(slots=True, eq=False)
class Person:
    """One person's scenes."""

    angles: list[float] = field(default_factory=list)
    """ITA of each picture."""
    nothing: Sums = field(default_factory=Sums)
    ours: Sums = field(default_factory=Sums)

    @property
    def ita_deg(self) -> float:
        """Mean over the pictures."""
        return float(np.mean(self.angles))


def ita_deg(clean: Rgb, skin: NDArray[np.float32]) -> float:
    """Individual typology angle of the skin: above 41 light, 28 to 41 intermediate, below 28 tan to dark."""
    lab = cv2.cvtColor(clean / 255.0, cv2.COLOR_RGB2LAB)[skin > 0.8]
    lightness, _, b = np.median(lab, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50.0, b)))


def tone_of(angle: float) -> str:
    """The tone group of an ITA angle."""
    return "light" if angle > 41 else "intermediate" if angle > 28 else "tan to dark"


def by_tone(persons: Sequence[Person]) -> dict[str, Any]:
    """named_removed and gain of each tone group."""
    groups: dict[str, list[Person]] = {}
    for person in persons:
        groups.setdefault(tone_of(person.ita_deg), []).append(person)
    return {
        tone: {
            "persons": len(group),
            "named_removed": round(_removed(group), 3),
            "masked_psnr_gain_db": round(_gain(group), 2),
        }
        if len(group) >= LEAST_PERSONS
        else f"{len(group)} persons: not shown"
        for tone, group in sorted(groups.items())
    }


def gaps(persons: Sequence[Person]) -> dict[str, Any]:
    """Lightest less darkest third of persons, in gain and in named_removed, with 95 % of a bootstrap over persons.

    A third has at least LEAST_PERSONS, who may not be in both: with fewer than twice as many persons there is no gap.
    """
    ranked = sorted(persons, key=lambda p: p.ita_deg)
    size = max(round(len(ranked) / 3), LEAST_PERSONS)
    if len(ranked) < 2 * size:
        few = f"{len(ranked)} persons: not shown"
        return {"tone_gap_db": None, "tone_gap_note": few}
    darkest, lightest = ranked[:size], ranked[-size:]
    found: dict[str, Any] = {}
    for name, figure in (("tone_gap_db", _gain), ("tone_gap_removed", _removed)):
        found[name] = round(figure(lightest) - figure(darkest), 3)
        found[f"{name}_ci95"] = _interval(darkest, lightest, figure)
    found["tone_thirds"] = {
        name: {
            "persons": size,
            "ita_deg": [round(third[0].ita_deg, 1), round(third[-1].ita_deg, 1)],
            "masked_psnr_gain_db": round(_gain(third), 2),
            "named_removed": round(_removed(third), 3),
        }
        for name, third in (("darkest", darkest), ("lightest", lightest))
    }
    return found


def _interval(
    darkest: Sequence[Person],
    lightest: Sequence[Person],
    figure: Callable[[Sequence[Person]], float],
) -> list[float]:
    rng = np.random.default_rng(1)
    drawn = [
        figure([lightest[i] for i in rng.integers(0, len(lightest), len(lightest))])
        - figure([darkest[i] for i in rng.integers(0, len(darkest), len(darkest))])
        for _ in range(_DRAWS)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return [round(float(low), 3), round(float(high), 3)]


def _removed(group: Sequence[Person]) -> float:
    return pooled(p.ours for p in group).removed()


def _gain(group: Sequence[Person]) -> float:
    return gain_db(pooled(p.ours for p in group), pooled(p.nothing for p in group))
