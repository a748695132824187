"""An ASGI app that runs in another process (ASGI 3.0: a connection is its scope, and events both ways).

    server ─ Forwarder ─ channel ─ Answerer ─ app

Every event is asked for, or answered: the app's `receive` asks for one more, its `send` waits until the server has
taken the event. So nothing piles up in between, however large a body or slow a reader, and the app sees the same
order of things as next to its server.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_retouch.service.processes.channel import Channel

logger = logging.getLogger(__name__)

_SCOPE = (
    "type",
    "asgi",
    "http_version",
    "method",
    "scheme",
    "path",
    "raw_path",
    "query_string",
    "root_path",
    "headers",
    "client",
    "server",
    "subprotocols",
)
"""What crosses of a scope; the rest is objects of the server."""


class Begin(NamedTuple):
    """To the app: a connection has come."""

    call: int
    scope: Mapping[str, Any]


class Want(NamedTuple):
    """To the server: the app waits for the next event."""

    call: int


class Event(NamedTuple):
    """To either: an event."""

    call: int
    event: Message


class Taken(NamedTuple):
    """To the app: the server has taken its event, or the client has gone."""

    call: int
    gone: bool


class Done(NamedTuple):
    """To the server: the app has returned, or raised what its process has logged."""

    call: int
    failed: bool


class Abandon(NamedTuple):
    """To the app: the server waits no longer."""

    call: int


Crossing = Begin | Want | Event | Taken | Done | Abandon


class ProcessGone(Exception):
    """The process of the app ended before the app did."""


class AppFailed(Exception):
    """The app raised; its process has logged what."""


class Forwarder:
    """The server's end: an ASGI app."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = count()
        self._calls: dict[int, asyncio.Queue[Crossing | None]] = {}
        self._closed = False

    def take(self, crossing: Crossing) -> None:
        """Is given every message of the other end."""
        inbox = self._calls.get(crossing.call)
        if inbox is not None:
            inbox.put_nowait(crossing)

    def close(self) -> None:
        """The other end has gone: all that wait for it raise ProcessGone."""
        self._closed = True
        for inbox in self._calls.values():
            inbox.put_nowait(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the app.

        Raises:
            ProcessGone: its process has ended.
            AppFailed: it raised.
        """
        if self._closed:
            raise ProcessGone
        call = next(self._numbers)
        inbox = self._calls[call] = asyncio.Queue()
        reading: asyncio.Task[None] | None = None
        done = False
        self._channel.post(Begin(call, _plain(scope)))
        try:
            while True:
                match await inbox.get():
                    case Want():
                        reading = asyncio.create_task(self._read(call, receive), name="forward")
                    case Event(event=event):
                        self._channel.post(Taken(call, await _is_gone(send, event)))
                    case Done(failed=failed):
                        done = True
                        if failed:
                            raise AppFailed
                        return
                    case _:
                        raise ProcessGone
        finally:
            del self._calls[call]
            if not done:
                self._channel.post(Abandon(call))
            if reading is not None:
                reading.cancel()

    async def _read(self, call: int, receive: Receive) -> None:
        self._channel.post(Event(call, await receive()))


async def _is_gone(send: Send, event: Message) -> bool:
    try:
        await send(event)
    except OSError:  # what a server raises when the client has gone (ASGI, "disconnected client")
        return True
    return False


def _plain(scope: Scope) -> dict[str, Any]:
    crossing = {key: scope[key] for key in _SCOPE if key in scope}
    crossing["extensions"] = {name: {} for name in scope.get("extensions") or ()}
    return crossing


@dataclass(slots=True)
class _Call:
    """One connection at the app's end."""

    task: asyncio.Task[None] | None = None
    events: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    is_asked: bool = False
    """Whether an event has been asked for that has not come yet."""
    sent: deque[asyncio.Future[bool]] = field(default_factory=deque)
    """Of the events that the server has not answered yet, oldest first."""


class Answerer:
    """The app's end."""

    def __init__(self, app: ASGIApp, channel: Channel) -> None:
        self._app, self._channel = app, channel
        self._calls: dict[int, _Call] = {}

    def take(self, crossing: Crossing) -> None:
        """Is given every message of the other end."""
        if isinstance(crossing, Begin):
            call = self._calls[crossing.call] = _Call()
            call.task = asyncio.create_task(self._run(crossing, call), name="answer")
            return
        known = self._calls.get(crossing.call)
        if known is None:
            return
        match crossing:
            case Event(event=event):
                known.is_asked = False
                known.events.put_nowait(event)
            case Taken(gone=gone):
                waiting = known.sent.popleft()
                if not waiting.done():  # its sender may have been cancelled
                    waiting.set_result(gone)
            case Abandon():
                if known.task is not None:
                    known.task.cancel()

    async def close(self) -> None:
        """Cancels all that run, and waits for them."""
        tasks = [call.task for call in self._calls.values() if call.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, begin: Begin, call: _Call) -> None:
        number = begin.call

        async def receive() -> Message:
            if call.events.empty() and not call.is_asked:
                call.is_asked = True
                self._channel.post(Want(number))
            return await call.events.get()

        async def send(event: Message) -> None:
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            call.sent.append(answer)
            self._channel.post(Event(number, event))
            if await answer:
                raise OSError("the client has gone")

        failed = False
        try:
            await self._app(dict(begin.scope), receive, send)
        except OSError:
            logger.debug("a client went before it was answered")
        except Exception:
            logger.exception("a request could not be answered")
            failed = True
        finally:
            del self._calls[number]
            self._channel.post(Done(number, failed))
