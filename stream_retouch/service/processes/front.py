"""What clients talk to when there are several media processes: the guard, the page, and who answers what.

POST /session, /whip/NAME      the process that the resume token names, or the emptiest one
/session/ID, /ws?session=ID    the process whose mark the id begins with
/whip/NAME..., /whep/NAME...   where NAME was published first, as long as that process lives
page, health, metrics, ice     the front itself
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from fastapi import FastAPI, Response, WebSocket
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_retouch.metrics import Metrics
from stream_retouch.service.endpoints import add_health_routes, add_ice_route, add_page_routes
from stream_retouch.service.exchange import unavailable
from stream_retouch.service.guard import Guard, deny, problem
from stream_retouch.service.processes.fleet import LOADING, Fleet, MediaProcess
from stream_retouch.service.processes.forwarding import AppFailed, ProcessGone
from stream_retouch.service.processes.summed import summed
from stream_retouch.service.server import http_problem
from stream_retouch.settings import Settings

logger = logging.getLogger(__name__)

FORWARDED = ("/session", "/ws", "/whip", "/whep", "/watch", "/openapi.json")
"""Paths, and what lies below them, that a media process answers."""
MOST_NAMES = 4_096
"""Names of streams whose process is remembered; then the one that was used least recently is forgotten."""
GONE = "what served this connection has ended; connect again"
GONE_CODE = 1012
"""WebSocket close code "service restart"."""
METRICS_S = 2.0
"""A process that does not tell its metrics for so long is left out."""


def create_front(settings: Settings, fleet: Fleet) -> FastAPI:
    """The front as an ASGI app; it starts the fleet and ends it.

    Raises:
        SettingsError: the address is open to a network and there is no token.
    """
    settings.check_exposure()
    metrics = Metrics()

    async def metrics_page() -> bytes:
        pages = await asyncio.gather(*(_metrics_of(place) for place in fleet.running()))
        return summed([metrics.render(), *pages])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        fleet.start()
        try:
            yield
        finally:
            await fleet.close()

    app = FastAPI(
        title="stream_retouch",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # a media process tells it whole
    )
    app.add_middleware(_Switchboard, fleet=fleet, metrics=metrics)
    app.add_middleware(Guard, settings=settings, metrics=metrics)  # added last: asked first
    app.add_exception_handler(HTTPException, http_problem)
    add_ice_route(app, settings)
    add_health_routes(app, fleet.missing, metrics_page)
    add_page_routes(app)
    return app


class _Switchboard:
    """ASGI middleware: hands requests to the media process that they belong to."""

    def __init__(self, app: ASGIApp, fleet: Fleet, metrics: Metrics) -> None:
        self._app, self._fleet, self._metrics = app, fleet, metrics
        self._names: OrderedDict[str, str] = OrderedDict()  # stream -> mark

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not _is_forwarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        place, begins = self._place(scope)
        if place is None or place.forwarder is None:
            self._metrics.refused("loading")
            await _refuse(unavailable(LOADING), scope, receive, send)
            return
        noted = _Noted(send)
        with _coming(place) if begins else contextlib.nullcontext():
            try:
                await place.forwarder(scope, receive, noted)
            except ProcessGone:
                await _break_off(unavailable(GONE), noted, scope, receive)
            except AppFailed:
                told = problem(500, "something went wrong; see the service's log")
                await _break_off(told, noted, scope, receive)

    def _place(self, scope: Scope) -> tuple[MediaProcess | None, bool]:
        """Who answers, and whether a session may begin there with it."""
        first, *parts = scope["path"].strip("/").split("/")
        if first == "ws":
            said = parse_qs(scope["query_string"].decode("latin-1")).get("session", [""])[0]
            name, colon, _ = said.partition(":")
            return self._where(name) if colon else self._of(said), False
        if first in ("whip", "whep") and len(parts) > 1:
            return self._of(parts[1]), False
        if first == "session" and parts:
            return self._of(parts[0]), False
        posts = scope.get("method") == "POST"
        if first == "whip" and parts and posts:
            return self._publishing(parts[0], scope), True
        if first in ("whip", "whep", "watch") and parts:
            return self._where(parts[0]), False
        if first == "session" and posts:
            return self._beginning(scope), True
        return self._anyone(), False

    def _of(self, identity: str) -> MediaProcess | None:
        return self._fleet.of(identity) or self._anyone()

    def _where(self, name: str) -> MediaProcess | None:
        """Where that stream is, or was."""
        return self._of(self._names.get(name, ""))

    def _publishing(self, name: str, scope: Scope) -> MediaProcess | None:
        """One name is with one process only, or two could publish under it."""
        place = self._fleet.of(self._names.pop(name, "")) or self._beginning(scope)
        if place is not None:
            self._names[name] = place.mark
            while len(self._names) > MOST_NAMES:
                self._names.popitem(last=False)
        return place

    def _beginning(self, scope: Scope) -> MediaProcess | None:
        token = Headers(scope=scope).get("resume", "")
        return self._fleet.of(token) or self._fleet.emptiest()

    def _anyone(self) -> MediaProcess | None:
        return next(iter(self._fleet.running()), None)


class _Noted:
    """An ASGI `send` that remembers whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = False

    async def __call__(self, message: Message) -> None:
        self.began = True
        await self._send(message)


def _is_forwarded(path: str) -> bool:
    return any(path == part or path.startswith(part + "/") for part in FORWARDED)


@contextlib.contextmanager
def _coming(place: MediaProcess) -> Iterator[None]:
    place.coming += 1
    try:
        yield
    finally:
        place.coming -= 1


async def _refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await deny(WebSocket(scope, receive, send), refusal)
    else:
        await refusal(scope, receive, send)


async def _break_off(refusal: Response, noted: _Noted, scope: Scope, receive: Receive) -> None:
    """Ends what the process has left half done."""
    if scope["type"] == "http":
        if noted.began:  # the server ends the connection, and the client sees that it is not whole
            raise ConnectionError(GONE)
        await refusal(scope, receive, noted)
    else:
        with contextlib.suppress(OSError, RuntimeError):  # the client has gone, too
            await noted({"type": "websocket.close", "code": GONE_CODE, "reason": GONE})


async def _metrics_of(place: MediaProcess) -> bytes:
    """A process's own page; empty when it does not answer."""
    if place.forwarder is None:
        return b""
    body = bytearray()
    ended: asyncio.Event = asyncio.Event()
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/metrics",
        "raw_path": b"/metrics",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
    }

    async def receive() -> Message:
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        body.extend(message.get("body", b""))

    try:
        async with asyncio.timeout(METRICS_S):
            await place.forwarder(scope, receive, send)
    except (ProcessGone, AppFailed, TimeoutError):
        logger.warning("media process %s does not tell its metrics", place.mark)
        return b""
    return bytes(body)
