"""Whose turn it is at the shared engine: first come, first served, a few faces at a time.

Fault of a plain lock: the system wakes whom it likes, so a session that asks again at once may get
the engine again and again; and a picture with four faces holds it four times as long as one.

Cure: tickets. A session has one ticket at a time, for one call, and joins the end of the queue for
the next. So of sessions that always want the engine each gets the same share, however many faces
it has, and nobody waits longer than one call of each of the others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from weakref import WeakSet


class _Ticket:
    """One who waits."""

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.called = threading.Event()
        self.granted = False


class EngineTurns:
    """A lock that is given in the order in which it was asked for, to so many at once as the engine takes calls.
    Any thread.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        # All below is guarded by _mutex.
        self._waiting: deque[_Ticket] = deque()
        self._left: WeakSet[object] = WeakSet()
        self._at_once, self._held = 1, 0
        self._held_s, self._counted_at = 0.0, clock()

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        with self._mutex:
            return len(self._waiting)

    @property
    def at_once(self) -> int:
        """How many may hold the engine."""
        with self._mutex:
            return self._at_once

    def allow(self, at_once: int) -> None:
        """So many may hold the engine from now on, at least 1."""
        assert at_once >= 1, "nobody would ever get a turn"
        with self._mutex:
            self._at_once = at_once
            self._call_next()

    @property
    def held_s(self) -> float:
        """How long the engine was held so far, all turns together, seconds."""
        with self._mutex:
            self._count()
            return self._held_s

    def acquire(self, owner: object = None, timeout_s: float | None = None) -> bool:
        """Waits for a turn; whoever gets True calls `release`.

        Args:
            owner: by which `leave` finds those who wait.
            timeout_s: seconds; None waits for ever.

        Returns:
            False when the time was up, or the owner has left.
        """
        with self._mutex:
            if owner is not None and owner in self._left:
                return False
            if self._held < self._at_once and not self._waiting:
                self._take()
                return True
            ticket = _Ticket(owner)
            self._waiting.append(ticket)
        ticket.called.wait(timeout_s)
        with self._mutex:
            if not ticket.granted and ticket in self._waiting:
                self._waiting.remove(ticket)
            return ticket.granted

    def release(self) -> None:
        """Ends a turn; the one who has waited longest is next."""
        with self._mutex:
            assert self._held, "nobody holds the engine"
            self._count()
            self._held -= 1
            self._call_next()

    def leave(self, owner: object) -> None:
        """Whoever waits as `owner`, now or later, gives up; one who holds the engine still releases
        it."""
        with self._mutex:
            self._left.add(owner)
            for ticket in [t for t in self._waiting if t.owner is owner]:
                self._waiting.remove(ticket)
                ticket.called.set()

    def _take(self) -> None:
        self._count()
        self._held += 1

    def _call_next(self) -> None:
        while self._waiting and self._held < self._at_once:
            ticket = self._waiting.popleft()
            ticket.granted = True
            self._take()
            ticket.called.set()

    def _count(self) -> None:
        now = self._clock()
        self._held_s += self._held * (now - self._counted_at)
        self._counted_at = now
