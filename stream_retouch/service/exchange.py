"""What WHIP, WHEP and /session have in common: an SDP offer in, an answer or a refusal out, and the
resource that stands for the connection (RFC 9725; draft-ietf-wish-whep)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from stream_retouch.errors import (
    SdpError,
    ServiceUnavailable,
    SettingsError,
    StreamConflict,
    UnsupportedOffer,
)
from stream_retouch.rtc.trickle import parse_fragment
from stream_retouch.service.guard import problem
from stream_retouch.service.service import Service
from stream_retouch.service.streams import Connected

logger = logging.getLogger(__name__)

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
RETRY_AFTER_S = 5
"""What a client that was turned away is asked to wait, seconds."""
CONFLICT_RETRY_S = 2
"""The same, while a name is taken or nobody publishes."""
BODY_S = 10.0
"""Longest time a body may take to arrive."""
MAX_FRAGMENT_BYTES = 16_384
_RESTART = (
    "this service does not restart ICE: end this connection and POST a new offer; a publisher keeps "
    "its look by sending the Resume token with it"
)
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


async def offer_of(request: Request, most_bytes: int) -> str | Response:
    """The offer in a POST, or why it is none."""
    if content_type(request) != SDP:
        return problem(415, f"send the offer as Content-Type: {SDP}", {"Accept-Post": SDP})
    body = await bounded_body(request, most_bytes)
    if body is None:
        return problem(413, f"an offer may have at most {most_bytes} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return problem(400, "the offer is not UTF-8 text; send what createOffer() gave")


def refusal_of(error: Exception, service: Service) -> Response:
    """What a client is told whose offer ended in `error`; anything unforeseen goes to the log."""
    match error:
        case UnsupportedOffer():
            return problem(422, str(error))
        case SdpError() | SettingsError():
            return problem(400, str(error))
        case StreamConflict():
            return problem(409, str(error), {"Retry-After": str(CONFLICT_RETRY_S)})
        case ServiceUnavailable():
            service.metrics.refused(error.reason)
            return unavailable(str(error))
    # The border of a connection: this user is told, the others go on.
    logger.error("a session could not be started", exc_info=error)
    return problem(500, "the session could not be started; see the service's log")


def unavailable(reason: str) -> Response:
    """A 503 that says when to come back."""
    return problem(503, reason, {"Retry-After": str(RETRY_AFTER_S)})


def content_type(request: Request) -> str:
    """The media type of a request's body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def bounded_body(request: Request, limit: int) -> bytes | None:
    """The request's body; None when it is longer than `limit` bytes, without reading on.

    Raises:
        HTTPException: it did not come in BODY_S, or its sender has gone: whoever sends a byte now and
            then must not hold a connection for ever.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    return None
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_S:g} s") from None
    except ClientDisconnect:  # nobody reads the answer; without one starlette logs a traceback
        raise HTTPException(400, "the body is not complete") from None
    return bytes(body)


def absolute(request: Request, path: str, *, websocket: bool = False) -> str:
    """The URL of `path` as this client reaches the service; `path` itself if it does not tell.

    Absolute, because OBS takes a relative one apart wrongly.
    """
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        return path
    secure = request.url.scheme == "https"
    scheme = ("wss" if secure else "ws") if websocket else ("https" if secure else "http")
    return f"{scheme}://{host}{path}"


def created(request: Request, path: str, answer: str, etag: str, links: list[str]) -> Response:
    """201 with the answer; each of `links` is a Link header of its own, as OBS needs it."""
    headers = {
        "Location": absolute(request, path),
        "ETag": etag,
        "Accept-Patch": FRAGMENT,
        "Cache-Control": "no-store",
    }
    response = Response(answer, 201, headers=headers, media_type=SDP)
    for link in links:
        response.headers.append("Link", link)
    return response


def documented(status: int, detail: str) -> dict[int | str, dict[str, Any]]:
    """One error answer for OpenAPI."""
    example = {"type": "about:blank", "title": "...", "status": status, "detail": detail}
    return {
        status: {
            "description": detail,
            "content": {"application/problem+json": {"example": example}},
        }
    }


def in_path(*names: str) -> dict[str, Any]:
    """Texts in a path for OpenAPI. (FastAPI's own would document a 422 that never comes.)"""
    text = {"in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [{"name": name, **text} for name in names]}


def add_discovery_routes(app: FastAPI, path: str, empty: Callable[[], Response]) -> None:
    """OPTIONS, GET and HEAD of an endpoint that takes offers; `empty` makes the answer to GET."""

    @app.options(
        path,
        status_code=204,
        summary="What POST takes",
        response_class=Response,
        openapi_extra=in_path("name"),
    )
    async def options(_: Request) -> Response:
        allow = "OPTIONS, GET, HEAD, POST"
        return Response(status_code=204, headers={"Accept-Post": SDP, "Allow": allow})

    @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    async def discover(_: Request) -> Response:
        return empty()


def add_resource_routes(
    app: FastAPI,
    path: str,
    find: Callable[[str, str], Connected],
    end: Callable[[str, str], Awaitable[None]],
) -> None:
    """PATCH (trickle ICE), DELETE, OPTIONS, GET and HEAD of a connection's own URL.

    Args:
        path: with ``{name}`` and ``{resource}``.
        find, end: take both; raise SessionNotFound.
    """
    gone = documented(404, "no such session; it has ended or never was: start a new one")

    @app.patch(
        path,
        status_code=204,
        summary="Further ICE candidates",
        response_class=Response,
        responses={
            **documented(400, "this is no trickle-ice-sdpfrag"),
            **gone,
            **documented(412, "the ETag is not that of this connection"),
            **documented(415, f"send candidates as Content-Type: {FRAGMENT}"),
            **documented(422, _RESTART),
            **documented(428, "send If-Match with the ETag of the 201"),
        },
        openapi_extra=in_path("name", "resource"),
    )
    async def trickle(request: Request) -> Response:
        connected = find(request.path_params["name"], request.path_params["resource"])
        if content_type(request) != FRAGMENT:
            wanted = f"send candidates as Content-Type: {FRAGMENT}"
            return problem(415, wanted, {"Accept-Patch": FRAGMENT})
        return await _trickled(request, connected)

    @app.delete(
        path,
        summary="End the connection",
        response_class=Response,
        responses={200: {"description": "It has ended", "content": {}}, **gone},
        openapi_extra=in_path("name", "resource"),
    )
    async def delete(request: Request) -> Response:
        await end(request.path_params["name"], request.path_params["resource"])
        return Response()

    @app.options(
        path,
        status_code=204,
        summary="What PATCH takes",
        response_class=Response,
        openapi_extra=in_path("name", "resource"),
    )
    async def options(_: Request) -> Response:
        allow = "OPTIONS, GET, HEAD, PATCH, DELETE"
        return Response(status_code=204, headers={"Accept-Patch": FRAGMENT, "Allow": allow})

    @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    async def look(request: Request) -> Response:
        find(request.path_params["name"], request.path_params["resource"])
        return Response(status_code=204)


async def _trickled(request: Request, connected: Connected) -> Response:
    tags = [tag.strip() for tag in request.headers.get("if-match", "").split(",") if tag.strip()]
    if not tags:
        return problem(428, "send If-Match with the ETag of the 201")
    if "*" not in tags and connected.etag not in tags:
        return problem(412, "the ETag is not that of this connection; send that of its 201")
    body = await bounded_body(request, MAX_FRAGMENT_BYTES)
    if body is None:
        return problem(413, f"a fragment may have at most {MAX_FRAGMENT_BYTES} bytes")
    try:
        fragment = parse_fragment(body.decode())
    except UnicodeDecodeError:
        return problem(400, "the fragment is not UTF-8 text; send lines like a=candidate:...")
    except SdpError as error:
        return problem(400, str(error))
    # "*" is how a client begins another ICE session (RFC 9725 section 4.3.3).
    if "*" in tags or not await connected.trickle(fragment):
        return problem(422, _RESTART)
    return Response(status_code=204)
