"""Writes down every RTP packet that passes one end of a connection, with the time.

The same log stands at the client's socket and at the server's, ours or stock, so that rows compare.
Times are `time.perf_counter` seconds, which on Linux all processes share. Costs about 3 us a
packet. An arriving packet is stamped when the event loop has read and decrypted it, a leaving one
when its datagram has been handed to the socket.
"""

from __future__ import annotations

import json
import struct
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from aiortc import RTCDtlsTransport
from aiortc.rtp import is_rtcp

_HEADER = struct.Struct("!BBHII")


class Packet(NamedTuple):
    """What is kept of one RTP packet."""

    at: float
    """`time.perf_counter` seconds."""
    sequence: int
    timestamp: int
    """90 kHz, modulo 2**32."""
    ssrc: int
    marker: bool
    """Set on the last packet of a frame."""
    size: int
    """Bytes of the RTP packet, header included."""


class FramePassage(NamedTuple):
    """One whole frame passing by."""

    timestamp: int
    first_at: float
    last_at: float
    size: int


@dataclass(slots=True)
class PacketLog:
    """What came and what went, in the order it did."""

    came: list[Packet] = field(default_factory=list)
    went: list[Packet] = field(default_factory=list)

    def attach(self, transport: RTCDtlsTransport) -> None:
        """Logs one transport of this process."""
        _wrap(self, transport, transport._handle_rtp_data, transport._send_rtp)

    def attach_to_all(self) -> None:
        """Logs every transport that this process opens from now on."""
        log, start = self, RTCDtlsTransport.__init__

        def opened(transport: RTCDtlsTransport, *args: Any, **kwargs: Any) -> None:
            start(transport, *args, **kwargs)
            log.attach(transport)

        RTCDtlsTransport.__init__ = opened  # type: ignore[method-assign,assignment]

    def of(self, came: int | None, went: int | None) -> PacketLog:
        """The packets of one connection, by the SSRC of what came and of what went."""
        return PacketLog(
            [packet for packet in self.came if packet.ssrc == came],
            [packet for packet in self.went if packet.ssrc == went],
        )

    def gather(self, path: Path) -> None:
        """Adds the logs of other processes of the same service, saved beside `path`."""
        for other in path.parent.glob(f"{path.name}.*"):
            log = PacketLog.load(other)
            self.came, self.went = sorted([*self.came, *log.came]), sorted([*self.went, *log.went])

    def save(self, path: Path) -> None:
        """Writes the log for `load`."""
        path.write_text(json.dumps({"came": self.came, "went": self.went}))

    @classmethod
    def load(cls, path: Path) -> PacketLog:
        """A log that `save` wrote."""
        kept = json.loads(path.read_text())
        return cls([Packet(*p) for p in kept["came"]], [Packet(*p) for p in kept["went"]])


def frames_of(packets: Iterable[Packet]) -> list[FramePassage]:
    """The frames that passed whole, in the order of their last packets.

    Only the source with the most packets counts (retransmissions have their own). A frame is whole
    when it has its marker, no gap, and follows on the end of another frame; the very first frame is
    believed to be whole.
    """
    packets = list(packets)
    main = main_source(packets)
    frames: dict[int, dict[int, Packet]] = {}
    for packet in packets:
        if packet.ssrc == main:
            frames.setdefault(packet.timestamp, {}).setdefault(packet.sequence, packet)
    ends = {p.sequence for frame in frames.values() for p in frame.values() if p.marker}
    first = packets[0].timestamp if packets else None
    whole = []
    for timestamp, parts in frames.items():
        end = next((p.sequence for p in parts.values() if p.marker), None)
        if end is None:
            continue
        start = (end - len(parts) + 1) % 65536
        unbroken = all((start + i) % 65536 in parts for i in range(len(parts)))
        if unbroken and ((start - 1) % 65536 in ends or timestamp == first):
            times = [p.at for p in parts.values()]
            size = sum(p.size for p in parts.values())
            whole.append(FramePassage(timestamp, min(times), max(times), size))
    return sorted(whole, key=lambda frame: frame.last_at)


def main_source(packets: Iterable[Packet]) -> int | None:
    """SSRC of the source with the most packets; None without any."""
    counts = Counter(packet.ssrc for packet in packets)
    return max(counts, key=lambda ssrc: counts[ssrc], default=None)


def _wrap(log: PacketLog, transport: RTCDtlsTransport, handle: Any, send: Any) -> None:
    async def handle_and_log(data: bytes, arrival_time_ms: int) -> None:
        log.came.append(_packet(data))
        await handle(data, arrival_time_ms=arrival_time_ms)

    async def send_and_log(data: bytes) -> None:
        await send(data)
        if not is_rtcp(data):
            log.went.append(_packet(data))

    transport._handle_rtp_data = handle_and_log  # type: ignore[method-assign]
    transport._send_rtp = send_and_log  # type: ignore[method-assign]


def _packet(data: bytes) -> Packet:
    _, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    return Packet(time.perf_counter(), sequence, timestamp, ssrc, kind >= 128, len(data))
