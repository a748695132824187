"""Who comes to the service, and how they leave it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from benchmarks.clip import Clip
from benchmarks.light_client import LightClient, offer_over_http

WORDS = (
    "remove all blemishes",
    "keep my freckles",
    "a bit less",
    "remove the dark circles under my eyes",
    "undo that",
    "start over and remove the shine on my forehead",
)
EVERY_S = 20.0
"""Between two instructions of the one who stays."""
STAY_S = 15.0
"""How long a visitor stays."""
NOTICED_S = 30.0
"""Longest time for the service to notice one who was taken away; it is told if that is exceeded."""
_SERVED = (httpx.HTTPError, TimeoutError, RuntimeError)


@dataclass(slots=True)
class Tally:
    """What became of them."""

    visits: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    """What went wrong, each in a sentence."""
    noticed_s: float = 0.0
    """Of who was taken away, the longest."""


class People:
    """All who come to one service. Event loop only.

    Args:
        sessions: how many sessions the service has.
    """

    def __init__(self, url: str, clip: Clip, sessions: Callable[[], Awaitable[int]]) -> None:
        self._url, self._clip, self._sessions = url, clip, sessions
        self._streams = 0
        self.tally = Tally()

    async def stay(self, seconds: float) -> None:
        """One user for so long, who asks for something else now and then; nothing seen is kept."""
        client = LightClient(self._clip, sound=True)
        try:
            await client.connect(self._at("/session"))
            client.begin()
            began = time.perf_counter()
            for i in range(int(seconds / EVERY_S) + 1):
                await client.dress(WORDS[i % len(WORDS)])
                until = began + min((i + 1) * EVERY_S, seconds)
                while (left := until - time.perf_counter()) > 0:
                    await asyncio.sleep(min(left, EVERY_S / 4))
                    client.forget()
        except _SERVED as problem:
            self.tally.failed.append(f"the one who stays: {problem!r}")
        finally:
            await client.close()

    async def visits(self, until_s: float, stay_s: float = STAY_S) -> None:
        """One after the other, in turn of each kind, until that moment (`perf_counter`)."""
        kinds = (self.user, self.taken_away, self.stream)
        number = 0
        while time.perf_counter() + stay_s < until_s:
            await kinds[number % len(kinds)](stay_s)
            number += 1

    async def user(self, stay_s: float) -> None:
        """One who asks for something and says goodbye."""
        client = LightClient(self._clip, sound=True)
        async with self._visit("user", client):
            await client.connect(self._at("/session"))
            client.begin()
            await client.dress(WORDS[0])
            await asyncio.sleep(stay_s)

    async def taken_away(self, stay_s: float) -> None:
        """One whose sockets go without a word."""
        client = LightClient(self._clip, sound=True)
        async with self._visit("taken away", client):
            await client.connect(self._at("/session"))
            client.begin()
            await asyncio.sleep(stay_s)
            there = await self._sessions()
            client.vanish()
            await self._noticed(there)

    async def stream(self, stay_s: float) -> None:
        """A publisher and two viewers."""
        self._streams += 1
        name = f"soak{self._streams}"
        publisher = LightClient(self._clip, "sendonly")
        viewers = [LightClient(self._clip, "recvonly") for _ in range(2)]
        async with self._visit("stream", publisher, *viewers):
            await publisher.connect(self._at(f"/whip/{name}?control={name}-key"))
            publisher.begin()
            for viewer in viewers:
                await viewer.connect(self._at(f"/whep/{name}"))
            await asyncio.sleep(stay_s)

    @contextlib.asynccontextmanager
    async def _visit(self, kind: str, *clients: LightClient) -> AsyncIterator[None]:
        try:
            yield
            self.tally.visits[kind] += 1
        except httpx.HTTPStatusError as problem:
            if problem.response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                self.tally.refused += 1
                await asyncio.sleep(1.0)
            else:
                self.tally.failed.append(f"{kind}: {problem!r}")
        except _SERVED as problem:
            self.tally.failed.append(f"{kind}: {problem!r}")
        finally:
            for client in clients:
                await client.close()

    async def _noticed(self, there: int) -> None:
        """Waits until the service has one session less, and notes how long that took."""
        gone = time.perf_counter()
        while await self._sessions() >= there:
            if time.perf_counter() > gone + NOTICED_S:
                raise TimeoutError("the service did not notice that a user was gone")
            await asyncio.sleep(0.2)
        self.tally.noticed_s = max(self.tally.noticed_s, time.perf_counter() - gone)

    def _at(self, path: str) -> Callable[[str], Awaitable[str]]:
        async def answer_to(offer: str) -> str:
            return (await offer_over_http(self._url, offer, path))[0]

        return answer_to
