"""The frame path of one session: frames leave on time, edits when they are ready.

    peer.frames ─ frame thread: prepare ────────── wait, within the budget ─ finish ─ peer.send
                                  └ newest wins ─ engine thread ┘ (late: for the next frame)

A frame whose edit fails leaves as it came: a meeting must not freeze because a filter failed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import EditLayer, RetouchEngine
from stream_retouch.latest import Closed, Latest
from stream_retouch.media.faces import Face
from stream_retouch.media.retouch import Job, Look, Retouched
from stream_retouch.metrics import FrameResult, Metrics
from stream_retouch.service.engine_lane import EngineFailed, EngineLane
from stream_retouch.service.engine_turns import EngineTurns
from stream_retouch.service.frame_stats import FrameStats, Tally
from stream_retouch.service.ladder import FRESH, Rung, Tempo
from stream_retouch.service.load import Effort
from stream_retouch.service.priority import NICE_FRAMES, lower_priority
from stream_retouch.service.shrinking import Shrinker

logger = logging.getLogger(__name__)


class FramePort(Protocol):
    """Where frames come from and go to: rtc.Peer, or a fake."""

    @property
    def frames(self) -> Latest[av.VideoFrame]:
        """Decoded frames, newest wins; closed when the stream ends."""
        ...

    def send(self, frame: av.VideoFrame) -> None:
        """Hands a frame to the encoder; any thread, never waits, never raises."""
        ...


class Retoucher(Protocol):
    """What the worker and the session need of media.retouch.FrameRetoucher."""

    def prepare(self, frame: av.VideoFrame, look: Look) -> Job:
        """Finds the faces and takes their crops."""
        ...

    def meanwhile(self, job: Job) -> None:
        """What can be done for a job while the engine works on it."""
        ...

    def finish(self, job: Job, answers: Sequence[tuple[Job, list[EditLayer]]]) -> Retouched:
        """Smooths and pastes what has arrived."""
        ...

    def look_around(self) -> None:
        """What can wait until the frame is out."""
        ...

    def key_crop(self, face_id: int | None) -> NDArray[np.uint8] | None:
        """The latest crop of a face, or of the largest one; None without a face. Any thread."""
        ...

    def faces(self) -> list[Face]:
        """The faces in the latest frame. Any thread."""
        ...


class FrameWorker:
    """Runs one session's frame path from `start` to `close`.

    Args:
        port: gives frames and takes them back.
        retoucher: used by the frame thread alone, except `key_crop` and `faces`.
        engine: may be shared with other sessions.
        turns: serialises its calls; the same one for all who share the engine.
        look: gives the look in use; read once per frame.
        budget_s: how long after it was taken a frame may wait for its edit, seconds.
        on_applied: (version, pts seconds, `clock` now) of the first frame that shows a look;
            frame thread.
        on_faces: the ids of the faces, those who left a moment ago included, whenever they change;
            frame thread.
        label: names the threads and the log lines; not the session's secret id.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        port: FramePort,
        retoucher: Retoucher,
        engine: RetouchEngine,
        turns: EngineTurns,
        look: Callable[[], Look],
        metrics: Metrics,
        *,
        budget_s: float,
        on_applied: Callable[[int, float, float], None],
        on_faces: Callable[[frozenset[int]], None],
        label: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port, self._retoucher, self._look, self._metrics = port, retoucher, look, metrics
        self._budget_s, self._on_applied, self._on_faces = budget_s, on_applied, on_faces
        self._label, self._clock = label, clock
        self._lane = EngineLane(engine, turns, metrics, label, clock)
        self._thread = threading.Thread(target=self._run, name=f"frames {label}", daemon=True)
        self._stats = Tally()
        self.rung: Rung = FRESH
        """How much is done for a frame; any thread may set it, read once per frame."""
        self._tempo, self._shrinker = Tempo(), Shrinker()
        self._effort = Effort()
        self._waited_s = 0.0  # for the engine, by the latest frame
        self._face_ids: frozenset[int] = frozenset()
        self._failures = 0

    def start(self) -> None:
        """Starts both threads. Call once."""
        self._lane.start()
        self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """Ends both threads; blocking, at most `timeout_s`. May be called twice, from any thread
        but these two.

        Returns:
            False when a thread was stuck in the engine or in a codec and had to be left behind.
        """
        deadline = time.monotonic() + timeout_s
        self._port.frames.close()
        self._lane.stop()
        ended = True
        for thread in (self._thread, self._lane.thread):
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
                ended = ended and not thread.is_alive()
        if not ended:
            logger.warning("%s: a call of the engine did not end; it is left behind", self._label)
        return ended

    def stats(self) -> FrameStats:
        """How it goes; any thread."""
        return self._stats.read(self._clock(), self._port.frames.dropped)

    def effort(self) -> Effort:
        """What was done so far; any thread."""
        return self._effort

    def _run(self) -> None:
        lower_priority(NICE_FRAMES)
        dropped = 0
        while True:
            try:
                frame = self._port.frames.get()
            except Closed:
                return
            if frame is None:
                continue
            self._pass(frame)
            seen = self._port.frames.dropped
            self._metrics.frame("dropped", seen - dropped)
            dropped = seen

    def _pass(self, frame: av.VideoFrame) -> None:
        """Sends the frame on, retouched or as it came."""
        began, rung, self._waited_s = self._clock(), self.rung, 0.0
        if rung.retouches:
            self._try(frame, rung)
        else:
            self._send(frame, rung)
            self._note("bypassed", None)
        done = self._effort
        busy_s = done.busy_s + self._clock() - began - self._waited_s
        self._effort = Effort(done.frames + 1, busy_s)

    def _try(self, frame: av.VideoFrame, rung: Rung) -> None:
        try:
            job, done = self._retouch(frame, rung, self._clock() + self._budget_s)
        except (
            Exception
        ) as error:  # the border of the frame path: whatever went wrong, the picture goes on
            self._send(frame, rung)
            self._note("failed", 0)
            self._failures += 1
            if self._failures == 1 and not isinstance(
                error, EngineFailed
            ):  # the lane has told of those
                logger.exception("%s: a frame left as it came", self._label)
            return
        self._send(done.frame, rung)
        if self._failures:
            logger.info("%s: well again after %d failed frames", self._label, self._failures)
            self._failures = 0
        self._note(_result(job, done), done.faces)
        if done.applied is not None:
            self._on_applied(done.applied, job.pts_s, self._clock())
        if job.known != self._face_ids:
            self._face_ids = job.known
            self._on_faces(job.known)
        self._look_around()

    def _send(self, frame: av.VideoFrame, rung: Rung) -> None:
        try:
            frame = self._shrinker.of(frame, rung.scale)
        except Exception:  # the same border: rather large than not at all
            logger.debug("%s: a frame could not be made smaller", self._label, exc_info=True)
        self._port.send(frame)

    def _look_around(self) -> None:
        try:
            self._retoucher.look_around()
        except Exception:  # the same border: the frame is out, and the next one will tell
            logger.exception("%s: the search for further faces failed", self._label)

    def _retouch(self, frame: av.VideoFrame, rung: Rung, deadline: float) -> tuple[Job, Retouched]:
        began = self._clock()
        job = self._retoucher.prepare(frame, self._look())
        prepared = self._clock()
        asks = bool(job.subjects) and self._tempo.asks(rung, job.look.version, job.pts_s)
        if asks:
            self._lane.put(job)
            self._retoucher.meanwhile(job)
        answers = self._lane.answers(job if asks else None, deadline)
        waited = self._clock()
        self._waited_s = waited - prepared
        done = self._retoucher.finish(job, answers)
        self._metrics.stage("prepare", prepared - began)
        self._metrics.stage("wait", waited - prepared)
        self._metrics.stage("finish", self._clock() - waited)
        return job, done

    def _note(self, result: FrameResult, faces: int | None) -> None:
        self._metrics.frame(result)
        self._stats.add(self._clock(), result, faces)


def _result(job: Job, done: Retouched) -> FrameResult:
    if not job.subjects:
        return "passed"
    if done.fresh:
        return "fresh"
    return "reused" if done.reused else "late"
