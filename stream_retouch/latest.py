"""A one-slot mailbox between threads in which the newest item wins.

But for the two frames that may wait for their edits it is the only queue of live frames. A longer
one, in front of a stage that is slower
than the camera, grows without end and the delay with it (measured: 3.8 s after 10 s). Here an item
nobody has taken is replaced, and the replacement is counted.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The mailbox is closed and empty: nothing will ever come out of it again."""


class Latest(Generic[T]):
    """One slot, newest wins. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._woken = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Items that were replaced before anybody took them."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """Whether `close` was called; an item may still be waiting."""
        return self._closed

    def put(self, item: T) -> bool:
        """Leaves `item`; True if that dropped an unread one. After `close` the item is ignored."""
        with self._changed:
            if self._closed:
                return False
            replaced = self._item is not None
            self._dropped += replaced
            self._item = item
            self._changed.notify()
            return replaced

    def get(self, timeout: float | None = None) -> T | None:
        """Takes the item; waits up to `timeout` seconds (None: for ever), or until `wake`, then gives
        None.

        Raises:
            Closed: it is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._item is not None or self._closed or self._woken, timeout
            )
            self._woken = False
            return self._take()

    def wake(self) -> None:
        """Ends the `get` that waits, or the next one: something else has happened."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def try_get(self) -> T | None:
        """Takes the item if there is one, without waiting.

        Raises:
            Closed: it is closed and empty.
        """
        with self._changed:
            return self._take()

    def close(self) -> None:
        """No more items; a waiting one can still be taken. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self) -> T | None:
        if self._item is None and self._closed:
            raise Closed
        item, self._item = self._item, None
        return item
