"""One encoder for all who sit at it, on a thread of its own that ends with the last of them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import av

from stream_retouch.latest import Closed, Latest
from stream_retouch.rtc.key_frame_answers import REPEAT_S, KeyFrameAnswers
from stream_retouch.rtc.seat import Encoded, Seat

logger = logging.getLogger(__name__)

KEY_FRAMES_S = 0.5
"""Least time between two key frames that viewers have asked for."""


class Encoding(Protocol):
    """What is run on the encoder's thread."""

    def encode(self, frame: av.VideoFrame, force_key: bool) -> Encoded | None:
        """The frame, encoded; None: nothing comes of it. Raises ValueError or av.FFmpegError."""
        ...

    def again(self) -> Encoded | None:
        """The last frame once more, as a key frame; None: there is none. Raises as `encode`."""
        ...

    def aim(self, bitrate_bps: int) -> None:
        """The bit rate from now on; from any thread."""
        ...


class SharedEncoder:
    """Encodes what comes into its inbox for all its seats. Event loop only."""

    def __init__(
        self,
        encoding: Encoding,
        inbox: Latest[av.VideoFrame],
        rate_of: Callable[[Sequence[int | None]], int],
        name: str,
        took: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts when the first viewer takes frames.

        Args:
            encoding: owned by this encoder's thread.
            inbox: frames on their way to it.
            rate_of: the bit rate for the estimates of all seats.
            name: of the thread.
            took: told how long each frame took, seconds; on the encoder's thread.
            clock: seconds; used on the encoder's thread too.
        """
        self._loop = asyncio.get_running_loop()
        self._encoding, self._inbox, self._rate_of = encoding, inbox, rate_of
        self._took, self._clock = took, clock
        self._answers = KeyFrameAnswers(KEY_FRAMES_S)
        self._answering = threading.Lock()
        self._seats: list[Seat] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._failing = False
        self.encoded = 0
        """Frames encoded."""
        self.key_frames = 0
        """Of them, those at which decoding can start."""
        self.failed = 0
        """Frames left out because the encoder raised."""

    @property
    def seats(self) -> int:
        """How many sit here."""
        return len(self._seats)

    def take_seat(self, left: Callable[[], None]) -> Seat:
        """A new place; `left` is called when it has been given up."""

        def leave(seat: Seat) -> None:
            self._seats.remove(seat)
            self._aim()
            left()

        seat = Seat(self._start, self._ask, self._aim, leave)
        self._seats.append(seat)
        return seat

    def stop(self) -> None:
        """Ends the thread, once it is done with its frame. Never waits; may be called twice."""
        self._inbox.close()
        for seat in list(self._seats):
            seat.close()

    def join(self, timeout_s: float) -> bool:
        """Waits for the stopped thread; blocking. False when it is stuck and was left behind."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _ask(self) -> None:
        with self._answering:
            self._answers.ask(self._clock(), 0.0)

    def _aim(self) -> None:
        if self._seats:
            self._encoding.aim(self._rate_of([seat.estimate_bps for seat in self._seats]))

    def _deliver(self, encoded: Encoded) -> None:
        for seat in list(self._seats):
            seat.put(encoded)

    # The encoder's thread.

    def _run(self) -> None:
        while True:
            try:
                frame = self._inbox.get(REPEAT_S)
            except Closed:
                return
            encoded = self._encode(frame)
            if encoded is not None:
                try:
                    self._loop.call_soon_threadsafe(self._deliver, encoded)
                except RuntimeError:
                    return  # the loop has ended before us

    def _encode(self, frame: av.VideoFrame | None) -> Encoded | None:
        """Encodes `frame`; without one, while the source stands still, the last one again for
        whoever waits for a key frame."""
        with self._answering:
            force = self._answers.due(self._clock()) or self._failing
        if frame is None and not force:
            return None
        began = time.perf_counter()
        try:
            if frame is None:
                encoded = self._encoding.again()
            else:
                encoded = self._encoding.encode(frame, force)
        except (av.FFmpegError, ValueError) as error:
            self.failed += 1
            if not self._failing:
                logger.warning("a frame could not be encoded and was left out: %s", error)
            self._failing = True
            return None
        self._failing = False
        if encoded is None:
            return None
        self._took(time.perf_counter() - began)
        self.encoded += 1
        if encoded.key:
            self.key_frames += 1
            with self._answering:
                self._answers.made(self._clock())
        return encoded
