"""What a direction of the network does to packets: pure decisions, time and chance given.

A policy says of each packet how much longer than the fixed delay it takes, or that it is lost. None
of them reads a clock. Times are seconds of any one clock; `begin` says when the bad time starts,
before which every packet passes.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Protocol

from benchmarks.loss.wire import PayloadTypes, Rtcp, Rtp

LOST = None
"""What `Policy.extra_s` gives for a packet that does not arrive."""
UDP_IP_BYTES = 28
"""Headers that a line carries besides a datagram (IPv4 and UDP)."""
KEY_FRAME_TIMES = 2.0
"""A frame of more than so many times the median number of packets is taken for a key frame."""
RECENT_FRAMES = 30
KEY_WITHIN_S = 2.0
"""A key frame that has not come so long after its moment is given up."""


class Policy(Protocol):
    """One direction of a network."""

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        """How much longer this packet takes than the fixed delay; LOST when it never arrives.

        Args:
            header: None for what is neither RTP nor RTCP.
            size: bytes of the datagram.
            now: when it was sent.
        """
        ...


class Good:
    """Nothing happens."""

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        return 0.0


class RandomLoss:
    """Each packet is lost with the same chance."""

    def __init__(self, begin: float, share: float, seed: int) -> None:
        self._begin, self._share, self._chance = begin, share, random.Random(seed)

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        if now < self._begin:
            return 0.0
        return LOST if self._chance.random() < self._share else 0.0


class Reorder:
    """Some packets are overtaken by those after them."""

    def __init__(
        self, begin: float, share: float, least_s: float, most_s: float, seed: int
    ) -> None:
        self._begin, self._share, self._chance = begin, share, random.Random(seed)
        self._least_s, self._most_s = least_s, most_s

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        if now < self._begin or self._chance.random() >= self._share:
            return 0.0
        return self._chance.uniform(self._least_s, self._most_s)


class Outages:
    """Nothing passes for `length_s` from each of `starts` on."""

    def __init__(self, starts: Sequence[float], length_s: float) -> None:
        self._starts, self._length_s = tuple(starts), length_s

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        out = any(start <= now < start + self._length_s for start in self._starts)
        return LOST if out else 0.0


class Bottleneck:
    """A line of `bits_per_s` with a queue of at most `queue_s` before it; what is more is lost."""

    def __init__(self, begin: float, bits_per_s: float, queue_s: float) -> None:
        self._begin, self._bits_per_s, self._queue_s = begin, bits_per_s, queue_s
        self._free_at = begin

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        if now < self._begin:
            return 0.0
        starts = max(self._free_at, now)
        if starts - now > self._queue_s:
            return LOST
        self._free_at = starts + (size + UDP_IP_BYTES) * 8 / self._bits_per_s
        return self._free_at - now


class OnePacket:
    """One video packet at a time is lost, and the first `again` retransmissions of it too.

    At each of `moments` a packet of the next frame goes: the first, the second and the last of a
    frame in turn. From each of `key_moments` on it is one in the middle of the next frame large
    enough to be a key frame. A retransmission has the time stamp of what it repeats (RFC 4588
    section 4) and a payload type of its own, or is the same packet over again.
    """

    def __init__(
        self,
        types: PayloadTypes,
        moments: Sequence[float],
        key_moments: Sequence[float] = (),
        again: int = 1,
    ) -> None:
        self._types, self._again = types, again
        self._due = sorted(
            [(at, False) for at in moments] + [(at, True) for at in key_moments], reverse=True
        )
        self._places = ("first", "second", "last")
        self._lost: Rtp | None = None
        self._lost_again = 0
        self._lost_of_due = 0
        self._frame: int | None = None
        self._count = 0
        self._aim = False
        self._counts: deque[int] = deque(maxlen=RECENT_FRAMES)

    def extra_s(self, header: Rtp | Rtcp | None, size: int, now: float) -> float | None:
        if not isinstance(header, Rtp):
            return 0.0
        if self._repeats(header):
            self._lost_again += 1
            return LOST
        if header.payload_type not in self._types.video:
            return 0.0
        self._follow(header, now)
        if not self._aim or not self._hits(header):
            return 0.0
        self._lost, self._lost_again = header, 0
        self._aim = False
        _, is_key = self._due.pop()
        self._lost_of_due += not is_key
        return LOST

    def _repeats(self, header: Rtp) -> bool:
        lost = self._lost
        if lost is None or self._lost_again >= self._again:
            return False
        if header.payload_type in self._types.rtx:
            return header.timestamp == lost.timestamp
        return (header.ssrc, header.sequence) == (lost.ssrc, lost.sequence)

    def _follow(self, header: Rtp, now: float) -> None:
        """Counts the packets of frames, and takes aim at a frame's beginning only."""
        self._count += 1
        if header.timestamp != self._frame:
            if self._frame is not None:
                self._counts.append(self._count - 1)
            self._frame, self._count = header.timestamp, 1
            while self._due and self._due[-1][1] and now > self._due[-1][0] + KEY_WITHIN_S:
                self._due.pop()
            self._aim = bool(self._due) and self._due[-1][0] <= now

    def _hits(self, header: Rtp) -> bool:
        _, is_key = self._due[-1]
        if is_key:
            usual = median(self._counts) if self._counts else math.inf
            return self._count > KEY_FRAME_TIMES * usual
        match self._places[self._lost_of_due % len(self._places)]:
            case "first":
                return True
            case "second":
                return self._count == 2
            case _:
                return header.marker
