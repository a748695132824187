"""What happens to the network, scenario by scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.loss.policies import Bottleneck, OnePacket, Outages, Policy, RandomLoss, Reorder
from benchmarks.loss.wire import PayloadTypes

FIRST_S = 2.0
"""From the begin of the measured time to the first event of those that come one by one."""
SPACING_S = (4.0, 8.0)
"""Least and greatest time between two of them: a fifth of the run, within these."""
KEY_EVENT = 2
"""Which of the events hits a key frame, counted from 0."""
OUTAGE_S = 0.3
BOTTLENECK_BPS = 1_000_000
BOTTLENECK_QUEUE_S = 2.0


def moments(seconds: float) -> list[float]:
    """When the events of a run happen, seconds after its begin; each has its spacing after it."""
    spacing = min(max(seconds / 5, SPACING_S[0]), SPACING_S[1])
    found: list[float] = []
    at = FIRST_S
    while at + spacing <= seconds or not found:
        found.append(at)
        at += spacing
    return found


@dataclass(frozen=True, slots=True)
class Trouble:
    """One scenario's policy for one run."""

    policy: Policy
    key_moments: tuple[float, ...] = ()
    """When a key frame has to be asked for, so that it can be hit."""
    events: tuple[float, ...] | None = None
    """From when on the time to recover counts; None: from each video packet that was hit."""


Scenario = Callable[[float, float, int, PayloadTypes], Trouble]
"""From the begin (`time.perf_counter`), the length in seconds, the seed and the payload types."""


def _one_packet(begin: float, seconds: float, seed: int, types: PayloadTypes) -> Trouble:
    times = [begin + at for at in moments(seconds)]
    keys = times[KEY_EVENT : KEY_EVENT + 1]
    others = [at for at in times if at not in keys]
    return Trouble(OnePacket(types, others, keys), tuple(keys))


def _loss(share: float) -> Scenario:
    def trouble(begin: float, seconds: float, seed: int, types: PayloadTypes) -> Trouble:
        return Trouble(RandomLoss(begin, share, seed))

    return trouble


def _reorder(begin: float, seconds: float, seed: int, types: PayloadTypes) -> Trouble:
    return Trouble(Reorder(begin, 0.05, 0.005, 0.015, seed))


def _outage(begin: float, seconds: float, seed: int, types: PayloadTypes) -> Trouble:
    starts = [begin + at for at in moments(seconds)]
    return Trouble(Outages(starts, OUTAGE_S), events=tuple(at + OUTAGE_S for at in starts))


def _bottleneck(begin: float, seconds: float, seed: int, types: PayloadTypes) -> Trouble:
    return Trouble(Bottleneck(begin, BOTTLENECK_BPS, BOTTLENECK_QUEUE_S), events=(begin,))


SCENARIOS: dict[str, Scenario] = {
    "one_packet": _one_packet,
    "loss_1": _loss(0.01),
    "loss_3": _loss(0.03),
    "loss_10": _loss(0.10),
    "reorder_5": _reorder,
    "outage_300": _outage,
    "bottleneck": _bottleneck,
}
