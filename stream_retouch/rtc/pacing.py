"""Spreads the packets of a large frame over a few milliseconds.

Fault of aiortc 1.16's sender: all packets of a frame leave in one burst. A key frame is 50 to 100
packets; a home router's queue, and the receiver's socket buffer, may be shorter than that, and what
overflows is lost, which asks for the next key frame.

An ordinary frame still leaves at once: waiting would only be delay. Of a larger one, what goes
beyond an ordinary frame is spread. The moments are fixed when the frame begins to leave and are
not counted from packet to packet, so timers that wake late (the event loop's round up to 1 ms) do
not add up: whatever is overdue leaves together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

LONGEST_S = 0.007
"""The last packet's moment after the first; a timer may wake it 1 ms later, which makes 8 ms."""
STEP_S = 0.0005
"""Between two packets of the part that is spread, unless there are too many for that."""
ORDINARY_FRAMES = 1.5
"""Frames of the mean size that leave at once."""
LEAST_BYTES = 12_000
"""So much leaves at once whatever the bit rate: about ten packets."""


def at_once_bytes(bitrate_bps: float, frame_rate: float) -> float:
    """How much of a frame leaves at once, at that bit rate and so many frames a second."""
    return max(LEAST_BYTES, ORDINARY_FRAMES * bitrate_bps / 8 / frame_rate)


def departures(sizes: Sequence[int], at_once: float) -> list[float]:
    """When each packet of a frame leaves, in seconds after the first.

    Args:
        sizes: of the packets, bytes, in order.
        at_once: see `at_once_bytes`.

    Returns:
        One moment a packet, rising from 0 to at most `LONGEST_S`.
    """
    total, first = 0, 0
    for size in sizes:
        total += size
        if total > at_once:
            break
        first += 1
    spread = len(sizes) - first
    step = min(STEP_S, LONGEST_S / spread) if spread else 0.0
    if not first and spread:  # something has to be the first
        first, step = 1, min(STEP_S, LONGEST_S / max(1, spread - 1))
    return [0.0] * first + [step * (n + 1) for n in range(len(sizes) - first)]


async def send_paced(
    packets: Sequence[T],
    moments: Sequence[float],
    send: Callable[[T], Awaitable[None]],
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Sends `packets`, in order, each at its moment or as soon after it as the loop wakes.

    Args:
        moments: from `departures`.
        send: one packet.
        clock, sleep: seconds; the loop's, or a test's.
    """
    began = clock()
    for packet, moment in zip(packets, moments, strict=True):
        # An ordinary frame never looks at the clock again, nor gives the loop away.
        if moment and (ahead := began + moment - clock()) > 0:
            await sleep(ahead)
        await send(packet)
