"""What an operator watches, as Prometheus metrics.

Labels are from closed lists: never a user, never a session.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of `Metrics.render`: the Prometheus text format."""

Stage = Literal["decode", "prepare", "turn", "engine", "wait", "finish", "encode"]
FrameResult = Literal["fresh", "reused", "late", "passed", "bypassed", "failed", "dropped"]
TransportCount = Literal[
    "freezes",
    "frozen_s",
    "stalls",
    "given_up",
    "lost_in",
    "lost_out",
    "nack_in",
    "nack_out",
    "pli_in",
    "pli_out",
    "rtx_out",
]
Queue = Literal["decoder", "instructions", "speech"]
Refusal = Literal["loading", "full", "overload", "ports", "ending", "other"]
Limited = Literal["request", "socket", "message"]
STAGES: tuple[Stage, ...] = ("decode", "prepare", "turn", "engine", "wait", "finish", "encode")
QUEUES: tuple[Queue, ...] = ("decoder", "instructions", "speech")
REFUSALS: tuple[Refusal, ...] = ("loading", "full", "overload", "ports", "ending", "other")
RUNGS = ("0", "1", "2", "3", "4")
LIMITED: tuple[Limited, ...] = ("request", "socket", "message")
FRAME_RESULTS: tuple[FrameResult, ...] = (
    "fresh",
    "reused",
    "late",
    "passed",
    "bypassed",
    "failed",
    "dropped",
)

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
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
_LAG_BUCKETS = (0.001, 0.002, 0.005, 0.010, 0.020, 0.050, 0.100, 0.25, 0.5, 1.0, 5.0)
_INSTRUCTION_BUCKETS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)


M = TypeVar("M", Counter, Gauge)


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
            "moved), late (no edit to re-use), passed (nothing to do), bypassed (the machine was "
            "overloaded), failed (left as it came), dropped (a newer one was there).",
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
        self._engine_batch = Histogram(
            "stream_retouch_engine_batch_crops",
            "Crops of all users that a GPU's engine took in one batch.",
            buckets=_BATCH_BUCKETS,
            registry=self.registry,
        )
        self.conditioning_mismatches = Counter(
            "stream_retouch_conditioning_mismatches",
            "Conditionings whose decoded plan differed from the plan that went in.",
            registry=self.registry,
        )

        self._loop_lag = Histogram(
            "stream_retouch_loop_lag_seconds",
            "Worst lateness of the event loop's timers in one or two seconds, once a second.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        self._transport = self._transport_counters()
        self._queues = self._closed(
            Gauge,
            "queue_depth",
            "What waits now: encoded frames for decoders, calls for the instruction and the speech "
            "thread.",
            "queue",
            QUEUES,
        )
        self._refusals = self._closed(
            Counter, "refused", "Answers 503, by their reason.", "reason", REFUSALS
        )
        self._limited = self._closed(
            Counter,
            "rate_limited",
            "Requests, WebSockets and control messages that were too many.",
            "what",
            LIMITED,
        )
        self._resumes = self._closed(
            Counter,
            "resumes",
            "Sessions that asked for an earlier look, by whether it was still kept.",
            "result",
            ("back", "gone"),
        )
        self.looks_kept = Gauge(
            "stream_retouch_looks_kept",
            "Looks of ended sessions that can be taken over now.",
            registry=self.registry,
        )
        self._rungs = self._closed(
            Gauge,
            "overload_sessions",
            "Sessions by their rung of the overload ladder: 0 everything is done, 4 the picture goes "
            "through as it came.",
            "rung",
            RUNGS,
        )
        self.viewers = Gauge(
            "stream_retouch_viewers", "Viewers that watch a stream now.", registry=self.registry
        )

    def _transport_counters(self) -> dict[TransportCount, Counter]:
        def alone(name: str, about: str) -> Counter:
            return Counter(f"stream_retouch_{name}", about, registry=self.registry)

        lost = self._closed(
            Counter,
            "packets_lost",
            "Packets of video that did not come by themselves: in (from clients), out (as their "
            "reports say).",
            "direction",
            ("in", "out"),
        )
        feedback = Counter(
            "stream_retouch_feedback",
            "RTCP requests: nack (send packets again) and pli (send a key frame); in: from clients, "
            "out: to clients.",
            ["kind", "direction"],
            registry=self.registry,
        )
        return {
            "freezes": alone("freezes", "Times that a client's frame came much later than usual."),
            "frozen_s": alone("frozen_seconds", "Seconds that a client's picture stood."),
            "stalls": alone("stalls", "Times that no frame came from a client for 3 s."),
            "given_up": alone(
                "given_up",
                "Times that packets did not come in time and a key frame was waited for.",
            ),
            "lost_in": lost["in"],
            "lost_out": lost["out"],
            "nack_in": feedback.labels("nack", "in"),
            "nack_out": feedback.labels("nack", "out"),
            "pli_in": feedback.labels("pli", "in"),
            "pli_out": feedback.labels("pli", "out"),
            "rtx_out": alone("resent_packets", "Packets that were sent again when asked for."),
        }

    def _closed(
        self, kind: type[M], name: str, about: str, label: str, values: Iterable[str]
    ) -> dict[str, M]:
        """One metric with one label; its children are made once, and no others come."""
        metric = kind(f"stream_retouch_{name}", about, [label], registry=self.registry)
        return {value: metric.labels(value) for value in values}

    def transport(self, name: TransportCount, count: float) -> None:
        """Adds to what the connections have counted."""
        if count > 0:
            self._transport[name].inc(count)

    def observe_loop_lag(self, seconds: float) -> None:
        """Notes how late the event loop was lately, seconds."""
        self._loop_lag.observe(seconds)

    def queue_depth(self, queue: Queue, depth: int) -> None:
        """Notes how much waits in a queue."""
        self._queues[queue].set(depth)

    def rungs(self, sessions: Iterable[int]) -> None:
        """Notes on which rung of the overload ladder each session is."""
        count = Tally(sessions)
        for rung, gauge in self._rungs.items():
            gauge.set(count[int(rung)])

    def refused(self, reason: str) -> None:
        """Counts an answer 503; an unknown reason counts as "other"."""
        self._refusals.get(reason, self._refusals["other"]).inc()

    def rate_limited(self, what: Limited) -> None:
        """Counts what was too much."""
        self._limited[what].inc()

    def resumed(self, back: bool) -> None:
        """Counts a session that asked for an earlier look."""
        self._resumes["back" if back else "gone"].inc()

    def stage(self, stage: Stage, seconds: float) -> None:
        """Notes how long one step of one frame took, seconds."""
        self._stages[stage].observe(seconds)

    def engine_batch(self, crops: int) -> None:
        """Notes a batch of so many crops."""
        self._engine_batch.observe(crops)

    def frame(self, result: FrameResult, count: int = 1) -> None:
        """Counts frames by what became of them."""
        self._frames[result].inc(count)

    def render(self) -> bytes:
        """Everything in the Prometheus text format."""
        return generate_latest(self.registry)
