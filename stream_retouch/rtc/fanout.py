"""One retouched stream, many viewers: each frame is encoded once, whoever watches.

Fault answered: aiortc 1.16 encodes a track once per connection (720p: 4 ms of a core per viewer and
frame), and every viewer's request makes a key frame of its own.

    worker ─ put ─ newest wins ─ encoder thread ─┬─ Seat ─ viewer's sender (own SSRC, own SRTP)
                                                 └─ Seat ─ ...

There is one encoder for each codec that anybody watches in: H.264, and VP8 only while a viewer
without H.264 is there. Nothing is encoded while nobody watches.

The rate is what the slowest *reasonable* viewer carries: the lower quartile of the viewers'
estimates (the least, of up to four), those below the floor left out, and the floor is a quarter of
the highest rate. A viewer below it sees gaps and is no reason to spoil the picture of the others.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import av
from aiortc.mediastreams import VIDEO_CLOCK_RATE
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from stream_retouch.latest import Latest
from stream_retouch.metrics import TransportCount
from stream_retouch.rtc.audio_relay import AudioRelay
from stream_retouch.rtc.burst import Burst
from stream_retouch.rtc.encodable import copy_at, ticks_of
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.seat import Encoded, Seat
from stream_retouch.rtc.sender import REPEAT_TICKS, encoder_for
from stream_retouch.rtc.shared_encoder import SharedEncoder

FLOOR_SHARE = 4
"""The floor is the highest rate over this, and never below the session's own least rate."""


