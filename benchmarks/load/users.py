"""Users who come one after the other, talk to the service, and are measured all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from benchmarks.clip import Clip
from benchmarks.light_client import LightClient, Recording
from benchmarks.load.processor import Meter
from stream_retouch.service.garbage import set_aside

DRESS_S = 10.0
"""Longest time until an instruction shows; on an overloaded machine it may never."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the users do."""

    users: int
    seconds: float
    join_s: float
    """Between one user and the next, seconds."""
    say: str | None
    """The instruction of each; None: nothing is said."""
    warm_up_s: float = 3.0
    """After the last one has come: ladders and bit rates have settled, or nearly so."""


@dataclass(frozen=True, slots=True)
class User:
    """What one user saw."""

    recording: Recording
    sources: tuple[int | None, int | None]
    """SSRC of the video that was sent, and of that which came."""
    dressed: bool
    """Whether the instruction showed in time."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A user who was turned away."""

    status: int
    reason: str
    retry_after: str | None


async def call(
    answer_to: Callable[[str], Awaitable[str]], clip: Clip, plan: Plan, meter: Meter
) -> tuple[list[User], list[Refused]]:
    """Lets the users come, and measures those who got in.

    Args:
        answer_to: gives the answer to an offer; raises httpx.HTTPStatusError to refuse it.
    """
    clients: list[LightClient] = []
    refused: list[Refused] = []
    words: list[asyncio.Task[bool]] = []
    try:
        for _ in range(plan.users):
            client = LightClient(clip)
            clients.append(client)
            no = await _connect(client, answer_to)
            if no is None:
                client.begin()
                words.append(asyncio.create_task(_dress(client, plan.say)))
            else:
                refused.append(no)
                await clients.pop().close()
            await asyncio.sleep(plan.join_s)
        dressed = await asyncio.gather(*words)
        set_aside()
        await asyncio.sleep(plan.warm_up_s)
        await meter.read()
        begin = time.perf_counter()
        await asyncio.sleep(plan.seconds)
        end = time.perf_counter()
        await meter.read()
        recordings = await asyncio.gather(*(client.finish(begin, end) for client in clients))
        users = [
            User(recording, client.sources, shows)
            for client, recording, shows in zip(clients, recordings, dressed, strict=True)
        ]
        return users, refused
    finally:
        for task in words:
            task.cancel()
        await asyncio.gather(*(client.close() for client in clients))


async def _connect(
    client: LightClient, answer_to: Callable[[str], Awaitable[str]]
) -> Refused | None:
    try:
        await client.connect(answer_to)
    except httpx.HTTPStatusError as error:
        return refused_by(error.response)
    return None


def refused_by(answer: httpx.Response) -> Refused:
    """What somebody is told who is turned away."""
    try:
        reason = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        reason = answer.text[:200]
    return Refused(answer.status_code, reason, answer.headers.get("Retry-After"))


async def _dress(client: LightClient, say: str | None) -> bool:
    try:
        async with asyncio.timeout(DRESS_S):
            await client.dress(say)
    except (TimeoutError, RuntimeError):
        return False
    return True
