"""Sends the packets of one video stream, and answers what its receiver reports.

Faults of aiortc 1.16's sender, cured on the one sender that is given:
* the packets of a frame leave in one burst (pacing.py);
* it keeps 128 packets for those that are lost and sends any of them again as often as it is asked
  for (history.py), with the time stamp of the first sending, which looks like delay to a receiver
  that estimates the link by it;
* what it sends again over a link that loses much is lost again as often, and every such loss holds
  the picture up for one more round trip. There, and when it was asked for before, it goes out twice;
* it ignores reported losses (downlink_rate.py);
* it learns of the last packet of a frame only when the next frame is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiortc import RTCRtpSender, clock
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import random_sequence_number
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
    wrap_rtx,
)
from aiortc.utils import random32, uint16_add, uint32_add
from pylibsrtp import Error as SrtpError

from stream_retouch.rtc.downlink_rate import DownlinkRate
from stream_retouch.rtc.history import SentPackets
from stream_retouch.rtc.pacing import departures, send_paced
from stream_retouch.rtc.private import private, replace_private
from stream_retouch.rtc.private import replace as replace_method

logger = logging.getLogger(__name__)

TWICE = (0.04, 0.25)
"""Shares of packets lost between which all that is sent again goes out twice. With fewer it is hardly ever
lost again; with more the link is overrun, and every packet too many makes that worse."""
APART_S = 0.008
"""Between the two: what loses one of them may last a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded frame."""

    payloads: Sequence[bytes]
    """RTP payloads, in order, at least one; they may be shared by several receivers."""
    timestamp: int
    """On the 90 kHz clock."""
    repeated: bool = False
    """It shows an older moment than its time stamp would tell: senders' reports leave it out."""


