"""What happens to one video stream between its packets and its decoder.

Faults of aiortc 1.16's receiver, cured on the one receiver that is given:
* it hands at most one frame per packet to the decoder, one frame interval late, and waits seconds
  for a packet that is lost (jitter_buffer.py);
* it asks for a lost packet once (retransmission.py) and for a key frame once (key_frames.py);
* the bit rate it tells the sender starves it (uplink_rate.py);
* the queue before the decoder has no bound: a decoder that is too slow adds delay for ever. Encoded
  frames cannot be dropped one by one, so beyond a second of them all are dropped up to the next key
  frame, which the sender is asked for;
* the decoder thread is joined on the event loop, which stands still meanwhile for every session.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCRtpReceiver
from aiortc.codecs import is_rtx
from aiortc.rtp import RtpPacket

from stream_retouch.rtc.catch_up import CatchUp
from stream_retouch.rtc.jitter_buffer import EncodedFrame, MarkerJitterBuffer
from stream_retouch.rtc.key_frames import Entry, KeyFrameRequests, entry, is_key_frame
from stream_retouch.rtc.loop_lag import loop_lag
from stream_retouch.rtc.media_watch import MediaWatch
from stream_retouch.rtc.private import private, replace, replace_private
from stream_retouch.rtc.retransmission import Retransmission, RoundTrip
from stream_retouch.rtc.sequence import Continuity
from stream_retouch.rtc.uplink_rate import UplinkRate

BACKLOG_FRAMES = 30
"""Encoded frames that may wait for the decoder: one second at 30 frames a second."""
ARRIVALS = 512
"""Time stamps whose last arrival is remembered."""
SOURCES = 16
"""Sources of packets that are counted; aiortc counts any, and reports on 31 at most."""
WAIT_S = 0.150
"""Wait for a missing packet, beyond the round trip that asking for it takes. After this alone a key frame
is asked for too, if the packet could have come twice: a key frame takes a round trip as well, and the
picture goes on with what is here first."""
PATIENCE_S = 0.300
"""What a missing packet is waited for beyond that, as long as no key frame has come whole."""
LONGEST_ROUND_TRIP_S = 0.250
"""Longest round trip that is waited for; with a longer one a key frame is as quick."""


@dataclass(frozen=True, slots=True)
class ReceptionCounts:
    """What one video stream has gone through so far."""

    nacks_sent: int = 0
    """Messages that ask for missing packets."""
    plis_sent: int = 0
    """Messages that ask for a key frame."""
    gaps: int = 0
    """Times that one packet or several in a row were missing."""
    packets_lost: int = 0
    """Packets that did not come by themselves; most come when asked for."""
    given_up: int = 0
    """Times that the picture waited for a key frame, because packets did not come in time."""
    freezes: int = 0
    """Times that a frame came much later than usual."""
    frozen_s: float = 0.0
    """Seconds that the picture stood."""
    stalls: int = 0
    """Times that no frame came for 3 s."""


class VideoReception:
    """Takes over one RTCRtpReceiver. Event loop only, except `join_decoder` and `counts`."""

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        complete: Callable[[int, float], None],
        start_bps: int,
        ceiling_bps: int,
        reported_round_trip: Callable[[], float | None] = lambda: None,
    ) -> None:
        """Replaces parts of `receiver`, before it is started.

        Args:
            receiver: of a video track.
            complete: called with the pts (90 kHz, from the first frame's) of every frame handed to
                the decoder and with the time its last packet came (``perf_counter`` seconds).
            start_bps, ceiling_bps: of the bit rate the sender is told, see uplink_rate.py.
            reported_round_trip: the round trip by RTCP, seconds, where it is known.
        """
        self._receiver = receiver
        self._complete = complete
        self._loop = asyncio.get_running_loop()
        self._round_trip = RoundTrip(reported_round_trip)
        self._buffer = MarkerJitterBuffer(self._entry, self._loop.time)
        self._buffer.patience_s = PATIENCE_S
        self._retransmission = Retransmission(self._round_trip, self._loop.time)
        self._requests = KeyFrameRequests()
        self._catch_up = CatchUp()
        self._continuity = Continuity()
        self.watch = MediaWatch(loop=self._loop)
        """Of the frames that are complete; runs from the first packet until the end."""
        self._lag = loop_lag()
        self.rate = UplinkRate(
            private(receiver, "remote_streams"), start_bps, ceiling_bps, lambda: self._lag.behind_s
        )
        """What the sender is asked to keep to."""
        self._last_arrival: dict[int, float] = {}
        self._nacks_sent = 0
        self._ssrc: int | None = None
        self._running = self._ended = False
        self._decoder_failed = False
        self._timer: asyncio.TimerHandle | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._stopped_thread: threading.Thread | None = None
        replace_private(receiver, "jitter_buffer", self._buffer)
        replace_private(receiver, "nack_generator", self._retransmission)
        replace_private(receiver, "stop_decoder", self._stop_decoder)
        replace_private(receiver, "remote_bitrate_estimator", self.rate)
        self._stock_handle = replace(receiver, "_handle_rtp_packet", self._handle_rtp_packet)

    @property
    def counts(self) -> ReceptionCounts:
        """What has happened so far; from any thread."""
        return ReceptionCounts(
            nacks_sent=self._nacks_sent,
            plis_sent=self._requests.sent,
            gaps=self._retransmission.gaps,
            packets_lost=self._retransmission.lost,
            given_up=self._buffer.given_up,
            freezes=self.watch.freezes,
            frozen_s=self.watch.frozen_s,
            stalls=self.watch.stalls,
        )

    @property
    def backlog(self) -> int:
        """Encoded frames that wait for the decoder; from any thread."""
        return int(private(self._receiver, "decoder_queue").qsize())

    # Packets

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if self._ended:
            return
        if not self._running:
            self._running = True
            self._lag.start()
            self.watch.start()
        codec = private(self._receiver, "codecs").get(packet.payload_type)
        if codec is None:
            return
        again = is_rtx(codec)
        # RFC 4588 section 4: the number that it had comes first
        if again and not self._continuity.may_come_again(int.from_bytes(packet.payload[:2], "big")):
            return
        self._note_source(packet, again)
        if packet.payload:
            _forget_oldest(self._last_arrival, packet.timestamp, ARRIVALS)
            self._last_arrival[packet.timestamp] = time.perf_counter()
        failed: threading.Event = private(self._receiver, "decoder_error")
        if failed.is_set():
            # aiortc would ask for a key frame with every frame that fails.
            failed.clear()
            self._decoder_failed = True
        await self._stock_handle(packet, arrival_time_ms=arrival_time_ms)
        await self._recover()

    def _note_source(self, packet: RtpPacket, again: bool) -> None:
        """Learns from a packet as it came; `again`: of the RTX stream."""
        rtx_sources: dict[int, int] = private(self._receiver, "rtx_ssrc")
        if again and not rtx_sources and self._ssrc is not None:
            # An offer need not name the source of its RTX stream; aiortc drops what it has not named.
            rtx_sources[packet.ssrc] = self._ssrc
        for sources in ("remote_streams", "active_ssrc"):
            _forget_oldest(private(self._receiver, sources), packet.ssrc, SOURCES)
        self._retransmission.measuring = again or not rtx_sources
        if again:
            return
        self._ssrc = packet.ssrc
        if self._continuity.starts_over(packet.ssrc, packet.sequence_number):
            self._buffer.clear()
            self._retransmission.clear()

    def _entry(self, packet: RtpPacket) -> Entry:
        codec = private(self._receiver, "codecs").get(packet.payload_type)
        return Entry.NO if codec is None else entry(codec.name, packet)

    # Loss

    async def _recover(self) -> None:
        """Hands on what is complete, gives up what is late, asks for what is missing."""
        if self._ended:
            return  # while the packet before was handled
        round_trip_s = self._round_trip.seconds
        self._buffer.wait_s = WAIT_S + min(round_trip_s, LONGEST_ROUND_TRIP_S)
        self._buffer.expire()
        complete = self._buffer.take()
        for _ in complete:
            self.watch.frame()
        for frame in self._catch_up.leaving(complete, self._loop.time()):
            if not self._decode(frame):
                self._buffer.skip_to_key_frame()
                self._catch_up.clear()
                break
        self._retransmission.forget_before(self._buffer.oldest_wanted)
        lost = self._retransmission.due()
        now, overdue_at = self._loop.time(), self._overdue_at()
        overdue = overdue_at is not None and now >= overdue_at
        wanted = self._buffer.wants_key_frame or self._decoder_failed or overdue
        ask = self._requests.due(wanted, now, round_trip_s)
        self._wake_when_due(None if overdue else overdue_at)
        if lost and self._ssrc is not None:
            self._nacks_sent += 1
            await self._receiver._send_rtcp_nack(self._ssrc, lost)
        if ask and self._ssrc is not None:
            await self._receiver._send_rtcp_pli(self._ssrc)

    def _overdue_at(self) -> float | None:
        """When a packet that is missing has been waited for long enough to ask for a key frame too."""
        since = self._buffer.hole_since
        if since is None:
            return None
        return since + min(max(WAIT_S, self._retransmission.twice_s), self._buffer.wait_s)

    def _wake_when_due(self, overdue_at: float | None) -> None:
        """Sets the timer, if anything is missing or waits."""
        times = (
            overdue_at,
            self._buffer.give_up_at,
            self._retransmission.next_at,
            self._requests.next_at,
            self._catch_up.next_at,
        )
        due = min((at for at in times if at is not None), default=None)
        if self._timer is not None:
            if due is not None and self._timer.when() <= due:
                return  # wakes too early, which does no harm, and is set anew then
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._recovery = self._loop.create_task(self._recover(), name="peer-recovery")

    # Frames

    def _decode(self, frame: EncodedFrame) -> bool:
        """Leaves a frame to the decoder; False when that is behind and must start afresh."""
        pts = private(self._receiver, "timestamp_mapper").map(frame.timestamp)
        arrived = self._last_arrival.pop(frame.timestamp, None)
        codec = private(self._receiver, "codecs").get(frame.payload_type)
        if codec is None or private(self._receiver, "decoder_thread") is None:
            return True
        backlog: queue.Queue[object] = private(self._receiver, "decoder_queue")
        if backlog.qsize() >= BACKLOG_FRAMES:
            _empty(backlog)
            return False
        if self._decoder_failed and is_key_frame(codec.name, frame.data):
            self._decoder_failed = False
        # The decoder reads `data` and `timestamp`; it wants the mapped one.
        backlog.put((codec, EncodedFrame(frame.data, pts, frame.payload_type, frame.ssrc)))
        if arrived is not None:
            self._complete(pts, arrived)
        return True

    def _stop_decoder(self) -> None:
        """In place of aiortc's, which joins the thread here and now."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._running:
            self._running = False
            self._lag.stop()
        self.watch.stop()
        thread: threading.Thread | None = private(self._receiver, "decoder_thread")
        if thread is not None:
            private(self._receiver, "decoder_queue").put(None)
            replace_private(self._receiver, "decoder_thread", None)
            self._stopped_thread = thread

    def join_decoder(self) -> None:
        """Waits until the stopped decoder has ended; from any thread but the event loop's."""
        if self._stopped_thread is not None:
            self._stopped_thread.join()


def _forget_oldest(known: dict[int, Any], new: int, most: int) -> None:
    """Makes room for `new` in `known`, which aiortc, or a sender, would let grow without end."""
    while new not in known and len(known) >= most:
        del known[next(iter(known))]


def _empty(backlog: queue.Queue[object]) -> None:
    try:
        while True:
            backlog.get_nowait()
    except queue.Empty:
        pass
