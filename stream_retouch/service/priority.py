"""How politely a thread takes its share of the processor.

Not for threads of the frame path: who is put aside while it holds the interpreter holds up everybody. Frame threads
that gave way by two levels cost a lone user 0.9 ms and each of two users half a frame a second (measured).
"""

from __future__ import annotations

import logging
import os
import sys
import threading

logger = logging.getLogger(__name__)


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
