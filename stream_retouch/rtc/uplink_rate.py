"""Keeps the browser's uplink from starving while the network loses nothing.

Fault: aiortc 1.16 tells the sender a bit rate (REMB) estimated from arrival times taken in the
event loop, so that its own stalls look like congestion. Measured with Chrome over loopback:
300 kbps at the start, 0.8 Mbps after 30 s, hence 640x360.

Policy: while less than 2 % of the packets are lost, the estimate is not believed below a floor
(the start rate). With more loss it is used as it is. Congestion that only delays and never loses
is not seen below the floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

BELIEVE_AT_LOSS = 0.02
"""Share of packets lost from which on the estimate is believed below the floor."""
LOSS_WINDOW_MS = 1000


class Estimator(Protocol):
    """The part of aiortc's RemoteBitrateEstimator that its receiver calls."""

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        """Counts one packet; from time to time (bits per second, sources) to tell the sender."""
        ...


class PacketCounts(Protocol):
    """The part of aiortc's StreamStatistics that tells loss."""

    @property
    def packets_expected(self) -> int:
        """Packets the sender has sent so far, by their sequence numbers."""
        ...

    @property
    def packets_lost(self) -> int:
        """How many of them never came."""
        ...


class UplinkRate:
    """An Estimator that bounds another one's answers by the policy above."""

    def __init__(
        self,
        estimator: Estimator,
        streams: Mapping[int, PacketCounts],
        floor_bps: int,
        ceiling_bps: int,
    ) -> None:
        self._estimator, self._streams = estimator, streams
        self._floor_bps, self._ceiling_bps = floor_bps, ceiling_bps
        self._loss = 0.0
        self._window_start_ms: int | None = None
        self._expected = self._lost = 0

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        """Counts one packet; from time to time (bits per second, sources) to tell the sender."""
        self._measure_loss(arrival_time_ms)
        answer = self._estimator.add(
            arrival_time_ms=arrival_time_ms,
            abs_send_time=abs_send_time,
            payload_size=payload_size,
            ssrc=ssrc,
        )
        if answer is None:
            return None
        bitrate, ssrcs = answer
        if self._loss < BELIEVE_AT_LOSS:
            bitrate = max(bitrate, self._floor_bps)
        return min(bitrate, self._ceiling_bps), ssrcs

    def _measure_loss(self, now_ms: int) -> None:
        if self._window_start_ms is None:
            self._window_start_ms = now_ms
        if now_ms - self._window_start_ms < LOSS_WINDOW_MS:
            return
        expected = sum(stream.packets_expected for stream in self._streams.values())
        lost = sum(stream.packets_lost for stream in self._streams.values())
        if expected > self._expected:
            self._loss = (lost - self._lost) / (expected - self._expected)
        self._window_start_ms, self._expected, self._lost = now_ms, expected, lost
