"""The thread in which words are understood, apart from frames and from the event loop."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from stream_retouch.service.priority import lower_priority

logger = logging.getLogger(__name__)

T = TypeVar("T")
NICE_INSTRUCTIONS = 8
"""Politeness of the instruction thread: new words wait rather than frames."""


class InstructionThread:
    """The one polite thread in which all sessions' words are planned and prepared, in the order
    they came.

    It is not an executor: those are joined at exit, and a language model must not hold up a
    shutdown. Each session has at most one call in it at a time, so at most `max_sessions` calls
    wait.
    """

    def __init__(self, name: str = "instructions") -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread. Call once."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Calls that have not begun; from any thread."""
        return self._calls.qsize()

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. When cancelled, a call that has not begun is skipped."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # T may itself be None

        def work() -> None:
            if future.cancelled():
                return
            try:
                outcome = partial(settle, call(), None)
            except Exception as error:  # handed to whoever awaits
                outcome = partial(settle, None, error)
            call_on(loop, outcome)

        self._calls.put(work)
        return await future

    def close(self, timeout_s: float) -> None:
        """Ends the thread once the running call is over; blocking, bounded. May be called twice."""
        self._calls.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        lower_priority(NICE_INSTRUCTIONS)
        while (call := self._calls.get()) is not None:
            call()


def call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Calls on the loop from another thread; dropped when the loop has ended."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        logger.debug("the event loop has ended")
