"""What a peer says, as 16 kHz mono blocks for whoever listens.

The track is always read, because aiortc's queue of a remote track has no bound; while nobody listens what comes is
dropped before it costs anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from stream_retouch.rtc.tracks import FrameSource

logger = logging.getLogger(__name__)

SAMPLE_HZ = 16_000
"""Samples a second of a block."""
Listener = Callable[[NDArray[np.int16]], None]
"""Takes (N,) samples; called on the event loop."""


class IncomingAudio:
    """Reads a remote audio track. Event loop only."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        """Who listens now; None: what comes is dropped."""
        self.heard = 0
        """Blocks handed to a listener."""
        self.dropped = 0
        """Frames that came while nobody listened."""
        self._resampler: av.AudioResampler | None = None

    async def read(self, track: FrameSource) -> None:
        """Reads `track` until it ends. May be cancelled."""
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.AudioFrame):
                    self._take(frame)
        except MediaStreamError:
            pass

    def _take(self, frame: av.AudioFrame) -> None:
        if self.listener is None:
            self.dropped += 1
            self._resampler = None  # what it holds back belongs to what was said before
            return
        try:
            for block in self._resampled(frame):
                self.heard += 1
                self.listener(block)
        except (ValueError, av.FFmpegError):  # a frame unlike the ones before it
            logger.debug("a frame of sound could not be resampled", exc_info=True)
            self._resampler = None

    def _resampled(self, frame: av.AudioFrame) -> list[NDArray[np.int16]]:
        if self._resampler is None:
            self._resampler = av.AudioResampler("s16", "mono", SAMPLE_HZ)
        frame.pts = None  # a gap in time, as after a lost packet, is no fault of the sound's
        out = self._resampler.resample(frame)
        return [one.to_ndarray().reshape(-1).astype(np.int16) for one in out]
