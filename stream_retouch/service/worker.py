"""The frame path of one session: frames leave on time, edits when they are ready.

    peer.frames ─ frame thread: prepare ────────── wait, within the budget ─ finish ─ peer.send
                                  └ newest wins ─ engine thread ┘ (late: for the next frame)

While a frame waits the next one is prepared: where the engine is shared an edit takes longer than
the time between two frames now and then, and no frame is lost for that. Frames leave in the order
in which they came.

A frame whose edit fails leaves as it came: a meeting must not freeze because a filter failed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from stream_retouch.service.shrinking import Shrinker

logger = logging.getLogger(__name__)

MOST_WAITING = 2
"""Frames that wait for their edits at once; further ones wait in the mailbox, newest wins."""
MOST_UNSEARCHED = 3
"""Frames after which newcomers are looked for although another frame waits."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A frame that is prepared and not sent."""

    job: Job
    rung: Rung
    asks: bool
    """Whether the engine was asked about it."""
    deadline: float
    prepared: float
    """When it was, `clock`."""


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
        self._lane = EngineLane(engine, turns, metrics, label, clock, port.frames.wake)
        self._thread = threading.Thread(target=self._run, name=f"frames {label}", daemon=True)
        self._stats = Tally()
        self.rung: Rung = FRESH
        """How much is done for a frame; any thread may set it, read once per frame."""
        self._tempo, self._shrinker = Tempo(), Shrinker()
        self._effort = Effort()
        self._waiting: deque[_Waiting] = deque()  # oldest first
        self._dropped = self._unsearched = 0
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
        while True:
            try:
                frame = self._next()
            except Closed:
                break
            self._finish(self._is_ready)
            if frame is not None:
                self._take(frame)
                self._finish(self._is_ready)
            self._look_around()
            self._count_dropped()
        self._finish(lambda _: True)

    def _next(self) -> av.VideoFrame | None:
        """The next frame; None when it is time to see to those that wait.

        Raises:
            Closed: there will be none.
        """
        if len(self._waiting) < MOST_WAITING:
            return self._port.frames.get(
                self._patience_s(self._waiting[0]) if self._waiting else None
            )
        self._lane.wait(self._waiting[0].job, self._waiting[0].deadline)
        return None

    def _is_ready(self, waiting: _Waiting) -> bool:
        return self._patience_s(waiting) <= 0

    def _patience_s(self, waiting: _Waiting) -> float:
        """How long a frame should still wait, seconds."""
        return self._lane.patience_s(waiting.job, waiting.deadline) if waiting.asks else 0.0

    def _take(self, frame: av.VideoFrame) -> None:
        """Prepares the frame, or sends it on as it came."""
        rung = self.rung
        if not rung.retouches:
            self._finish(lambda _: True)
            began = self._clock()
            self._send(frame, rung)
            self._note("bypassed", None)
            self._did(began, frames=1)
            return
        began = self._clock()
        try:
            job = self._retoucher.prepare(frame, self._look())
        except Exception as error:  # the border, see _fail
            self._did(began, frames=1)
            self._finish(lambda _: True)
            self._fail(frame, rung, error)
            return
        prepared = self._clock()
        asks = bool(job.subjects) and self._tempo.asks(rung, job.look.version, job.pts_s)
        self._waiting.append(_Waiting(job, rung, asks, began + self._budget_s, prepared))
        self._did(began)
        self._metrics.stage("prepare", prepared - began)
        if asks:
            self._lane.put(job)
            self._meanwhile(job)  # counts as waiting, as does what is done for other frames then

    def _finish(self, ready: Callable[[_Waiting], bool]) -> None:
        """Sends those that wait, oldest first, up to the first that is not ready."""
        while self._waiting and ready(self._waiting[0]):
            self._finish_one(self._waiting.popleft())

    def _finish_one(self, waiting: _Waiting) -> None:
        """Sends the frame on, retouched or as it came."""
        job, began = waiting.job, self._clock()
        try:
            answers = self._lane.answers(job if waiting.asks else None)
            done = self._retoucher.finish(job, answers)
        except Exception as error:  # the border, see _fail
            self._fail(job.frame, waiting.rung, error)
            self._did(began, frames=1)
            return
        self._metrics.stage("wait", began - waiting.prepared)
        self._metrics.stage("finish", self._clock() - began)
        self._send(done.frame, waiting.rung)
        if self._failures:
            logger.info("%s: well again after %d failed frames", self._label, self._failures)
            self._failures = 0
        self._note(_result(job, done), done.faces)
        if done.applied is not None:
            self._on_applied(done.applied, job.pts_s, self._clock())
        if job.known != self._face_ids:
            self._face_ids = job.known
            self._on_faces(job.known)
        self._did(began, frames=1)
        self._unsearched += 1

    def _fail(self, frame: av.VideoFrame, rung: Rung, error: Exception) -> None:
        """The border of the frame path: whatever went wrong, the picture goes on."""
        self._send(frame, rung)
        self._note("failed", 0)
        self._failures += 1
        if self._failures == 1 and not isinstance(
            error, EngineFailed
        ):  # the lane has told of those
            logger.error("%s: a frame left as it came", self._label, exc_info=error)

    def _did(self, began: float, frames: int = 0) -> None:
        """Counts work that ends now."""
        done = self._effort
        busy_s = done.busy_s + self._clock() - began
        self._effort = Effort(done.frames + frames, busy_s)

    def _count_dropped(self) -> None:
        seen = self._port.frames.dropped
        self._metrics.frame("dropped", seen - self._dropped)
        self._dropped = seen

    def _send(self, frame: av.VideoFrame, rung: Rung) -> None:
        try:
            frame = self._shrinker.of(frame, rung.scale)
        except Exception:  # the same border: rather large than not at all
            logger.debug("%s: a frame could not be made smaller", self._label, exc_info=True)
        self._port.send(frame)

    def _meanwhile(self, job: Job) -> None:
        try:
            self._retoucher.meanwhile(job)
        except Exception:  # the same border: it may be left out
            logger.debug("%s: nothing could be done ahead", self._label, exc_info=True)

    def _look_around(self) -> None:
        """Once for every frame that is out, when no other waits, or after MOST_UNSEARCHED of them."""
        if not self._unsearched or (self._waiting and self._unsearched < MOST_UNSEARCHED):
            return
        began, self._unsearched = self._clock(), 0
        try:
            self._retoucher.look_around()
        except Exception:  # the same border: the frame is out, and the next one will tell
            logger.exception("%s: the search for further faces failed", self._label)
        self._did(began)

    def _note(self, result: FrameResult, faces: int | None) -> None:
        self._metrics.frame(result)
        self._stats.add(self._clock(), result, faces)


def _result(job: Job, done: Retouched) -> FrameResult:
    if not job.subjects:
        return "passed"
    if done.fresh:
        return "fresh"
    return "reused" if done.reused else "late"
