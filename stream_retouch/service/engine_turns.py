"""Whose turn it is at the shared engine: first come, first served, one face at a time.

Fault of a plain lock: the system wakes whom it likes, so a session that asks again at once may get
the engine again and again; and a picture with four faces holds it four times as long as one.

Cure: tickets. A session has one ticket at a time, for one face, and joins the end of the queue for
the next. So of sessions that always want the engine each gets the same share, however many faces
it has, and nobody waits longer than one face of each of the others.
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
    """A lock that is given in the order in which it was asked for. Any thread.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        # All below is guarded by _mutex.
        self._waiting: deque[_Ticket] = deque()
        self._left: WeakSet[object] = WeakSet()
        self._held_since: float | None = None
        self._held_s = 0.0

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        with self._mutex:
            return len(self._waiting)

    @property
    def held_s(self) -> float:
        """How long the engine was held so far, all turns together, seconds."""
        with self._mutex:
            since = self._held_since
            return self._held_s + (self._clock() - since if since is not None else 0.0)

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
            if self._held_since is None:
                self._held_since = self._clock()
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
            assert self._held_since is not None, "nobody holds the engine"
            now = self._clock()
            self._held_s += now - self._held_since
            self._held_since = None
            if self._waiting:
                ticket = self._waiting.popleft()
                ticket.granted = True
                self._held_since = now
                ticket.called.set()

    def leave(self, owner: object) -> None:
        """Whoever waits as `owner`, now or later, gives up; one who holds the engine still releases
        it."""
        with self._mutex:
            self._left.add(owner)
            for ticket in [t for t in self._waiting if t.owner is owner]:
                self._waiting.remove(ticket)
                ticket.called.set()
