"""Keeps what was sent long enough to be asked for again, as a browser does.

aiortc 1.16's sender keeps 128 packets, 0.4 s at 3 Mbps. Here a second and more is kept beside it, and
a packet asked for is put back into its place for the moment it is sent again.
"""

from __future__ import annotations

from typing import Any

from aiortc import RTCRtpSender
from aiortc.rtp import RTP_HISTORY_SIZE, RtpPacket

from stream_retouch.rtc.private import replace, replace_private

KEPT = 1024
"""Packets: three seconds at 3 Mbps."""


class History(dict[int, RtpPacket]):
    """In place of a sender's history, which maps a sequence number modulo 128 to its packet."""

    def __init__(self, sender: RTCRtpSender) -> None:
        """Takes over `sender`, before it is started."""
        super().__init__()
        self._kept: dict[int, RtpPacket] = {}
        replace_private(sender, "rtp_history", self)
        self._stock_retransmit = replace(sender, "_retransmit", self._retransmit)

    def __setitem__(self, place: int, packet: RtpPacket) -> None:
        super().__setitem__(place, packet)
        self._kept.pop(packet.sequence_number, None)  # a number that has come round again
        self._kept[packet.sequence_number] = packet
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    async def _retransmit(self, sequence_number: int) -> Any:
        asked = self._kept.get(sequence_number)
        place = sequence_number % RTP_HISTORY_SIZE
        newest = self.get(place)
        if asked is None or newest is None:
            return
        super().__setitem__(place, asked)
        try:
            await self._stock_retransmit(sequence_number)
        finally:
            super().__setitem__(place, newest)
