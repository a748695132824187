"""The border that RTP and RTCP packets cross on their way from one client to our receivers and senders.

Faults of aiortc 1.16, cured on the one transport that is given:
* its parsers meet a header extension of the wrong size, or a REMB message that is cut off, with
  struct.error, which nobody expects: the whole connection ends at once for one bad packet;
* it remembers every source that packets have come from; of 64 sources it cannot even make a report, and
  then the receiver can never be stopped.
"""

from __future__ import annotations

import logging
import struct

from aiortc import RTCDtlsTransport, RTCRtpReceiver

from stream_retouch.rtc.private import private, replace

logger = logging.getLogger(__name__)

SOURCES = 16
"""Sources that are remembered, the newest; a report names 31 at most."""


def guard(transport: RTCDtlsTransport) -> None:
    """Makes `transport`, before it is started, leave out what cannot be read and forget old sources."""

    async def take_rtp(data: bytes, arrival_time_ms: int) -> None:
        try:
            await stock_rtp(data, arrival_time_ms=arrival_time_ms)
        except struct.error as error:
            logger.debug("an RTP packet was left out: %s", error)
        # each new source of packets is in this table first
        if len(transport._rtp_router.ssrc_table) > SOURCES:
            _forget_old_sources(transport)

    async def take_rtcp(data: bytes) -> None:
        try:
            await stock_rtcp(data)
        except struct.error as error:
            logger.debug("an RTCP packet was left out: %s", error)
        _forget_old_sources(transport)

    stock_rtp = replace(transport, "_handle_rtp_data", take_rtp)
    stock_rtcp = replace(transport, "_handle_rtcp_data", take_rtcp)


def _forget_old_sources(transport: RTCDtlsTransport) -> None:
    router = transport._rtp_router
    # A source that sends on is learned anew from its next packet, by its payload type.
    known = [router.ssrc_table]
    for receiver in router.receivers:
        assert isinstance(receiver, RTCRtpReceiver)
        known += [
            private(receiver, name) for name in ("remote_streams", "active_ssrc", "lsr", "lsr_time")
        ]
    for sources in known:
        while len(sources) > SOURCES:
            del sources[next(iter(sources))]
