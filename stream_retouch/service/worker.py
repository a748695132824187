"""The frame path of one session: frames leave on time, edits when they are ready.

    peer.frames ─ frame thread: prepare ────────── wait, within the budget ─ finish ─ peer.send
                                  └ newest wins ─ engine thread ┘ (late: for the next frame)

A frame whose edit fails leaves as it came: a meeting must not freeze because a filter failed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
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
from stream_retouch.service.frame_stats import FrameStats, Tally

logger = logging.getLogger(__name__)

NICE_FRAMES = 2
"""Politeness of the frame and engine threads: the event loop, which paces packets, goes first."""
_RECENT_CALLS = 3


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


class EngineFailed(Exception):
    """The engine raised while it retouched this very frame; the cause is chained. Never leaves this
    module."""


def lower_priority(step: int) -> None:
    """Makes the calling thread yield to the others by `step` nice levels, where the system can do
    that."""
    if sys.platform != "linux":  # elsewhere a thread id names some other process, or nothing
        return
    try:
        thread = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(19, nice + step))
    except OSError:
        logger.debug("the priority of %s stays as it is", threading.current_thread().name)


class FrameWorker:
    """Runs one session's frame path from `start` to `close`.

    Args:
        port: gives frames and takes them back.
        retoucher: used by the frame thread alone, except `key_crop` and `faces`.
        engine: may be shared with other sessions.
        engine_lock: serialises its calls; the same one for all who share the engine.
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
        engine_lock: threading.Lock,
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
        self._lane = _EngineLane(engine, engine_lock, metrics, label, clock)
        self._thread = threading.Thread(target=self._run, name=f"frames {label}", daemon=True)
        self._stats = Tally()
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
        try:
            job, done = self._retouch(frame, self._clock() + self._budget_s)
        except (
            Exception
        ) as error:  # the border of the frame path: whatever went wrong, the picture goes on
            self._port.send(frame)
            self._note("failed", 0)
            self._failures += 1
            if self._failures == 1 and not isinstance(
                error, EngineFailed
            ):  # the lane has told of those
                logger.exception("%s: a frame left as it came", self._label)
            return
        self._port.send(done.frame)
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

    def _look_around(self) -> None:
        try:
            self._retoucher.look_around()
        except Exception:  # the same border: the frame is out, and the next one will tell
            logger.exception("%s: the search for further faces failed", self._label)

    def _retouch(self, frame: av.VideoFrame, deadline: float) -> tuple[Job, Retouched]:
        began = self._clock()
        job = self._retoucher.prepare(frame, self._look())
        prepared = self._clock()
        if job.subjects:
            self._lane.put(job)
        answers = self._lane.answers(job if job.subjects else None, deadline)
        waited = self._clock()
        done = self._retoucher.finish(job, answers)
        self._metrics.stage("prepare", prepared - began)
        self._metrics.stage("wait", waited - prepared)
        self._metrics.stage("finish", self._clock() - waited)
        return job, done

    def _note(self, result: FrameResult, faces: int) -> None:
        self._metrics.frame(result)
        self._stats.add(self._clock(), result, faces)


def _result(job: Job, done: Retouched) -> FrameResult:
    if not job.subjects:
        return "passed"
    if done.fresh:
        return "fresh"
    return "reused" if done.reused else "late"


class _EngineLane:
    """The engine thread: one waiting job, newest wins; what it answered is kept until the next
    frame asks."""

    def __init__(
        self,
        engine: RetouchEngine,
        lock: threading.Lock,
        metrics: Metrics,
        label: str,
        clock: Callable[[], float],
    ) -> None:
        self._engine, self._lock, self._metrics, self._label = engine, lock, metrics, label
        self._clock = clock
        self._slot: Latest[Job] = Latest()
        self.thread = threading.Thread(target=self._run, name=f"engine {label}", daemon=True)
        self._turn = threading.Condition()
        # All below is guarded by _turn. At most two answers wait: one running and one in the slot.
        self._answers: list[tuple[Job, list[EditLayer] | Exception]] = []
        self._running: tuple[Job, float] | None = None
        self._recent_s: deque[float] = deque(maxlen=_RECENT_CALLS)
        self._stopped = False
        self._failing = False

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Asks the thread to end, and ends any wait for it."""
        self._slot.close()
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def put(self, job: Job) -> None:
        """Leaves a job for the engine, in place of one that still waits."""
        self._slot.put(job)

    def answers(self, job: Job | None, deadline: float) -> list[tuple[Job, list[EditLayer]]]:
        """What has arrived since the last call, oldest first; waits for `job`'s own answer until
        `deadline`.

        Raises:
            EngineFailed: the engine raised on `job`.
        """
        with self._turn:
            while job is not None and not self._has(job):
                now = self._clock()
                if self._stopped or now >= deadline or self._expected(job, now) > deadline:
                    break
                self._turn.wait(deadline - now)
            arrived, self._answers = self._answers, []
        good = [(asked, edits) for asked, edits in arrived if not isinstance(edits, Exception)]
        for asked, edits in arrived:
            if asked is job and isinstance(edits, Exception):
                with self._turn:
                    self._answers[:0] = good
                raise EngineFailed("the engine raised on this frame") from edits
        return good

    def _has(self, job: Job) -> bool:
        return any(asked is job for asked, _ in self._answers)

    def _expected(self, job: Job, now: float) -> float:
        """When `job` will be done if the engine is as quick as the quickest of its last calls.

        A late engine is not waited for: its answer could not be used by this frame, and waiting
        delays it.
        """
        quickest = min(self._recent_s, default=0.0)
        if self._running is None:
            return now + quickest
        asked, since = self._running
        if asked is job:
            return since + quickest if since + quickest > now else now
        return max(now, since + quickest) + quickest

    def _run(self) -> None:
        lower_priority(NICE_FRAMES)
        while True:
            try:
                job = self._slot.get()
            except Closed:
                return
            if job is None:
                continue
            began = self._clock()
            with self._turn:
                self._running = (job, began)
            answer = self._ask(job)
            with self._turn:
                self._running = None
                self._recent_s.append(self._clock() - began)
                self._answers.append((job, answer))
                del self._answers[:-2]
                self._turn.notify_all()

    def _ask(self, job: Job) -> list[EditLayer] | Exception:
        try:
            with self._lock:
                began = self._clock()
                edits = self._engine.retouch(job.crops, job.requests, job.conditionings)
                self._metrics.stage("engine", self._clock() - began)
        except Exception as error:  # told to the frame that asked; logged here once per burst
            if not self._failing:
                logger.exception("%s: the engine raised", self._label)
            self._failing = True
            return error
        self._failing = False
        return edits
