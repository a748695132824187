"""The engine thread of one session: one waiting job, newest wins; what it answered is kept until
the next frame asks."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable

from stream_retouch.engine import EditLayer, RetouchEngine
from stream_retouch.errors import EngineBusy
from stream_retouch.latest import Closed, Latest
from stream_retouch.media.retouch import Job
from stream_retouch.metrics import Metrics
from stream_retouch.service.engine_turns import EngineTurns

logger = logging.getLogger(__name__)

_RECENT_CALLS = 3
HANGS_S = 0.030
"""A call that takes so much longer than any of the last is not waited for any more."""


class EngineFailed(Exception):
    """The engine raised while it retouched this very frame; the cause is chained. Never leaves the
    frame path."""


class EngineLane:
    """Takes jobs from the frame thread and gives answers back to it.

    Args:
        engine: may be shared with other sessions.
        turns: of all who share the engine.
        label: names the thread and the log lines.
        clock: monotonic seconds.
        on_answer: called whenever a job was answered, or given up; engine thread.
    """

    def __init__(
        self,
        engine: RetouchEngine,
        turns: EngineTurns,
        metrics: Metrics,
        label: str,
        clock: Callable[[], float],
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._turns, self._metrics, self._label = engine, turns, metrics, label
        self._clock, self._on_answer = clock, on_answer
        self._slot: Latest[Job] = Latest()
        self.thread = threading.Thread(target=self._run, name=f"engine {label}", daemon=True)
        self._changed = threading.Condition()
        # All below is guarded by _changed. At most two answers wait: one running, one in the slot.
        self._answers: list[tuple[Job, list[EditLayer] | Exception]] = []
        self._queued: Job | None = None  # in the slot, or on its way out of it
        self._put: deque[Job] = deque(maxlen=4)  # the latest, oldest first
        self._running: tuple[Job, float] | None = None
        self._has_turn = False  # the running one
        self._recent_s: deque[float] = deque(maxlen=_RECENT_CALLS)
        self._stopped = False
        self._failing = False

    def start(self) -> None:
        """Starts the thread. Call once."""
        self.thread.start()

    def stop(self) -> None:
        """Asks the thread to end, and ends any wait for it, or of it for its turn."""
        self._slot.close()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._turns.leave(self)

    def put(self, job: Job) -> None:
        """Leaves a job for the engine, in place of one that still waits."""
        with self._changed:
            self._queued = job
            self._put.append(job)
        self._slot.put(job)

    def patience_s(self, job: Job, deadline: float) -> float:
        """How long it is worth waiting for the answer to `job`, seconds: 0 when it is there, will not
        come, or will come after `deadline`."""
        with self._changed:
            return self._patience_s(job, deadline)

    def wait(self, job: Job, deadline: float) -> None:
        """Waits for the answer to `job` as long as that is worth while."""
        with self._changed:
            while (patience_s := self._patience_s(job, deadline)) > 0:
                self._changed.wait(patience_s)

    def answers(self, job: Job | None) -> list[tuple[Job, list[EditLayer]]]:
        """What has arrived since the last call, oldest first; nothing newer than `job` if that is
        given.

        Raises:
            EngineFailed: the engine raised on `job`.
        """
        with self._changed:
            newer = self._put_after(job)
            arrived = [answer for answer in self._answers if answer[0] not in newer]
            self._answers = [answer for answer in self._answers if answer[0] in newer]
        good = [(asked, edits) for asked, edits in arrived if not isinstance(edits, Exception)]
        for asked, edits in arrived:
            if asked is job and isinstance(edits, Exception):
                with self._changed:
                    self._answers[:0] = good
                raise EngineFailed("the engine raised on this frame") from edits
        return good

    def _put_after(self, job: Job | None) -> list[Job]:
        """The jobs that came after `job`."""
        put = list(self._put)
        return put[put.index(job) + 1 :] if job in put else []

    def _patience_s(self, job: Job, deadline: float) -> float:
        if self._stopped or self._has(job) or not self._will_answer(job):
            return 0.0
        now = self._clock()
        return max(0.0, self._worth_until(job, deadline, now) - now)

    def _will_answer(self, job: Job) -> bool:
        """Whether the engine has it or will get it; one that waits for its turn gives way to a newer
        one."""
        if self._running is not None and self._running[0] is job:
            return self._has_turn or self._queued is None or self._queued is job
        return job is self._queued

    def _has(self, job: Job) -> bool:
        return any(asked is job for asked, _ in self._answers)

    def _worth_until(self, job: Job, deadline: float, now: float) -> float:
        """Until when `job` is worth waiting for, if the engine is as quick as the quickest of its last
        calls, the wait for a turn included.

        A late engine is not waited for: its answer could not be used by this frame, and waiting
        delays it. Nor is one that hangs.
        """
        quickest = min(self._recent_s, default=0.0)
        if self._running is None:
            return deadline if now + quickest <= deadline else now
        asked, since = self._running
        until = min(deadline, since + max(self._recent_s, default=math.inf) + HANGS_S)
        done = max(now, since + quickest)
        if asked is not job:
            done, until = done + quickest, min(until, deadline - quickest)
        return until if done <= deadline else now

    def _run(self) -> None:
        while True:
            try:
                job = self._slot.get()
                if job is not None:
                    self._serve(job)
            except Closed:
                return

    def _serve(self, job: Job) -> None:
        """One job, or the newer one that has come when it is its turn."""
        began = self._clock()
        self._note_running(job, began)
        answer: list[EditLayer] | Exception | None = None
        if self._turns.acquire(self):
            self._metrics.stage("turn", self._clock() - began)
            newer = self._newer()
            if newer is not None:
                job = newer
            self._note_running(job, began, has_turn=True)
            answer = self._ask(job)
        with self._changed:
            self._running = None
            self._recent_s.append(self._clock() - began)
            if answer is not None:
                self._answers.append((job, answer))
                del self._answers[:-2]
            self._changed.notify_all()
        self._on_answer()

    def _newer(self) -> Job | None:
        """The job that came while this one waited for its turn, if any."""
        try:
            return self._slot.try_get()
        except Closed:
            return None

    def _note_running(self, job: Job, began: float, *, has_turn: bool = False) -> None:
        with self._changed:
            self._running, self._has_turn = (job, began), has_turn
            if self._queued is job:
                self._queued = None
            self._changed.notify_all()

    def _ask(self, job: Job) -> list[EditLayer] | Exception | None:
        """The edits, a turn for as many faces as the engine takes at once; the first turn is ours
        already. None when stopped, or when the engine had no time for it."""
        edits: list[EditLayer] = []
        spent_s = 0.0
        step = self._engine.crops_at_once
        for i in range(0, len(job.crops), step):
            if i and not self._turns.acquire(self):
                return None
            began = self._clock()
            try:
                few = slice(i, i + step)
                edits += self._engine.retouch(
                    job.crops[few], job.requests[few], job.conditionings[few]
                )
            except EngineBusy:
                return None
            except Exception as error:  # told to the frame that asked; logged once per burst
                if not self._failing:
                    logger.exception("%s: the engine raised", self._label)
                self._failing = True
                return error
            finally:
                spent_s += self._clock() - began
                self._turns.release()
        self._metrics.stage("engine", spent_s)
        self._failing = False
        return edits
