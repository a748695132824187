"""Passes a client's sound on, exactly as late as its retouched video.

Faults this answers: without it the client's sound is lost on its way to viewers; passed on at once
it would be ahead of the picture by what retouching takes, and a receiver cannot put that right: it
pairs the two by sender reports, whose clock is the moment of sending. And aiortc 1.16's buffer for
sound holds 80 ms back and stands still for 320 ms after a lost packet.

So the packets are taken before that buffer, wait as long as the video does, and go out again as
they are: nothing is decoded, so nothing can click. The delay follows the video's by at most 20 ms a
second; every packet keeps its own time stamp, and receivers stretch sound by that little unheard.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

import av
from aiortc import RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket
from av.frame import Frame
from av.packet import Packet

from stream_retouch.rtc.added_delay import AddedDelay
from stream_retouch.rtc.private import private, replace

SAMPLE_HZ = 48_000
"""Clock of Opus in RTP, whatever is inside (RFC 7587 section 4.1)."""
SAMPLE_TIME = Fraction(1, SAMPLE_HZ)
USUAL_DELAY_S = 0.030
"""While no frame of the video has come out yet."""
LONGEST_DELAY_S = 1.0
FOLLOWS = 0.02
"""Seconds by which the delay changes in a second, at most."""
MOST_WAITING = 128
"""Packets that may wait: more than a second of the shortest common ones, 10 ms."""
MOST_UNREAD = 50
"""Packets that may wait for one who reads them."""
JUMP = 5 * SAMPLE_HZ
"""A time stamp this far from the one before begins a new count."""

Sound: TypeAlias = "av.AudioFrame | Packet[Any]"
"""20 ms of sound, usually: encoded, or not; with pts and time base."""


class _Moment(Protocol):
    def cancel(self) -> None: ...


class RelayedAudio(MediaStreamTrack):
    """Sound for one who listens. Where it is encoded, its sender must have negotiated Opus."""

    kind = "audio"

    def __init__(self, left: Callable[[RelayedAudio], None]) -> None:
        super().__init__()
        self._left = left
        self._unread: deque[Sound] = deque()
        self._wake = asyncio.Event()
        self.dropped = 0
        """Packets thrown away because they were not read in time."""

    def put(self, sound: Sound) -> None:
        """Leaves sound to be read; the oldest goes when too much waits."""
        if len(self._unread) >= MOST_UNREAD:
            self._unread.popleft()
            self.dropped += 1
        self._unread.append(sound)
        self._wake.set()

    async def recv(self) -> Frame | Packet[Any]:
        """The next sound.

        Raises:
            MediaStreamError: the track has ended. Nothing else is ever raised.
        """
        while self.readyState == "live":
            if self._unread:
                return self._unread.popleft()
            self._wake.clear()
            await self._wake.wait()
        raise MediaStreamError

    def stop(self) -> None:
        """Ends the track; a waiting `recv` raises. May be called twice."""
        super().stop()
        self._unread.clear()
        self._wake.set()
        self._left(self)


class AudioRelay:
    """Delays one client's sound and gives it to any number of tracks. Event loop only."""

    def __init__(
        self,
        delay_s: Callable[[], float],
        clock: Callable[[], float] | None = None,
        call_at: Callable[[float, Callable[[], None]], _Moment] | None = None,
    ) -> None:
        """Waits for the first sound.

        Args:
            delay_s: the video's delay now, seconds; see `delay_of`.
            clock, call_at: the event loop's, or a test's.
        """
        self._wanted_s = delay_s
        if clock is None or call_at is None:
            loop = asyncio.get_running_loop()
            clock, call_at = loop.time, loop.call_at
        self._clock, self._call_at = clock, call_at
        self._delay_s: float | None = None
        self._followed_at = 0.0
        self._waiting: list[tuple[Fraction, float, Sound]] = []
        self._last_out: Fraction | None = None
        self._timer: _Moment | None = None
        self._tracks: list[RelayedAudio] = []
        self._sinks: list[Callable[[Sound], None]] = []
        self._count = _Count()
        self._closed = False
        self.passed = 0
        """Packets passed on."""
        self.dropped = 0
        """Packets thrown away: twice there, too late for their place, or too many."""

    @staticmethod
    def delay_of(video: AddedDelay) -> Callable[[], float]:
        """The delay of a client's sound: the median of what its video's frames wait."""
        return lambda: USUAL_DELAY_S if video.p50_ms is None else video.p50_ms / 1000

    @property
    def delay_s(self) -> float | None:
        """How long sound waits now; None before the first."""
        return self._delay_s

    def track(self) -> RelayedAudio:
        """A track of the sound from now on, for one who listens; `stop` gives it back."""
        track = RelayedAudio(self._gone)
        self._tracks.append(track)
        if self._closed:
            track.stop()
        return track

    def add_sink(self, sink: Callable[[Sound], None]) -> None:
        """Hands all sound to `sink` too, when its time has come."""
        self._sinks.append(sink)

    def take_from(self, receiver: RTCRtpReceiver) -> None:
        """Listens to a receiver of Opus from now on; it goes on as before otherwise."""
        stock = replace(receiver, "_handle_rtp_packet", lambda packet, arrival_time_ms: None)

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            codec = private(receiver, "codecs").get(packet.payload_type)
            if codec is not None and codec.name.lower() == "opus":
                self.put_rtp(packet)
            await stock(packet, arrival_time_ms=arrival_time_ms)

        replace(receiver, "_handle_rtp_packet", handle)

    def put_rtp(self, packet: RtpPacket) -> None:
        """Takes an RTP packet of Opus."""
        if not packet.payload:
            return
        sound = av.Packet(packet.payload)
        sound.pts = self._count.of(packet.ssrc, packet.timestamp, self._clock())
        sound.time_base = SAMPLE_TIME
        self.put(sound)

    def put(self, sound: Sound) -> None:
        """Takes sound, which will be passed on by and by; what has no time stamp is left out."""
        if self._closed or sound.pts is None or not sound.time_base:
            return
        now = self._clock()
        self._follow(now)
        assert self._delay_s is not None
        if not self._tracks and not self._sinks:
            return
        at = sound.pts * sound.time_base
        place = bisect.bisect_left(self._waiting, at, key=lambda each: each[0])
        twice = place < len(self._waiting) and self._waiting[place][0] == at
        late = self._last_out is not None and at <= self._last_out
        if twice or late or len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.insert(place, (at, now + self._delay_s, sound))
        self._set_timer()

    def close(self) -> None:
        """Ends all tracks. May be called twice."""
        self._closed = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for track in list(self._tracks):
            track.stop()

    def _gone(self, track: RelayedAudio) -> None:
        if track in self._tracks:
            self._tracks.remove(track)

    def _follow(self, now: float) -> None:
        """Moves the delay towards the video's, slowly."""
        wanted = min(max(self._wanted_s(), 0.0), LONGEST_DELAY_S)
        if self._delay_s is None:
            self._delay_s = wanted
        else:
            most = FOLLOWS * (now - self._followed_at)
            self._delay_s += min(max(wanted - self._delay_s, -most), most)
        self._followed_at = now

    def _set_timer(self) -> None:
        if self._timer is None and self._waiting:
            first = min(leaves for _, leaves, _ in self._waiting)
            self._timer = self._call_at(first, self._pass_on)

    def _pass_on(self) -> None:
        """Passes on what is due, and before it what is earlier, though it came later."""
        self._timer = None
        now = self._clock()
        due = [n for n, (_, leaves, _) in enumerate(self._waiting) if leaves <= now]
        count = due[-1] + 1 if due else 0
        leaving, self._waiting = self._waiting[:count], self._waiting[count:]
        for at, _, sound in leaving:
            self._last_out = at
            self.passed += 1
            for track in list(self._tracks):
                track.put(sound)
            for sink in self._sinks:
                sink(sound)
        self._set_timer()


class _Count:
    """Time stamps that never wrap, and go on when their source starts over."""

    def __init__(self) -> None:
        self._source: int | None = None
        self._last = self._ticks = 0
        self._at = 0.0

    def of(self, source: int, timestamp: int, now: float) -> int:
        """The count for a 32-bit `timestamp` of `source` that came at `now` seconds."""
        step = (timestamp - self._last + (1 << 31)) % (1 << 32) - (1 << 31)
        if source != self._source:
            first = self._source is None
            step = 0 if first else max(1, round((now - self._at) * SAMPLE_HZ))
        elif abs(step) > JUMP:
            step = max(1, round((now - self._at) * SAMPLE_HZ))
        self._source, self._last, self._at = source, timestamp, now
        self._ticks += step
        return self._ticks