def shared_rate(estimates_bps: Sequence[int | None], limits: RateLimits) -> int:
    """The one bit rate for viewers of these estimates (None: not heard of yet), bits per second.

    `limits.min_bps` is the floor. Viewers that were not heard of do not count; before anybody was,
    it is the rate to start with.
    """
    heard = sorted(bps for bps in estimates_bps if bps is not None)
    reasonable = [bps for bps in heard if bps >= limits.min_bps]
    if not reasonable:
        return limits.min_bps if heard else limits.start_bps
    return limits.clamp(reasonable[(len(reasonable) - 1) // 4])


class VideoEncoding:
    """Encodes video for all viewers of one codec; one thread."""

    def __init__(
        self, codec: RTCRtpCodecParameters, limits: RateLimits, video_encoder: str
    ) -> None:
        self._encoder = encoder_for(codec, limits, video_encoder)
        self._burst = Burst()
        self._last: av.VideoFrame | None = None
        self._last_ticks = -1

    def encode(self, frame: av.VideoFrame, force_key: bool) -> Encoded | None:
        """`frame` as payloads; None when it is not later than the one before, or left out (burst.py).

        Raises:
            av.FFmpegError, ValueError: it cannot be encoded; the next one may be.
        """
        ticks = ticks_of(frame)
        if ticks <= self._last_ticks:
            return None
        rate = self._encoder.target_bitrate
        if not force_key and self._burst.leaves_out(ticks / VIDEO_CLOCK_RATE, rate):
            self._encoder.left_out(frame)
            return None
        try:
            payloads, timestamp = self._encoder.encode(frame, force_key)
        except (av.FFmpegError, ValueError):
            self._encoder.codec = None
            raise
        self._burst.sent(sum(map(len, payloads)))
        self._last, self._last_ticks = frame, ticks
        return Encoded(payloads, timestamp, self._encoder.key_frame) if payloads else None

    def again(self) -> Encoded | None:
        """The last frame as a key frame, for who joins while the source stands still."""
        frame, self._last = self._last, None  # no second try if this one fails
        if frame is None:
            return None
        encoded = self.encode(copy_at(frame, self._last_ticks + REPEAT_TICKS), force_key=True)
        self._last = frame
        return None if encoded is None else replace(encoded, repeated=True)

    def aim(self, bitrate_bps: int) -> None:
        """The bit rate from now on; any thread."""
        self._encoder.target_bitrate = bitrate_bps


class FanOut:
    """Encodes a stream for its viewers. Event loop only, except `put` and `dropped`."""

    def __init__(
        self,
        limits: RateLimits,
        left: Callable[[int, float], None],
        sound: AudioRelay,
        video_encoder: str = "auto",
        took: Callable[[float], None] = lambda _: None,
    ) -> None:
        """For a stream within `limits`.

        Args:
            left: called on the loop with the time stamp of a frame (90 kHz) whose last packet was
                sent to a viewer, and with the time (``perf_counter`` seconds).
            sound: of the stream; closed with it.
            video_encoder: who makes H.264, see sender.py.
            took: told how long encoding a frame took, seconds; any thread.
        """
        self._video_encoder, self._took = video_encoder, took
        floor = max(limits.min_bps, limits.max_bps // FLOOR_SHARE)
        self.limits = replace(limits, min_bps=floor, start_bps=max(floor, limits.start_bps))
        """Bounds of the shared rate."""
        self._left = left
        self.rate_bps = self.limits.start_bps
        """The latest shared rate."""
        self.sound = sound
        """The stream's sound, as late as the video; Opus, and never encoded anew."""
        self.sent = 0
        """Frames sent, over all viewers."""
        self._encoders: dict[str, SharedEncoder] = {}
        self._inboxes: tuple[Latest[av.VideoFrame], ...] = ()
        self._ended: list[SharedEncoder] = []
        self._dropped = 0
        self._latest: av.VideoFrame | None = None
        self._seats: dict[Seat, Callable[[str], None]] = {}
        self._left_behind: Counter[TransportCount] = Counter()
        self.closed: str | None = None
        """Why the stream is over; None while it goes on."""

    # The publisher's side.

    def put(self, frame: av.VideoFrame) -> None:
        """Sends a frame to all viewers; any thread, never waits, nothing while nobody watches."""
        self._latest = frame
        for inbox in self._inboxes:
            inbox.put(frame)

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before they were encoded; any thread."""
        return self._dropped + sum(inbox.dropped for inbox in self._inboxes)

    def close(self, reason: str) -> None:
        """Ends the stream and tells every viewer why. Never waits; may be called twice."""
        if self.closed is not None:
            return
        self.closed = reason
        for tell in list(self._seats.values()):
            tell(reason)
        for encoder in list(self._encoders.values()):
            encoder.stop()
        self.sound.close()

    async def join(self, timeout_s: float) -> bool:
        """Waits until all threads of the closed stream have ended, at most `timeout_s` each."""
        encoders = [*self._ended, *self._encoders.values()]
        return all(await asyncio.to_thread(lambda: [one.join(timeout_s) for one in encoders]))

    # The viewers' side.

    def left(self, timestamp: int, now: float) -> None:
        """A frame was sent to one viewer, see `__init__`."""
        self.sent += 1
        self._left(timestamp, now)

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._seats)

    @property
    def encoders(self) -> dict[str, SharedEncoder]:
        """The encoders that run now, by the name of their codec."""
        return dict(self._encoders)

    def take_seat(self, codec: RTCRtpCodecParameters, ended: Callable[[str], None]) -> Seat:
        """A place at the encoder of `codec`, which is started if need be, with a key frame soon.

        Args:
            codec: as negotiated with the viewer.
            ended: called with the reason, a sentence, when the stream ends before the seat is
                given up.
        """
        name = codec.name.upper()
        encoder = self._encoders.get(name)
        if encoder is None:
            encoder = self._started(name, codec)
        seat = encoder.take_seat(lambda: self._given_up(name, seat))
        self._seats[seat] = ended
        return seat

    def _started(self, name: str, codec: RTCRtpCodecParameters) -> SharedEncoder:
        inbox: Latest[av.VideoFrame] = Latest()
        if self._latest is not None:
            inbox.put(self._latest)  # the source may be standing still
        encoder = SharedEncoder(
            VideoEncoding(codec, self.limits, self._video_encoder),
            inbox,
            self._rate_for,
            f"fan-out {name}",
            self._took,
        )
        self._encoders[name] = encoder
        self._inboxes = (*self._inboxes, inbox)
        return encoder

    def transport_counts(self) -> Counter[TransportCount]:
        """What the connections to all viewers have counted, those who left included."""
        return sum((seat.counts() for seat in self._seats), Counter(self._left_behind))

    def _rate_for(self, estimates_bps: Sequence[int | None]) -> int:
        self.rate_bps = shared_rate(estimates_bps, self.limits)
        return self.rate_bps

    def _given_up(self, name: str, seat: Seat) -> None:
        del self._seats[seat]
        self._left_behind += seat.counts()
        encoder = self._encoders[name]
        if encoder.seats:
            return
        encoder.stop()
        del self._encoders[name]
        self._ended = [*(one for one in self._ended if not one.join(0)), encoder]
        for inbox in self._inboxes:
            if inbox.closed:
                self._dropped += inbox.dropped
        self._inboxes = tuple(inbox for inbox in self._inboxes if not inbox.closed)
