"""One viewer's place at a shared encoder: what was encoded and is not sent yet, and its wishes.

A viewer that takes frames slower than they are made must neither hold the others up nor fall
behind: what piles up is thrown away, and it goes on with the next key frame.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from stream_retouch.latest import Closed
from stream_retouch.metrics import TransportCount

MOST_WAITING = 15
"""Encoded frames that may wait for one viewer: half a second at 30 frames a second."""
PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Between two requests for a key frame of one viewer that count; doubles up to the second."""
FORGIVEN_S = 10.0
"""A viewer that was content for so long starts over with the short pause."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A frame as RTP payloads, the same for every viewer."""

    payloads: list[bytes]
    timestamp: int
    """On the clock of the codec (90 kHz for video)."""
    key: bool
    """Whether decoding can start here."""
    repeated: bool = False
    """Whether it shows an older moment than its time stamp would tell."""


class Requests:
    """When the requests for key frames of one viewer count. Pure: takes `now`, seconds."""

    def __init__(self) -> None:
        self._next = float("-inf")
        self._pause_s = PAUSE_S

    def counts_at(self, now: float) -> float:
        """A request has come at `now`; when it counts: at once, or after this viewer's pause."""
        if now - self._next > FORGIVEN_S:
            self._pause_s = PAUSE_S
        at = max(now, self._next)
        self._next = at + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return at


class Seat:
    """A viewer's place. Event loop only."""

    def __init__(
        self,
        awake: Callable[[], None],
        ask: Callable[[], None],
        heard: Callable[[], None],
        leave: Callable[[Seat], None],
    ) -> None:
        """Sleeps until `next` is called for the first time: the viewer may never connect.

        Args:
            awake: called then; from then on frames are taken, the first one a key frame.
            ask: asks the encoder for a key frame.
            heard: called when the estimate has changed.
            leave: called once, by `close`.
        """
        self._loop = asyncio.get_running_loop()
        self._awake: Callable[[], None] | None = awake
        self._ask, self._heard, self._leave = ask, heard, leave
        self._waiting: deque[Encoded] = deque()
        self._wake = asyncio.Event()
        self._wants_key = True
        self._requests = Requests()
        self._asking: asyncio.TimerHandle | None = None
        self._closed = False
        self.estimate_bps: int | None = None
        """What this viewer's way carries, bits per second; None: nothing was heard."""
        self.counts: Callable[[], Counter[TransportCount]] = Counter
        """What the connection to this viewer has counted."""
        self.asked = 0
        """Requests for key frames, those included that were merged."""
        self.dropped = 0
        """Frames that were not sent to this viewer, because it was slow."""

    # What the viewer's sender does.

    async def next(self) -> Encoded:
        """The next frame for this viewer, the first one a key frame.

        Raises:
            Closed: there will be no more.
        """
        if self._awake is not None:
            awake, self._awake = self._awake, None
            awake()
            self.ask_key_frame()
        while not self._waiting:
            if self._closed:
                raise Closed
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    def ask_key_frame(self) -> None:
        """Asks for a key frame; repetitions count less and less often."""
        self.asked += 1
        if self._asking is not None or self._closed:
            return
        now = self._loop.time()
        at = self._requests.counts_at(now)
        if at <= now:
            self._ask()
        else:
            self._asking = self._loop.call_at(at, self._ask_now)

    def _ask_now(self) -> None:
        self._asking = None
        self._ask()

    def estimate(self, bitrate_bps: int) -> None:
        """Says what this viewer's way carries, bits per second."""
        if bitrate_bps != self.estimate_bps:
            self.estimate_bps = bitrate_bps
            self._heard()

    def close(self) -> None:
        """Leaves the place; a waiting `next` raises. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._asking is not None:
            self._asking.cancel()
        self._waiting.clear()
        self._wake.set()
        self._leave(self)

    # What the encoder does.

    def put(self, encoded: Encoded) -> None:
        """Leaves a frame for this viewer."""
        if self._closed or self._awake is not None:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._wants_key = True
        if self._wants_key and not encoded.key:
            self.dropped += 1
            self.ask_key_frame()
            return
        self._wants_key = False
        self._waiting.append(encoded)
        self._wake.set()
