"""What a viewer's sender of video sends: the frames of a stream that was encoded once for all.

Each sender has its own SSRC, sequence numbers, history and key, so the viewers' losses and requests
are their own; only the payloads are shared.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from aiortc import RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from stream_retouch.latest import Closed
from stream_retouch.metrics import TransportCount
from stream_retouch.rtc.delivery import Delivery, Picture
from stream_retouch.rtc.downlink_rate import DownlinkRate
from stream_retouch.rtc.fanout import FanOut
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.pacing import at_once_bytes
from stream_retouch.rtc.seat import Seat


class SharedVideoSending:
    """Takes over a viewer's sender of video, before it is started. Event loop only."""

    def __init__(
        self, sender: RTCRtpSender, seat: Seat, stream: FanOut, limits: RateLimits
    ) -> None:
        """Sends what comes to `seat`; `limits` bound the estimate of this viewer's way."""
        self._seat, self._stream = seat, stream
        self._loop = asyncio.get_running_loop()
        self.rate = DownlinkRate(limits)
        """What this viewer lets us send."""
        seat.counts = self._counts
        self.sent = 0
        """Frames sent."""
        self.delivery = Delivery(
            sender,
            self._next_picture,
            self.rate,
            most_bps=limits.max_bps,
            at_once_bytes=lambda: at_once_bytes(stream.rate_bps, limits.frame_rate),
            key_frame_wanted=seat.ask_key_frame,
            left=self._picture_left,
        )

    async def _next_picture(self, codec: RTCRtpCodecParameters) -> Picture | None:
        try:
            frame = await self._seat.next()
        except Closed:
            raise MediaStreamError from None
        self._seat.estimate(self.rate.target(self._loop.time()))
        return Picture(frame.payloads, frame.timestamp, frame.repeated)

    def _counts(self) -> Counter[TransportCount]:
        delivery = self.delivery
        counts: dict[TransportCount, int] = {
            "lost_out": delivery.packets_lost,
            "nack_in": delivery.nacks,
            "pli_in": self._seat.asked,
            "rtx_out": delivery.history.resent,
        }
        return Counter(counts)

    def _picture_left(self, picture: Picture) -> None:
        self.sent += 1
        self._stream.left(picture.timestamp, time.perf_counter())
