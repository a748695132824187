"""A video jitter buffer that lets a frame go with its last packet, and waits a bounded time for it.

Faults of aiortc 1.16's buffer:
* it releases a frame only when a packet of the *next* frame arrives, which costs one frame interval
  per receiver (33 ms at 30 fps), and at most one frame per packet;
* a missing packet is waited for until 512 others are here: seconds. Then the frames behind the hole
  go to the decoder, although they are predicted from what was lost;
* a packet that comes 100 late empties it.

Cure: the RTP marker bit ends a frame (RFC 6184 section 5.1, RFC 7741 section 4.2). A hole is waited
for `wait_s`; then everything up to the next key frame is given up, and nothing between the hole and
that key frame is handed on. As long as that has not come whole there is nothing to win by it, so the
hole is waited for `patience_s` more: what is lost three times in a row comes with the fourth request,
before a key frame whose own packets are lost. What comes too late is left out. Two traps: a run of padding-only
packets, which Chrome sends to probe the network, makes no frame (an empty packet would drain the
decoder); and one packet that fills a gap may complete several frames.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aiortc.rtp import RtpPacket

from stream_retouch.rtc.key_frames import Entry
from stream_retouch.rtc.sequence import LARGEST_GAP, unwrap

CAPACITY = 2048
"""Packets held at most, from the first that is missing; the time bound comes long before."""
EARLY = 64
"""Packets before the first to arrive that may still come, out of order."""
WAIT_S = 0.25
"""Longest wait for a missing packet, until told otherwise."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One complete frame as it came over the network."""

    data: bytes
    """Depacketised payload."""
    timestamp: int
    """RTP time stamp, 90 kHz, modulo 2**32."""
    payload_type: int
    """RTP payload type of its packets."""
    ssrc: int
    """RTP source of its packets."""


