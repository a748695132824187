"""How politely a thread takes its share of the processor."""

from __future__ import annotations

import logging
import os
import sys
import threading

logger = logging.getLogger(__name__)

NICE_FRAMES = 2
"""Politeness of the frame threads. The event loop, which paces packets, goes first; and so does the
engine, of which there is one for all: where it is held up by one user's frame, everybody waits."""


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
