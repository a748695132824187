"""One publisher (WHIP) and many viewers (WHEP) of the retouched stream."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import httpx

from benchmarks.clip import Clip
from benchmarks.light_client import LightClient, Recording, offer_over_http
from benchmarks.load.processor import Meter
from benchmarks.load.users import DRESS_S, Plan, Refused, User, refused_by
from stream_retouch.errors import StreamRetouchError
from stream_retouch.say import say
from stream_retouch.service.garbage import set_aside

NAME = "benchmark"
KEY = "benchmark-key"
"""By which the publisher's session is steered; a server under measurement is on loopback only."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What everybody saw."""

    publisher: User
    viewers: list[User]
    refused: list[Refused]


async def broadcast(url: str, clip: Clip, plan: Plan, meter: Meter) -> Broadcast:
    """One publishes, `plan.users` watch.

    Raises:
        httpx.HTTPStatusError: the publisher is not let in.
    """
    publisher = LightClient(clip, "sendonly")
    viewers: list[LightClient] = []
    refused: list[Refused] = []
    try:
        path = f"/whip/{NAME}?control={KEY}"
        await publisher.connect(lambda offer: _answer(url, offer, path))
        publisher.begin()
        dressed = plan.say is None or await _dress(url, plan.say)
        for _ in range(plan.users):
            viewer = LightClient(clip, "recvonly")
            try:
                await viewer.connect(lambda offer: _answer(url, offer, f"/whep/{NAME}"))
            except httpx.HTTPStatusError as error:
                refused.append(refused_by(error.response))
                await viewer.close()
                continue
            viewers.append(viewer)
            await asyncio.sleep(plan.join_s)
        set_aside()
        await asyncio.sleep(plan.warm_up_s)
        await meter.read()
        begin = time.perf_counter()
        await asyncio.sleep(plan.seconds)
        end = time.perf_counter()
        await meter.read()
        sent = await publisher.finish(begin, end)
        seen = await asyncio.gather(*(viewer.finish(begin, end) for viewer in viewers))
        return Broadcast(
            User(sent, publisher.sources, dressed),
            [User(r, v.sources, dressed) for r, v in zip(seen, viewers, strict=True)],
            refused,
        )
    finally:
        await asyncio.gather(*(client.close() for client in (publisher, *viewers)))


def as_seen(publisher: User, viewer: User) -> User:
    """The viewer as if it had sent the publisher's frames itself: what is measured of a user can be
    measured of both together."""
    ours, theirs = publisher.recording, viewer.recording
    both = Recording(
        begin=theirs.begin,
        end=theirs.end,
        sent=ours.sent,
        returned=theirs.returned,
        late_ms=ours.late_ms,
        key_requests=ours.key_requests,
    )
    return User(both, (publisher.sources[0], viewer.sources[1]), viewer.dressed)


async def _answer(url: str, offer: str, path: str) -> str:
    return (await offer_over_http(url, offer, path))[0]


async def _dress(url: str, words: str) -> bool:
    """Speaks for the publisher, who has no data channel, once a face is in view."""
    await asyncio.sleep(1.0)
    session = f"{NAME}:{KEY}"
    try:
        said = await asyncio.to_thread(say, url, session, words, None, DRESS_S, DRESS_S)
    except StreamRetouchError:
        return False
    return said.first_pts_s is not None
