"""Asks for missing packets until they come or are of no use any more.

Fault of aiortc 1.16: a missing packet is asked for once, in the moment the gap appears. When that
request (NACK, RFC 4585 section 6.2.1) or its answer is lost too, the picture freezes for seconds; and
packets that were merely overtaken are sent twice.

Cure: the first request waits for packets that come out of order; then it is sent again after every
round trip, which is measured on the answers. Chrome does the same in its `NackRequester`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiortc.rtp import RtpPacket

from stream_retouch.rtc.sequence import LARGEST_GAP, unwrap

OVERTAKEN_S = 0.005
"""What a packet may come late, out of order, without being asked for; more, if it happens often."""
LONGEST_OVERTAKEN_S = 0.020
SLACK_S = 0.010
"""What an answer may take longer than the round trip."""
SHORTEST_ROUND_TRIP_S = 0.020
FIRST_ROUND_TRIP_S = 0.100
"""Assumed until one is measured."""
MOST_TRIES = 10
MOST_MISSING = 500
"""Packets tracked at once; all are given up beyond it, a key frame costs less."""
TOGETHER_S = 0.002
"""Requests due within this are sent in one message."""
CLEAR_WEIGHT = 1 / 8
"""Of a measurement in the mean."""
DOUBTFUL_WEIGHT = 1 / 64
"""Of the longest that an answer can have taken, when any of several requests may have led to it."""
SURELY_TOO_SHORT = 0.8
"""Of the round trip: what came sooner than this after a request answers an earlier one."""


class RoundTrip:
    """Time from a request for a packet to the packet, smoothed."""

    def __init__(self, reported: Callable[[], float | None] = lambda: None) -> None:
        """`reported`: the round trip by RTCP, seconds, where known; used until one is measured."""
        self._reported = reported
        self._measured: float | None = None

    @property
    def seconds(self) -> float:
        """The round trip, 0.020 s at least."""
        known = self._measured
        if known is None:
            known = self._reported()
        return max(FIRST_ROUND_TRIP_S if known is None else known, SHORTEST_ROUND_TRIP_S)

    def add(self, since_requests_s: Sequence[float]) -> None:
        """Notes an answer.

        Which of several requests led to it cannot be told from the answer (Karn's problem). A lost first
        answer must not look like a longer way: each would make the wait for the next one longer (measured:
        4 ms each, until the picture stood for 290 ms). A way that has grown must be found out all the same.

        Args:
            since_requests_s: from each request for the packet to its coming, seconds, the first request
                first.
        """
        longest = since_requests_s[0]
        known = self.seconds if self._measured is None else self._measured
        possible = [s for s in since_requests_s if s >= SURELY_TOO_SHORT * known]
        if len(possible) > 1:
            self._measured = known + DOUBTFUL_WEIGHT * (longest - known)
        elif self._measured is None:
            self._measured = longest
        else:
            self._measured = known + CLEAR_WEIGHT * (longest - known)


@dataclass(slots=True)
class _Missing:
    since: float
    next_at: float
    asked_at: list[float] = field(default_factory=list)


class Retransmission:
    """The missing packets of one stream. Has the `add` that aiortc's receiver calls for its NACKs."""

    def __init__(self, round_trip: RoundTrip, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is missing.

        Args:
            round_trip: measured here.
            clock: seconds.
        """
        self._round_trip, self._clock = round_trip, clock
        self.measuring = True
        """Whether the packets that `add` gets now are answers to requests, or may be: with RTX only
        those of the RTX stream are, any other was merely overtaken."""
        self.gaps = 0
        """Times that one packet or several in a row were missing."""
        self.lost = 0
        """Packets that did not come by themselves."""
        self._overtaken_s = OVERTAKEN_S
        self.clear()

    def clear(self) -> None:
        """Forgets everything that is missing: the stream starts over."""
        self._highest: int | None = None
        self._missing: dict[int, _Missing] = {}

    @property
    def next_at(self) -> float | None:
        """When `due` has something to ask for, seconds of the clock; None while nothing is
        missing."""
        return min((each.next_at for each in self._missing.values()), default=None)

    @property
    def twice_s(self) -> float:
        """How long a packet that is missing takes if it is lost once more, from when it was noticed."""
        return self._overtaken_s + 2 * (self._round_trip.seconds + SLACK_S)

    def add(self, packet: RtpPacket) -> bool:
        """Notes a packet that came. Always False: its caller has nothing to ask for."""
        now = self._clock()
        if self._highest is None:
            self._highest = packet.sequence_number
        number = unwrap(packet.sequence_number, self._highest)
        if number > self._highest:
            self._note_gap(self._highest + 1, number, now)
            self._highest = number
        elif (found := self._missing.pop(number, None)) is not None:
            self._measure(found, now)
        return False

    def _measure(self, found: _Missing, now: float) -> None:
        if not self.measuring:
            self._allow(now - found.since)
        elif found.asked_at:
            self._round_trip.add([now - at for at in found.asked_at])

    def _allow(self, late_s: float) -> None:
        """Waits longer with the first request where packets that are this late come by themselves."""
        wanted = min(1.2 * late_s, LONGEST_OVERTAKEN_S)
        self._overtaken_s = max(OVERTAKEN_S, wanted, 0.99 * self._overtaken_s)

    def _note_gap(self, first: int, end: int, now: float) -> None:
        if end == first:
            return
        if end - first > LARGEST_GAP or end - first + len(self._missing) > MOST_MISSING:
            self.gaps += 1
            self.lost += end - first
            self._missing.clear()
            return
        for number in range(first, end):
            self._missing[number] = _Missing(since=now, next_at=now + self._overtaken_s)

    def forget_before(self, sequence: int | None) -> None:
        """Asks no more for packets older than `sequence` (0..65535)."""
        if sequence is None or self._highest is None or not self._missing:
            return
        oldest = unwrap(sequence, self._highest)
        for number in [number for number in self._missing if number < oldest]:
            del self._missing[number]

    def due(self) -> list[int]:
        """Sequence numbers (0..65535) to ask for now, in the order that aiortc can pack."""
        if not self._missing:
            return []
        now = self._clock()
        again_at = now + self._round_trip.seconds + SLACK_S
        asked = []
        last_lost: int | None = None
        for number, missing in list(self._missing.items()):
            if missing.next_at > now + TOGETHER_S:
                continue
            if len(missing.asked_at) == MOST_TRIES:
                del self._missing[number]
                continue
            if not missing.asked_at:
                self.lost += 1
                self.gaps += number - 1 != last_lost
                last_lost = number
            missing.asked_at.append(now)
            missing.next_at = again_at
            asked.append(number & 0xFFFF)
        # Not in the order of sending across the wrap-around: aiortc shifts by the difference.
        return sorted(asked)