class MarkerJitterBuffer:
    """Orders the packets of one stream; complete frames wait in `take`, oldest first.

    Has the `add` that aiortc's receiver calls, which never returns a frame itself, because its
    caller would handle one per packet only. Time goes on by `expire`.
    """

    def __init__(
        self, entry: Callable[[RtpPacket], Entry], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Empty, and in want of a key frame.

        Args:
            entry: whether decoding can start with a packet (key_frames.py).
            clock: seconds.
        """
        self._entry, self._clock = entry, clock
        self.wait_s = WAIT_S
        """Seconds that a missing packet is waited for, from when it was noticed."""
        self.patience_s = 0.0
        """Seconds more, as long as no whole key frame is held behind it."""
        self.given_up = 0
        """Holes that were not filled in time."""
        self._complete: deque[EncodedFrame] = deque()
        self.clear()

    def clear(self) -> None:
        """Forgets every packet: the stream starts over. Complete frames stay."""
        # Packets by their number (sequence.py), with when they came.
        self._held: dict[int, tuple[RtpPacket, float]] = {}
        self._started = False
        self._seeking = True
        self._origin = 0  # nothing before it is wanted
        self._next = 0  # from _origin up to here everything is held, unless a key frame is sought
        self._highest = 0
        self._hole: tuple[int, float] | None = None
        self._entries: set[int] = set()  # behind the hole, where decoding can start

    @property
    def wants_key_frame(self) -> bool:
        """Whether packets come, but none that decoding can start with."""
        return self._started and self._seeking

    @property
    def oldest_wanted(self) -> int | None:
        """Sequence number (0..65535) before which no packet is of use; None before the first."""
        return self._origin & 0xFFFF if self._started else None

    @property
    def hole_since(self) -> float | None:
        """When the packet that everything waits for was noticed to be missing, seconds of the clock."""
        return None if self._hole is None else self._hole[1]

    @property
    def give_up_at(self) -> float | None:
        """When the hole at the front is given up, seconds of the clock; None without one."""
        if self._hole is None:
            return None
        whole = any(map(self._is_whole, self._entries))
        return self._hole[1] + self.wait_s + (0.0 if whole else self.patience_s)

    def take(self) -> list[EncodedFrame]:
        """Every frame that is complete and was not taken yet, oldest first."""
        frames = list(self._complete)
        self._complete.clear()
        return frames

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Takes a depacketised packet. Always (False, None): no PLI by the caller, no frame."""
        if not self._started:
            self._highest = packet.sequence_number
            self._origin = self._highest - EARLY
            self._started = True
        number = unwrap(packet.sequence_number, self._highest)
        if number < self._origin or number in self._held:
            return False, None
        if not self._seeking and number - self._highest - 1 > LARGEST_GAP:
            self._give_up()
        self._highest = max(self._highest, number)
        self._held[number] = packet, self._clock()
        self._stay_within_capacity()
        if self._seeking:
            self._seek((number, number + 1))  # the latter may be first of its frame, it shows now
        else:
            self._advance()
            self._note_entries(number)
        return False, None

    def expire(self) -> None:
        """Gives up the hole at the front if it has been waited for long enough."""
        due = self.give_up_at
        if due is not None and self._clock() >= due:
            self._give_up()

    def skip_to_key_frame(self) -> None:
        """Gives up everything that is held, complete or not, up to the next key frame."""
        self._complete.clear()
        if self._started:
            self._drop_before(self._highest + 1)
            self._seeking, self._hole = True, None
            self._entries.clear()

    def _give_up(self) -> None:
        self.given_up += 1
        # Whatever is older than the hole belongs to a broken frame. What is missing may be the first
        # packet of a key frame, and come yet.
        self._drop_before(self._next)
        self._seeking, self._hole = True, None
        self._entries.clear()
        self._seek(sorted(self._held))

    def _seek(self, numbers: tuple[int, ...] | list[int]) -> None:
        """Goes on at the first of `numbers` with which decoding can start."""
        for number in numbers:
            if self._can_start(number):
                self._drop_before(number)
                self._next = number
                self._seeking = False
                self._advance()
                return

    def _can_start(self, number: int) -> bool:
        if number not in self._held:
            return False
        packet = self._held[number][0]
        how = self._entry(packet)
        if how is Entry.IF_FIRST:
            before = self._held.get(number - 1)
            return before is not None and before[0].timestamp != packet.timestamp
        return how is Entry.YES

    def _note_entries(self, number: int) -> None:
        if self._hole is None:
            self._entries.clear()
            return
        for each in (number, number + 1):  # the latter may be first of its frame, it shows now
            if each > self._hole[0] and self._can_start(each):
                self._entries.add(each)

    def _is_whole(self, number: int) -> bool:
        """Whether the frame that begins with `number` is held to its end."""
        first = self._held.get(number)
        held = first
        while held is not None and first is not None:
            if held[0].marker or held[0].timestamp != first[0].timestamp:
                return True
            number += 1
            held = self._held.get(number)
        return False

    def _advance(self) -> None:
        """Hands on every frame that is complete, and notes the hole behind them."""
        while (held := self._held.get(self._next)) is not None:
            packet = held[0]
            if self._next > self._origin:
                if packet.timestamp != self._held[self._origin][0].timestamp:
                    self._complete_frame()  # without a marker, but a new frame has begun
            self._next += 1
            if packet.marker:
                self._complete_frame()
        if self._highest < self._next:
            self._hole = None
        elif self._hole is None or self._hole[0] != self._next:
            # What came after the packet that is missing is all held still.
            noticed = min(came for number, (_, came) in self._held.items() if number > self._next)
            self._hole = self._next, noticed

    def _complete_frame(self) -> None:
        packets = [self._held.pop(number)[0] for number in range(self._origin, self._next)]
        self._origin = self._next
        data = b"".join(packet._data for packet in packets)  # type: ignore[attr-defined]
        first = packets[0]
        if data:
            self._complete.append(
                EncodedFrame(data, first.timestamp, first.payload_type, first.ssrc)
            )

    def _stay_within_capacity(self) -> None:
        if self._highest - self._origin < CAPACITY:
            return
        if not self._seeking:
            self._give_up()
        if self._seeking:
            self._drop_before(self._highest - CAPACITY // 2)  # half, so that it happens seldom

    def _drop_before(self, number: int) -> None:
        self._held = {held: what for held, what in self._held.items() if held >= number}
        self._origin = number
