"""How many bits a second a receiver is sent: the less of what it asks for and what losses allow.

Fault of aiortc 1.16's sender: it obeys REMB messages and nothing else. A receiver that sends none
(a WHEP player, another SFU) keeps the first rate for ever, over a link that cannot carry it or far
below what it could; and losses, which every receiver reports, are ignored.

The rule follows the loss-based controller of draft-ietf-rmcat-gcc-02 section 6, with two changes.
Between 2 and 10 % it does not hold but sinks slowly. Above 10 % it goes at once to what arrived,
the rate times one minus the loss: behind a bottleneck that is the link's own rate. Both end where
less does not help (overrun.py), and above what TCP would take there (RFC 5348 section 3.1): a radio
link that loses 3 % whatever is sent would otherwise be starved.
"""

from __future__ import annotations

from math import sqrt

from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.overrun import SLIGHT, Overrun

GROWTH = 0.05
"""Share by which the rate grows each second in which nothing speaks against it."""
HOLD_S = 2.0
"""Seconds without growth after a report of loss: longer than from one report to the next."""
LEAST_PACKETS = 20
"""Packets that a loss is counted over: of five, one is 20 % and means nothing."""
STALE_S = 10.0
"""A REMB older than this is no wish any more; receivers repeat it every second."""
ROUND_TRIP_S = 0.1
"""While it is not known."""
LEAST_ROUND_TRIP_S = 0.05
"""For the floor: on short paths the equation allows any rate."""
PACKET_BITS = 1200 * 8


def tcp_friendly_bps(loss: float, round_trip_s: float) -> float:
    """What TCP takes on such a path, bits per second (RFC 5348 section 3.1, b = 1, RTO = 4 R).

    Args:
        loss: share of packets lost, over 0 and up to 1.
        round_trip_s: over 0.
    """
    waits = 4 * round_trip_s * 3 * sqrt(3 * loss / 8) * loss * (1 + 32 * loss * loss)
    return PACKET_BITS / (round_trip_s * sqrt(2 * loss / 3) + waits)


class DownlinkRate:
    """The rate of one receiver. Pure: takes `now`, seconds of one clock that never goes back."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._allowed = float(limits.clamp(limits.start_bps))
        self._asked: float | None = None
        self._asked_at = 0.0
        self._grown_at: float | None = None
        self._hold_until = float("-inf")
        self._highest: int | None = None
        self._expected = self._lost = 0.0
        self._overrun = Overrun()
        self.loss = 0.0
        """Share of packets lost in the latest count, 0..1."""

    def target(self, now: float) -> int:
        """Bits per second to send now, within the limits."""
        self._grow(now)
        if self._asked is not None and now - self._asked_at > STALE_S:
            # From what it carried last, not with one leap to what losses would allow.
            self._allowed = min(self._allowed, max(self._asked, self._limits.min_bps))
            self._asked = None
        wanted = self._allowed if self._asked is None else min(self._asked, self._allowed)
        return self._limits.clamp(round(wanted))

    def asked_bps(self, now: float) -> float | None:
        """What the receiver asked for last; None if it says nothing."""
        return None if self._asked is None or now - self._asked_at > STALE_S else self._asked

    def remb(self, bitrate_bps: int, now: float) -> None:
        """The receiver asks for at most so much (draft-alvestrand-rmcat-remb-03)."""
        self._grow(now)
        self._asked, self._asked_at = float(bitrate_bps), now

    def report(
        self, fraction_lost: float, highest_sequence: int, now: float, round_trip_s: float | None
    ) -> None:
        """A receiver report has come (RFC 3550 section 6.4.2).

        Args:
            fraction_lost: since the report before, 0..1.
            highest_sequence: extended highest sequence number received, 32 bits.
            now: seconds.
            round_trip_s: None while it is not known.
        """
        before, self._highest = self._highest, highest_sequence
        expected = LEAST_PACKETS if before is None else (highest_sequence - before) % (1 << 32)
        if expected >= 1 << 31:  # an old report, overtaken
            self._highest = before
            return
        self._expected += expected
        self._lost += expected * fraction_lost
        if self._expected < LEAST_PACKETS:
            return
        self.loss = min(1.0, self._lost / self._expected)
        self._expected = self._lost = 0.0
        self._grow(now)
        self._back_off(self.target(now), round_trip_s)
        if self.loss > SLIGHT:
            self._hold_until = now + HOLD_S

    def _back_off(self, rate: float, round_trip_s: float | None) -> None:
        lowered = self._overrun.lowered(rate, self.loss)
        if lowered == rate:
            return
        trip = max(LEAST_ROUND_TRIP_S, ROUND_TRIP_S if round_trip_s is None else round_trip_s)
        floor = max(self._limits.min_bps, tcp_friendly_bps(self.loss, trip))
        self._allowed = max(lowered, min(rate, floor))

    def _grow(self, now: float) -> None:
        since = max(now if self._grown_at is None else self._grown_at, self._hold_until)
        self._grown_at = now
        if now > since:
            grown = self._allowed * (1 + GROWTH) ** min(now - since, STALE_S)
            self._allowed = min(grown, float(self._limits.max_bps))