class Delivery:
    """Takes over the packets of one RTCRtpSender, before it is started. Event loop only."""

    def __init__(
        self,
        sender: RTCRtpSender,
        next_picture: Callable[[RTCRtpCodecParameters], Awaitable[Picture | None]],
        rate: DownlinkRate,
        *,
        most_bps: int,
        at_once_bytes: Callable[[], float],
        key_frame_wanted: Callable[[], None],
        left: Callable[[Picture], None],
    ) -> None:
        """Replaces parts of `sender`.

        Args:
            sender: of a video track.
            next_picture: gives what is sent next, newest wins; None: nothing, ask again at once.
                MediaStreamError ends the stream.
            rate: told what the receiver reports.
            most_bps: rate the stream never exceeds.
            at_once_bytes: how much of a frame leaves without pacing, see pacing.py.
            key_frame_wanted: called when the receiver asks for a key frame.
            left: called when the last packet of a picture was sent.
        """
        self._sender, self._next_picture, self._rate = sender, next_picture, rate
        self._at_once_bytes, self._key_frame_wanted = at_once_bytes, key_frame_wanted
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._history = SentPackets(most_bps)
        self._sequence_number = random_sequence_number()
        self._origin = random32()
        self._repeating: set[asyncio.Task[None]] = set()
        self.nacks = 0
        """Messages that asked for packets."""
        self.packets_lost = 0
        """Packets that the receiver reports as lost so far."""
        replace_method(sender, "_run_rtp", self._run)
        replace_method(sender, "_send_keyframe", key_frame_wanted)
        self._stock_handle = replace_method(sender, "_handle_rtcp_packet", self._handle_rtcp)

    @property
    def history(self) -> SentPackets:
        """What was sent a moment ago, and counts of what was sent again."""
        return self._history

    @property
    def round_trip_s(self) -> float | None:
        """To the receiver and back by its reports; None before the first."""
        trip: float | None = private(self._sender, "rtt")
        return trip

    # Pictures

    async def _run(self, codec: RTCRtpCodecParameters) -> None:
        """In place of aiortc's loop; leaves the sender as that does when it ends."""
        sender = self._sender
        private(sender, "rtp_started").set()
        assert codec.payloadType is not None  # it is negotiated
        try:
            while True:
                picture = await self._next_picture(codec)
                if picture is not None:
                    await self._send(picture, codec.payloadType)
        except (asyncio.CancelledError, ConnectionError, MediaStreamError):
            pass
        except Exception:  # `stop` waits for the event below, whatever has happened
            logger.exception("outgoing video has ended")
        finally:
            if sender.track is not None:
                sender.track.stop()
                replace_private(sender, "track", None)
            replace_private(sender, "encoder", None)
            private(sender, "rtp_exited").set()

    async def _send(self, picture: Picture, payload_type: int) -> None:
        sender, mid = self._sender, private(self._sender, "mid")
        timestamp = uint32_add(self._origin, picture.timestamp & 0xFFFFFFFF)
        packets = []
        for payload in picture.payloads:
            packet = RtpPacket(payload_type, 0, self._sequence_number, timestamp, sender._ssrc)
            packet.payload = payload
            packet.extensions.mid = mid
            packets.append(packet)
            self._sequence_number = uint16_add(self._sequence_number, 1)
        packets[-1].marker = 1
        if not picture.repeated:  # for the next sender report: which moment was sent when
            replace_private(sender, "ntp_timestamp", clock.current_ntp_time())
            replace_private(sender, "rtp_timestamp", timestamp)
        moments = departures([len(each) for each in picture.payloads], self._at_once_bytes())
        await send_paced(packets, moments, self._send_first, self._loop.time)
        self._left(picture)

    async def _send_first(self, packet: RtpPacket) -> None:
        self._history.add(packet, self._loop.time())
        await self._write(packet)
        sender = self._sender
        octets = private(sender, "octet_count") + len(packet.payload)
        replace_private(sender, "octet_count", octets)
        replace_private(sender, "packet_count", private(sender, "packet_count") + 1)

    async def _write(self, packet: RtpPacket) -> None:
        packet.extensions.abs_send_time = (clock.current_ntp_time() >> 14) & 0x00FFFFFF
        extensions = private(self._sender, "rtp_header_extensions_map")
        await self._sender.transport._send_rtp(packet.serialize(extensions))

    # Reports

    async def _handle_rtcp(self, packet: Any) -> None:
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self.nacks += 1
            await self._send_again(packet.lost)
        elif isinstance(packet, RtcpPsfbPacket):
            if packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
                self._key_frame_wanted()
            elif packet.fmt == RTCP_PSFB_APP:
                self._take_remb(packet.fci)
        else:
            await self._stock_handle(packet)  # the round trip, statistics
            if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
                self._take_reports(packet)

    def _take_remb(self, message: bytes) -> None:
        try:
            bitrate_bps, sources = unpack_remb_fci(message)
        except (ValueError, LookupError, OverflowError):
            return
        except Exception as error:  # struct.error of a message that is cut off
            logger.debug("a REMB message was left out: %s", error)
            return
        if self._sender._ssrc in sources:
            self._rate.remb(bitrate_bps, self._loop.time())

    def _take_reports(self, packet: RtcpRrPacket | RtcpSrPacket) -> None:
        for report in packet.reports:
            if report.ssrc == self._sender._ssrc:
                self.packets_lost = max(0, report.packets_lost)
                self._rate.report(
                    report.fraction_lost / 256,
                    report.highest_sequence,
                    self._loop.time(),
                    self.round_trip_s,
                )

    async def _send_again(self, sequence_numbers: list[int]) -> None:
        now, round_trip_s = self._loop.time(), self.round_trip_s
        asked = (self._history.again(each, now, round_trip_s) for each in sequence_numbers)
        repeats = [repeat for repeat in asked if repeat is not None]
        await self._repeat([repeat.packet for repeat in repeats])
        if private(self._sender, "rtx_payload_type") is None:
            return  # the second one would be a replay of the first, which SRTP leaves out
        lossy = TWICE[0] < self._rate.loss < TWICE[1]
        doubtful = [repeat.packet for repeat in repeats if lossy or repeat.times > 1]
        if second := [packet for packet in doubtful if self._history.once_more(packet, now)]:
            self._loop.call_later(APART_S, self._repeat_soon, second)

    def _repeat_soon(self, packets: list[RtpPacket]) -> None:
        task = self._loop.create_task(self._repeat(packets), name="peer-repetition")
        self._repeating.add(task)
        task.add_done_callback(self._repeating.discard)

    async def _repeat(self, packets: list[RtpPacket]) -> None:
        try:
            for packet in packets:
                await self._write(self._wrapped(packet))
        except (ConnectionError, SrtpError):
            # The connection has ended; or, without RTX, libsrtp finds the number too old.
            pass

    def _wrapped(self, packet: RtpPacket) -> RtpPacket:
        """`packet` as it is sent again: on a stream of its own where that was negotiated (RTX,
        RFC 4588), else just so."""
        sender = self._sender
        payload_type: int | None = private(sender, "rtx_payload_type")
        if payload_type is None:
            return packet
        number: int = private(sender, "rtx_sequence_number")
        replace_private(sender, "rtx_sequence_number", uint16_add(number, 1))
        wrapped = wrap_rtx(packet, payload_type, number, sender._rtx_ssrc)
        wrapped.extensions = replace(packet.extensions)
        return wrapped
