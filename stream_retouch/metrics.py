"""What an operator watches, as Prometheus metrics.

Labels are from closed lists: never a user, never a session.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of `Metrics.render`: the Prometheus text format."""

Stage = Literal["prepare", "engine", "wait", "finish"]
FrameResult = Literal["fresh", "reused", "late", "passed", "failed", "dropped"]
STAGES: tuple[Stage, ...] = ("prepare", "engine", "wait", "finish")
FRAME_RESULTS: tuple[FrameResult, ...] = ("fresh", "reused", "late", "passed", "failed", "dropped")

_FRAME_BUCKETS = (
    0.001,
    0.002,
    0.004,
    0.006,
    0.008,
    0.010,
    0.015,
    0.020,
    0.030,
    0.050,
    0.100,
    0.25,
    1.0,
)
_ADDED_BUCKETS = (
    0.005,
    0.010,
    0.015,
    0.020,
    0.025,
    0.030,
    0.035,
    0.045,
    0.060,
    0.080,
    0.12,
    0.25,
    1.0,
)
_INSTRUCTION_BUCKETS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The metrics of one service. Every method may be called from any thread.

    Args:
        registry: where they are kept; None makes a fresh one, so that two services never share.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        stage_seconds = Histogram(
            "stream_retouch_stage_seconds",
            "Time of one step of the frame path, seconds.",
            ["stage"],
            buckets=_FRAME_BUCKETS,
            registry=self.registry,
        )
        frames = Counter(
            "stream_retouch_frames",
            "Frames by what became of them: fresh (edit from its own crop), reused (last edit, "
            "moved), late (no edit to re-use), passed (nothing to do), failed (left as it came), "
            "dropped (a newer one was there).",
            ["result"],
            registry=self.registry,
        )
        # Children are made once: looking a label up costs more than counting.
        self._stages = {stage: stage_seconds.labels(stage) for stage in STAGES}
        self._frames = {result: frames.labels(result) for result in FRAME_RESULTS}
        self.sessions = Gauge(
            "stream_retouch_sessions", "Sessions that are open now.", registry=self.registry
        )
        self.instruction_seconds = Histogram(
            "stream_retouch_instruction_seconds",
            "From an instruction arriving to the first frame that shows it, seconds.",
            buckets=_INSTRUCTION_BUCKETS,
            registry=self.registry,
        )
        self.added_seconds = Histogram(
            "stream_retouch_added_seconds",
            "From the last packet of a frame in to the last packet of the same frame out, seconds.",
            buckets=_ADDED_BUCKETS,
            registry=self.registry,
        )
        self.conditioning_mismatches = Counter(
            "stream_retouch_conditioning_mismatches",
            "Conditionings whose decoded plan differed from the plan that went in.",
            registry=self.registry,
        )

    def stage(self, stage: Stage, seconds: float) -> None:
        """Notes how long one step of one frame took, seconds."""
        self._stages[stage].observe(seconds)

    def frame(self, result: FrameResult, count: int = 1) -> None:
        """Counts frames by what became of them."""
        self._frames[result].inc(count)

    def render(self) -> bytes:
        """Everything in the Prometheus text format."""
        return generate_latest(self.registry)
