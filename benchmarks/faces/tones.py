"""Recall and NME by measured skin tone: is anybody worse off?

The tone is the individual typology angle of the picture's skin (`benchmarks.quality.tones`), so the lamp counts too; a
person keeps the tone of the first picture. A group under 5 persons is not shown. For every two groups shown the
difference is given with a 95 % bootstrap over persons; the verdict fails where that interval lies wholly beyond the
bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.tones import ita_deg, tone_of
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.media.affine import compose, crop_from_grid
from stream_retouch.media.regions import alignment, into_crop
from training.imperfections.anatomy import skin_of

FEWEST = 5
RECALL_GAP, NME_GAP = 0.02, 0.005
DRAWS = 2000
_SIDE = 256


@dataclass(slots=True)
class Person:
    """One person's figures."""

    ita: float
    """Degrees; above 41 light, 28 to 41 intermediate, below 28 tan to dark."""
    errors: list[float] = field(default_factory=list)
    """NME of each look."""


def angle_of(rgb: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
    """ITA in degrees of the face with these (478, 2) landmarks in a (H, W, 3) picture."""
    crop = alignment(mesh[list(LANDMARKS)])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_picture = compose(crop, crop_from_grid(_SIDE))
    upright = np.asarray(cv2.warpAffine(rgb, to_picture, (_SIDE, _SIDE), flags=flags), np.uint8)
    points = into_crop(mesh, crop) * (_SIDE / CROP_SIZE)
    skin = skin_of(upright, points.astype(np.float32))
    return ita_deg(upright.astype(np.float32), skin)


def by_tone(persons: Mapping[str, Person], recall: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """The table, the gaps and a sentence.

    Args:
        persons: tone and looks of each.
        recall: (found, of how many) of those who are in the scenes.
    """
    errors: dict[str, list[list[float]]] = {}
    found: dict[str, list[tuple[int, int]]] = {}
    for name, person in persons.items():
        tone = tone_of(person.ita)
        if person.errors:
            errors.setdefault(tone, []).append(person.errors)
        if recall.get(name, (0, 0))[1]:
            found.setdefault(tone, []).append(recall[name])
    recalls = _gaps(found, _recall, RECALL_GAP)
    nmes = _gaps(errors, _nme, NME_GAP)
    return {"recall": recalls, "nme": nmes, "verdict": _verdict(recalls, nmes)}


def _recall(group: Sequence[tuple[int, int]]) -> float:
    return sum(f for f, _ in group) / max(sum(n for _, n in group), 1)


def _nme(group: Sequence[list[float]]) -> float:
    return float(np.mean([np.mean(errors) for errors in group]))


def _gaps(
    groups: Mapping[str, list[Any]], mean: Callable[[Any], float], bound: float
) -> dict[str, Any]:
    shown = {tone: group for tone, group in sorted(groups.items()) if len(group) >= FEWEST}
    table: dict[str, Any] = {
        tone: (
            {"persons": len(group), "mean": round(mean(group), 4)}
            if tone in shown
            else f"{len(group)} persons: not shown"
        )
        for tone, group in sorted(groups.items())
    }
    rng = np.random.default_rng(73)
    gaps: dict[str, Any] = {}
    for one, other in combinations(shown, 2):
        draws = [
            mean(_drawn(shown[one], rng)) - mean(_drawn(shown[other], rng)) for _ in range(DRAWS)
        ]
        low, high = (float(v) for v in np.percentile(draws, (2.5, 97.5)))
        gaps[f"{one} - {other}"] = {
            "gap": round(mean(shown[one]) - mean(shown[other]), 4),
            "ci95": [round(low, 4), round(high, 4)],
            "holds": bool(low <= bound and high >= -bound),
        }
    return {"groups": table, "gaps": gaps, "bound": bound}


def _drawn(group: Sequence[Any], rng: np.random.Generator) -> list[Any]:
    return [group[i] for i in rng.integers(0, len(group), len(group))]


def _verdict(recalls: dict[str, Any], nmes: dict[str, Any]) -> str:
    gaps = [g for side in (recalls, nmes) for g in side["gaps"].values()]
    if not gaps:
        return f"too few persons: no two groups of {FEWEST}"
    if all(g["holds"] for g in gaps):
        return "no gap that its interval puts beyond the bound, in the groups shown"
    return "a gap lies beyond its bound"
