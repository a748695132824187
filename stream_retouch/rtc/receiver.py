"""What happens to one video stream between its packets and its decoder.

Faults of aiortc 1.16's receiver, cured on the one receiver that is given:
* it hands at most one frame per packet to the decoder, one frame interval late (jitter_buffer.py);
* the queue before the decoder has no bound: a decoder that is too slow adds delay for ever. Encoded
  frames cannot be dropped one by one, so beyond a second of them all are dropped up to the next key
  frame, which the sender is asked for;
* the decoder thread is joined on the event loop, which stands still meanwhile for every session.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from aiortc import RTCRtpReceiver
from aiortc.rtp import RtpPacket

from stream_retouch.rtc.jitter_buffer import EncodedFrame, MarkerJitterBuffer
from stream_retouch.rtc.private import private, replace, replace_private
from stream_retouch.rtc.uplink_rate import UplinkRate

BACKLOG_FRAMES = 30
"""Encoded frames that may wait for the decoder: one second at 30 frames a second."""
ASK_AGAIN_FRAMES = 15
"""Frames dropped while waiting for a key frame until it is asked for again."""
ARRIVALS = 512
"""Time stamps whose last arrival is remembered."""


class VideoReception:
    """Takes over one RTCRtpReceiver. Event loop only, except `join_decoder`."""

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        complete: Callable[[int, float], None],
        floor_bps: int,
        ceiling_bps: int,
    ) -> None:
        """Replaces parts of `receiver`, before it is started.

        Args:
            receiver: of a video track.
            complete: called with the pts (90 kHz, from the first frame's) of every frame handed to
                the decoder and with the time its last packet came (``perf_counter`` seconds).
            floor_bps, ceiling_bps: of the bit rate the sender is told, see uplink_rate.py.
        """
        self._receiver = receiver
        self._complete = complete
        self._buffer = MarkerJitterBuffer()
        self._last_arrival: dict[int, float] = {}
        self._waiting_for_key = 0
        self._stopped_thread: threading.Thread | None = None
        replace_private(receiver, "jitter_buffer", self._buffer)
        replace_private(receiver, "stop_decoder", self._stop_decoder)
        replace_private(
            receiver,
            "remote_bitrate_estimator",
            UplinkRate(
                private(receiver, "remote_bitrate_estimator"),
                private(receiver, "remote_streams"),
                floor_bps,
                ceiling_bps,
            ),
        )
        self._stock_handle = replace(receiver, "_handle_rtp_packet", self._handle_rtp_packet)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.payload:
            self._last_arrival[packet.timestamp] = time.perf_counter()
            while len(self._last_arrival) > ARRIVALS:
                del self._last_arrival[next(iter(self._last_arrival))]
        await self._stock_handle(packet, arrival_time_ms=arrival_time_ms)
        for frame in self._buffer.take():
            await self._decode(frame)

    async def _decode(self, frame: EncodedFrame) -> None:
        pts = private(self._receiver, "timestamp_mapper").map(frame.timestamp)
        arrived = self._last_arrival.pop(frame.timestamp, None)
        codec = private(self._receiver, "codecs").get(frame.payload_type)
        if codec is None or private(self._receiver, "decoder_thread") is None:
            return
        backlog: queue.Queue[object] = private(self._receiver, "decoder_queue")
        if backlog.qsize() >= BACKLOG_FRAMES:
            _empty(backlog)
            self._waiting_for_key = 1
        if self._waiting_for_key and not is_key_frame(codec.name, frame.data):
            if self._waiting_for_key % ASK_AGAIN_FRAMES == 1:
                await self._receiver._send_rtcp_pli(frame.ssrc)
            self._waiting_for_key += 1
            return
        self._waiting_for_key = 0
        # The decoder reads `data` and `timestamp`; it wants the mapped one.
        backlog.put((codec, EncodedFrame(frame.data, pts, frame.payload_type, frame.ssrc)))
        if arrived is not None:
            self._complete(pts, arrived)

    def _stop_decoder(self) -> None:
        """In place of aiortc's, which joins the thread here and now."""
        thread: threading.Thread | None = private(self._receiver, "decoder_thread")
        if thread is not None:
            private(self._receiver, "decoder_queue").put(None)
            replace_private(self._receiver, "decoder_thread", None)
            self._stopped_thread = thread

    def join_decoder(self) -> None:
        """Waits until the stopped decoder has ended; from any thread but the event loop's."""
        if self._stopped_thread is not None:
            self._stopped_thread.join()


def is_key_frame(codec_name: str, data: bytes) -> bool:
    """Whether a decoder can start with this depacketised frame (VP8, or H.264 in Annex B form)."""
    if codec_name == "VP8":
        return bool(data) and not data[0] & 1
    position = data.find(b"\x00\x00\x01")
    while 0 <= position < len(data) - 3:
        if data[position + 3] & 0x1F in (5, 7):  # an IDR slice, or the parameters before one
            return True
        position = data.find(b"\x00\x00\x01", position + 3)
    return False


def _empty(backlog: queue.Queue[object]) -> None:
    try:
        while True:
            backlog.get_nowait()
    except queue.Empty:
        pass
