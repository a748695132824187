"""What runs in the processes that the tests start; imported there by its name."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from starlette.types import Receive, Scope, Send

from stream_retouch.engine import FaceBox
from stream_retouch.errors import WeightsError
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.service.occupancy import NOBODY, Occupancy
from stream_retouch.service.parts import Parts
from stream_retouch.service.processes.channel import Channel
from stream_retouch.service.processes.forwarding import Answerer
from stream_retouch.service.processes.media import Close, MakeParts, Others, State
from stream_retouch.settings import Settings
from tests.fakes import FakeEngine, FakeFinder, make_layer
from tests.service.fakes import FakeConditioner

FACE = FaceBox(110, 70, 210, 170)
REFUSED = "the parts of this process are missing; put them back"


def darkening() -> Parts:
    """Parts that see one face in the middle, and darken it when they are told to."""
    engine = FakeEngine(make_layer(offset=-48))
    return Parts(engine, lambda: FakeFinder([FACE]), FakeConditioner(), GrammarPlanner())


def failing() -> Parts:
    """Parts that are not there."""
    raise WeightsError("w.safetensors", "is truncated")


def small(settings: Settings, load_parts: MakeParts, mark: str, end: socket.socket) -> None:
    """A media process without a service: tells its id, the paths it was asked for, and ends on command."""
    asyncio.run(_small(mark, end))


def ending(settings: Settings, load_parts: MakeParts, mark: str, end: socket.socket) -> None:
    """One that ends before it is ready."""
    sys.exit(7)


def refusing(settings: Settings, load_parts: MakeParts, mark: str, end: socket.socket) -> None:
    """One that tells why it cannot be."""
    asyncio.run(_refusing(end))


async def _refusing(end: socket.socket) -> None:
    channel = await Channel.over(end)
    channel.post(State(REFUSED, REFUSED, NOBODY))
    async for message in channel.messages():
        if isinstance(message, Close):
            break
    await channel.close()


async def _small(mark: str, end: socket.socket) -> None:
    heard = NOBODY

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/die":
            os._exit(9)
        if scope["path"] == "/sessions":
            channel.post(State(None, None, Occupancy(sessions=int(scope["query_string"]))))
        text = f"{mark} {os.getpid()} {heard.sessions}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    channel = await Channel.over(end)
    answerer = Answerer(app, channel)
    channel.post(State(None, None, NOBODY))
    async for message in channel.messages():
        match message:
            case Others(occupancy=occupancy):
                heard = occupancy
            case Close():
                break
            case crossing:
                answerer.take(crossing)
    await answerer.close()
    await channel.close()
