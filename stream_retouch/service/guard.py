"""Who may talk to the service, and what turning somebody away looks like.

Errors are RFC 9457 problem documents.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from urllib.parse import parse_qs

from fastapi import Response, WebSocket
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_retouch.metrics import Metrics
from stream_retouch.service.cors import add_cors, is_listed
from stream_retouch.service.rate_limits import AddressLimits
from stream_retouch.settings import Settings, is_loopback

GUARDED = ("/session", "/ws", "/ice", "/whip", "/whep")
"""Paths (and what lies below them) that need the token when there is one."""
ANSWER_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # After an upgrade a browser must not mix an old script with a new page.
    "Cache-Control": "no-cache",
}
"""On every answer that does not set them itself."""


class Guard:
    """ASGI middleware: turns away whom the service is not for, and adds ANSWER_HEADERS to every
    answer.

    Without a token only this machine may talk to it, and of all web pages only its own: another
    page's script, or a foreign name that was re-bound to 127.0.0.1, must not open somebody's
    stream. Pages that the operator lists may use what cors.py names. With a token, the token
    decides. Who asks too often is asked to wait, whether the token was right or not: nobody can try
    tokens in great numbers.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._token, self._origins = settings.token, settings.allow_origins
        self._limits = AddressLimits(settings.requests_per_s, settings.trusted_proxies)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        asked = Headers(scope=scope)
        listed = is_listed(asked.getlist("origin"), scope["path"], self._origins)

        async def send_secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                if listed:
                    add_cors(headers, asked.getlist("origin")[0], scope.get("method") == "OPTIONS")
                for name, value in ANSWER_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope, asked, listed)
        if refusal is None:
            await self._app(scope, receive, send_secured)
        elif scope["type"] == "websocket":
            await deny(WebSocket(scope, receive, send_secured), refusal)
        else:
            await refusal(scope, receive, send_secured)

    def _refusal(self, scope: Scope, headers: Headers, listed: bool) -> Response | None:
        if self._token is None:
            # First of all: another page's requests must not use up this machine's bucket.
            return self._from_elsewhere(headers, listed) or self._too_many(scope)
        return self._too_many(scope) or self._without_token(scope, headers, self._token)

    def _too_many(self, scope: Scope) -> Response | None:
        kind, wait_s = self._limits.wait_s(scope, time.monotonic())
        if wait_s == 0:
            return None
        self._metrics.rate_limited(kind)
        seconds = math.ceil(wait_s)
        return problem(
            429,
            f"too many requests from this address; try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )

    def _from_elsewhere(self, headers: Headers, listed: bool) -> Response | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not is_loopback(_host_port(hosts[0])[0]):
            return problem(
                403, "without a token the service answers to localhost and 127.0.0.1 only"
            )
        if not listed and any(not _same_place(origin, hosts[0]) for origin in origins):
            return problem(
                403,
                "without a token only the service's own page may talk to it, and those that "
                "--allow-origins lists",
            )
        return None

    def _without_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        path, preflight = scope["path"], scope.get("method") == "OPTIONS"
        if preflight or not any(path == part or path.startswith(part + "/") for part in GUARDED):
            return None
        scheme, _, said = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            said = ""
        if not said and path == "/ws":  # a browser's WebSocket cannot carry the header
            said = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if secrets.compare_digest(said.strip().encode(), token.encode()):
            return None
        return problem(
            401,
            "this service needs its token: send Authorization: Bearer TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )


def _host_port(host: str) -> tuple[str, str]:
    """``localhost:8080`` -> (``localhost``, ``8080``), with ``[::1]`` kept whole; ("", "") when it
    is neither."""
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        name += bracket
    else:
        name, colon, rest = host.partition(":")
        rest = colon + rest
    if rest and not (rest[0] == ":" and rest[1:].isascii() and (rest[1:].isdigit() or rest == ":")):
        return "", ""
    return name.lower(), rest[1:]


def _same_place(origin: str, host: str) -> bool:
    """Whether a web page from `origin` is from `host`, ports included (RFC 6454 §4)."""
    scheme, mark, place = origin.partition("://")
    usual = {"http": "80", "https": "443"}.get(scheme.lower())
    if not mark or usual is None:  # "null" too: a sandboxed frame or a local file
        return False
    (name, port), (own_name, own_port) = _host_port(place), _host_port(host)
    return bool(name) and (name, port or usual) == (own_name, own_port or usual)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error as a problem document (RFC 9457)."""
    title = {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        408: "Request Timeout",
        409: "Conflict",
        412: "Precondition Failed",
        413: "Content Too Large",
        415: "Unsupported Media Type",
        422: "Unprocessable Content",
        428: "Precondition Required",
        429: "Too Many Requests",
        500: "Internal Server Error",
        503: "Service Unavailable",
    }.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Response(
        json.dumps(body), status, headers=headers, media_type="application/problem+json"
    )


async def deny(websocket: WebSocket, refusal: Response) -> None:
    """Refuses a handshake with an HTTP answer, or with a bare 403 where the server knows no
    other."""
    await websocket.receive()  # websocket.connect
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(refusal)
    else:
        await websocket.close()
