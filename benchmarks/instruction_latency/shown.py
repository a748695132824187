"""When a change shows: the 10 % rule, on the curve of one instruction. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHARE = 0.10
"""A frame shows the change when it shows this share of the final one."""
STEADY_S = 0.4
"""The look before, and the final one, are the medians over this time."""
FEWEST_FRAMES = 4
"""In each of the two, else nothing is measured."""
CLEAR = 3.0
"""So many standard deviations of the steady frames must lie below SHARE of the change."""

TOO_FEW = "too few frames came back"
UNCLEAR = "no change that stands out from the codec's noise"


@dataclass(frozen=True, slots=True)
class Curve:
    """What the returned frames show around one instruction."""

    times_s: NDArray[np.float64]
    """(N,) when each frame had come, seconds since the text was sent; negative before."""
    levels: NDArray[np.float64]
    """(N,) how much of the change each frame shows, in any unit."""
    until_s: float
    """When the next text was sent: the look is steady in the last STEADY_S before."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one curve says."""

    ms: float | None
    """From the text to the first frame that shows SHARE of the change; None: not measured."""
    why_not: str | None
    shares: NDArray[np.float64] | None = None
    """(N,) the curve from 0, the look before, to 1, the final one."""


def shown(curve: Curve) -> Shown:
    """The rule applied to a curve; frames may be in any order."""
    order = np.argsort(curve.times_s, kind="stable")
    times, levels = curve.times_s[order], curve.levels[order]
    steady = levels[(times >= -STEADY_S) & (times <= 0.0)]
    final = levels[(times >= curve.until_s - STEADY_S) & (times <= curve.until_s)]
    if min(len(steady), len(final)) < FEWEST_FRAMES:
        return Shown(None, TOO_FEW)
    before = float(np.median(steady))
    change = float(np.median(final)) - before
    noise = max(float(np.std(steady)), float(np.std(final)))
    if CLEAR * noise >= SHARE * abs(change):
        return Shown(None, UNCLEAR)
    shares = (levels - before) / change
    first = np.flatnonzero((times > 0.0) & (shares >= SHARE))
    back = np.empty_like(shares)
    back[order] = shares
    return Shown(float(times[first[0]]) * 1000, None, back)  # the final frames are among them


def reasons(why_not: Iterable[str | None]) -> dict[str, int]:
    """How often each reason was given."""
    return dict(Counter(why for why in why_not if why is not None))
