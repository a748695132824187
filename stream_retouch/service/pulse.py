"""What one session tells once a second: to its client, and to the operator's metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_retouch.metrics import Metrics, TransportCount
from stream_retouch.service import control
from stream_retouch.service.frame_stats import FrameStats
from stream_retouch.service.load import LATE_MS, Effort
from stream_retouch.service.parts import PeerPort

PULSE_S = 1.0
"""Seconds between two ``stats`` messages."""


class Pulse:
    """Counts what is new since the last beat. Event loop only."""

    def __init__(self, peer: PeerPort, metrics: Metrics) -> None:
        self._peer, self._metrics = peer, metrics
        self._sent = self._dropped_out = 0
        self._timed = self._late = 0
        self._transport: dict[TransportCount, float] = {}

    def beat(self, stats: FrameStats, rung: int) -> control.Answer:
        """The ``stats`` message; its figures go to the metrics as well. `rung` is that of the
        overload ladder."""
        samples = list(self._peer.added_ms)
        sent, dropped_out = self._peer.sent, self._peer.dropped_out
        new = min(len(samples), sent - self._sent)
        for sample_ms in samples[len(samples) - new :]:
            self._metrics.added_seconds.observe(sample_ms / 1000)
        self._metrics.frame("dropped", dropped_out - self._dropped_out)
        self._sent, self._dropped_out = sent, dropped_out
        self._count_transport()
        return {
            "type": "stats",
            "fps": round(stats.fps, 1),
            "added_ms": round(float(np.median(samples)), 1) if samples else None,
            "faces": stats.faces,
            "fresh_share": None if stats.fresh_share is None else round(stats.fresh_share, 3),
            "dropped": stats.dropped + dropped_out,
            "reused": stats.reused,
            "failed": stats.failed,
            "rung": rung,
        }

    def effort(self, done: Effort, budget_ms: float) -> Effort:
        """What was `done` by the frame thread, with what is known of its frames' delays; `budget_ms`
        is how long one may wait for its edit."""
        samples, sent = list(self._peer.added_ms), self._peer.sent
        new = samples[len(samples) - min(len(samples), sent - self._timed) :]
        self._timed = sent
        self._late += sum(sample_ms > budget_ms + LATE_MS for sample_ms in new)
        return replace(done, timed=self._timed, late=self._late)

    def _count_transport(self) -> None:
        """Adds to the metrics what the connection has counted since the last beat."""
        for stage, samples in self._peer.take_stage_seconds().items():
            for seconds in samples:
                self._metrics.stage(stage, seconds)
        counts = self._peer.transport_counts()
        for name, count in counts.items():
            self._metrics.transport(name, count - self._transport.get(name, 0))
        self._transport = dict(counts)
