"""A relay on loopback between two WebRTC peers, which treats each direction by a policy.

Both descriptions are rewritten so that each peer takes the relay for the other one: its candidates
get the ports of the relay. Every datagram is released after the fixed delay and what the policy
adds, on the event loop's clock; what was sent is written down with what became of it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

from benchmarks.loss.policies import LOST, Good, Policy
from benchmarks.loss.wire import PayloadTypes, Rtcp, Rtp, header_of, payload_types
from stream_retouch.rtc.candidates import LOOPBACK

Direction = Literal["uplink", "downlink"]
DIRECTIONS: tuple[Direction, ...] = ("uplink", "downlink")
DELAY_S = 0.025
"""Each way."""
_CANDIDATE = re.compile(r"^(a=candidate:\S+ 1 udp \d+) (\S+) (\d+) ", re.MULTILINE | re.IGNORECASE)


class Passage(NamedTuple):
    """One packet at the relay."""

    at: float
    """When it came, `time.perf_counter` seconds."""
    kind: str
    """``video``, ``rtx``, a kind of RTCP, or ``other``."""
    size: int
    """Bytes of the datagram."""
    extra_s: float | None
    """What the policy said: added delay, or None for lost."""


@dataclass(slots=True)
class Way:
    """One direction."""

    policy: Policy = field(default_factory=Good)
    passed: list[Passage] = field(default_factory=list)
    video_ssrc: int | None = None
    """Source of the video, once there was some."""


class Delayed:
    """Things that are handed on later, in the order of their times, those of one time as given."""

    def __init__(self, hand_on: Callable[[Any], None]) -> None:
        self._hand_on = hand_on
        self._waiting: list[tuple[float, int, Any]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, due: float, thing: Any) -> None:
        """`due` is a time of the running loop's clock."""
        heapq.heappush(self._waiting, (due, next(self._order), thing))
        if self._timer is None or due < self._timer.when():
            self._set_timer()

    def release(self, now: float) -> None:
        """Hands on all that is due."""
        while self._waiting and self._waiting[0][0] <= now:
            self._hand_on(heapq.heappop(self._waiting)[2])

    def close(self) -> None:
        """Forgets what is left."""
        self._waiting.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._waiting:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._waiting[0][0], self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.release(asyncio.get_running_loop().time())
        self._set_timer()


class Shim:
    """The relay. Open it, rewrite the offer and the answer, close it. Event loop only."""

    def __init__(self, delay_s: float = DELAY_S) -> None:
        self._delay_s = delay_s
        self.ways: dict[Direction, Way] = {"uplink": Way(), "downlink": Way()}
        """The policies, which may be exchanged while packets flow, and what has passed."""
        self.types = PayloadTypes(frozenset(), frozenset())
        """What the payload types of the call mean; empty until the answer was rewritten."""
        self._ends: dict[Direction, _End] = {}
        self._targets: dict[Direction, tuple[str, int]] = {}

    async def open(self) -> None:
        """Binds both ends."""
        loop = asyncio.get_running_loop()
        for direction in DIRECTIONS:
            # The end that hears a direction; what it hears leaves from the other end.
            end = _End(self, direction)
            self._ends[direction] = end
            await loop.create_datagram_endpoint(partial(_itself, end), (LOOPBACK, 0))

    def offer_for_server(self, offer: str) -> str:
        """The client's offer, with the relay in its place."""
        self._targets["downlink"], rewritten = _moved(offer, self._ends["downlink"].port)
        return rewritten

    def answer_for_client(self, answer: str) -> str:
        """The server's answer, with the relay in its place."""
        self.types = payload_types(answer)
        self._targets["uplink"], rewritten = _moved(answer, self._ends["uplink"].port)
        return rewritten

    def close(self) -> None:
        """Drops what is under way. May be called twice."""
        for end in self._ends.values():
            end.close()

    def _heard(self, direction: Direction, datagram: bytes) -> None:
        way, header, now = self.ways[direction], header_of(datagram), time.perf_counter()
        kind = self._kind(header)
        if kind == "video" and isinstance(header, Rtp):
            way.video_ssrc = header.ssrc
        extra_s = way.policy.extra_s(header, len(datagram), now)
        way.passed.append(Passage(now, kind, len(datagram), extra_s))
        if extra_s is not LOST:
            due = asyncio.get_running_loop().time() + self._delay_s + extra_s
            self._ends[direction].delayed.add(due, datagram)

    def _send(self, direction: Direction, datagram: bytes) -> None:
        target = self._targets.get(direction)
        other = self._ends["downlink" if direction == "uplink" else "uplink"]
        if target is not None:
            other.send(datagram, target)

    def _kind(self, header: Rtp | Rtcp | None) -> str:
        if isinstance(header, Rtcp):
            return header.kind
        if header is None:
            return "other"
        return "rtx" if header.payload_type in self.types.rtx else "video"


class _End(asyncio.DatagramProtocol):
    """One socket: hears one direction, and speaks for the peer at its other end."""

    def __init__(self, shim: Shim, direction: Direction) -> None:
        self._shim, self._direction = shim, direction
        self._transport: asyncio.DatagramTransport | None = None
        self.delayed = Delayed(lambda datagram: shim._send(direction, datagram))

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._shim._heard(self._direction, data)

    def send(self, datagram: bytes, target: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(datagram, target)

    def close(self) -> None:
        self.delayed.close()
        if self._transport is not None:
            self._transport.close()


def _itself(end: _End) -> _End:
    return end


def _moved(sdp: str, port: int) -> tuple[tuple[str, int], str]:
    """The address of the one candidate on loopback, and `sdp` with `port` of loopback instead.

    Raises:
        ValueError: there is no such candidate, or there are several different ones.
    """
    found = {(match[2], int(match[3])) for match in _CANDIDATE.finditer(sdp)}
    if len(found) != 1 or next(iter(found))[0] != LOOPBACK:
        raise ValueError(
            f"a description must have one candidate, on {LOOPBACK}, to be led through the relay; "
            f"it has {sorted(found)}"
        )
    return next(iter(found)), _CANDIDATE.sub(rf"\g<1> {LOOPBACK} {port} ", sdp)
