"""The endpoints of the service, as OpenAPI tells them.

``POST /session`` follows WHIP's header conventions (RFC 9725), but its answer is sendrecv: video
goes in and comes back on one connection.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from stream_retouch.errors import SessionNotFound
from stream_retouch.metrics import CONTENT_TYPE
from stream_retouch.service import control
from stream_retouch.service.exchange import documented, offer_of, refusal_of, unavailable
from stream_retouch.service.guard import deny, problem
from stream_retouch.service.resume import KEEP_S
from stream_retouch.service.service import Service
from stream_retouch.service.session import Session
from stream_retouch.service.turn import CREDENTIAL_S, ice_servers
from stream_retouch.settings import Settings

logger = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
TOO_SLOW = 1013
"""WebSocket close code "try again later": the reader fell behind."""


_TOO_MANY = documented(429, "too many requests from this address; try again in 3 s")
_SDP_EXAMPLE = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n..."
)


def add_session_routes(app: FastAPI, service: Service) -> None:
    settings, sessions = service.settings, service.sessions

    @app.post(
        "/session",
        status_code=201,
        summary="Start a session",
        description=(
            "Offer video (sendrecv); the answer sends it back retouched. All candidates are in "
            "the answer. A data channel named `control`, or the WebSocket `/ws?session=ID`, takes "
            "the control messages.\n\n"
            "A session that ends other than by DELETE leaves its look, plan and dialogue behind for "
            f"{KEEP_S:g} seconds. `Resume: TOKEN`, with the token that its own answer or its `resume` "
            "message told, takes them over, once; if the old connection still hangs, it ends. With a "
            "token that is not known or too old the session begins without a look: `Resumed: ?0`."
        ),
        openapi_extra={
            "parameters": [
                {
                    "name": "Resume",
                    "in": "header",
                    "required": False,
                    "description": "Resume token of the session whose look is taken over",
                    "schema": {"type": "string"},
                    "example": "mJ0v7Qk...",
                }
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/sdp": {"schema": {"type": "string"}, "example": _SDP_EXAMPLE}
                },
            },
        },
        response_class=Response,
        responses={
            201: {
                "description": "The SDP answer",
                "headers": {
                    "Location": {
                        "description": "Path of the session; its last part is the session's id",
                        "schema": {"type": "string", "example": "/session/3q2-7wEVnKx0..."},
                    },
                    "ETag": {
                        "description": "Of this ICE session (strong)",
                        "schema": {"type": "string", "example": '"f3a9c1"'},
                    },
                    "Resume": {
                        "description": "This session's own resume token; a secret",
                        "schema": {"type": "string", "example": "mJ0v7Qk..."},
                    },
                    "Resumed": {
                        "description": "?1: the look is back; ?0: it was not kept. Only if asked.",
                        "schema": {"type": "string", "example": "?1"},
                    },
                },
                "content": {"application/sdp": {"example": _SDP_EXAMPLE}},
            },
            **documented(400, "the offer is not SDP; send what createOffer() gave"),
            **documented(401, "this service needs its token: send Authorization: Bearer TOKEN"),
            **documented(403, "without a token only the service's own page may talk to it"),
            **documented(413, f"an offer may have at most {settings.max_sdp_bytes} bytes"),
            **documented(415, "send the offer as Content-Type: application/sdp"),
            **documented(422, "the offer has several simulcast layers; send one layer"),
            **_TOO_MANY,
            **documented(503, "the engine is being loaded; try again in a few seconds"),
        },
    )
    async def start_session(request: Request) -> Response:
        offer = await offer_of(request, settings.max_sdp_bytes)
        if isinstance(offer, Response):
            return offer
        missing = service.missing()
        if missing is not None or service.parts is None:
            service.metrics.refused("loading")
            return unavailable(missing or "")
        try:
            resume = request.headers.get("resume")
            session, answer = await sessions.open(offer, service.parts, resume)
        except Exception as error:
            return refusal_of(error, service)
        headers = {
            "Location": f"/session/{session.id}",
            "ETag": f'"{secrets.token_hex(8)}"',
            **session.ticket.headers,
            "Cache-Control": "no-store",
        }
        return Response(answer, 201, headers=headers, media_type="application/sdp")

    @app.options("/session", status_code=204, summary="What POST takes", response_class=Response)
    async def session_options() -> Response:
        return Response(
            status_code=204, headers={"Accept-Post": "application/sdp", "Allow": "OPTIONS, POST"}
        )

    @app.delete(
        "/session/{session_id}",
        summary="End a session",
        openapi_extra={
            "parameters": [
                {
                    "name": "session_id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string"},
                    "example": "3q2-7wEVnKx0...",
                }
            ]
        },
        response_class=Response,
        responses={
            200: {"description": "It has ended and freed everything", "content": {}},
            **documented(401, "this service needs its token: send Authorization: Bearer TOKEN"),
            **documented(403, "without a token only the service's own page may talk to it"),
            **documented(404, "no such session; start a new one with POST /session"),
            **_TOO_MANY,
        },
    )
    async def end_session(request: Request) -> Response:
        await sessions.end(request.path_params["session_id"])
        return Response()

    @app.websocket("/ws")
    async def control_socket(websocket: WebSocket) -> None:
        try:
            session = sessions.get(
                service.streams.session_id(websocket.query_params.get("session", ""))
            )
        except SessionNotFound as error:
            await deny(websocket, problem(404, str(error)))
            return
        await websocket.accept()
        await _converse(websocket, session)


async def _converse(websocket: WebSocket, session: Session) -> None:
    """Carries control messages both ways until either side ends."""
    outbox = session.subscribe()
    writer = asyncio.create_task(_write(websocket, outbox), name=f"ws {session.label}")
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            text = message.get("text")
            if text is None:
                outbox.put(control.encode(control.error(None, "send JSON text, not binary")))
            else:
                session.receive(text)
    except RuntimeError:  # starlette: the writer has closed it
        logger.debug("%s: a control socket was closed", session.label)
    finally:
        session.unsubscribe(outbox)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def _write(websocket: WebSocket, outbox: control.Outbox) -> None:
    try:
        while (text := await outbox.get()) is not None:
            await websocket.send_text(text)
        if outbox.overflowed:
            await websocket.close(TOO_SLOW, "messages were not read in time")
        else:
            await websocket.close(1000, "the session has ended")
    except (WebSocketDisconnect, RuntimeError):  # gone in the meantime
        logger.debug("a control socket was gone before its last message")


def add_ice_route(app: FastAPI, settings: Settings) -> None:
    example = {
        "iceServers": [
            {"urls": ["turn:turn.example:3478"], "username": "1795348800:f3a9", "credential": "..."}
        ],
        "ttl": CREDENTIAL_S,
    }

    @app.get(
        "/ice",
        summary="STUN and TURN servers for RTCPeerConnection",
        description="Credentials are this client's own and good for `ttl` seconds.",
        responses={
            200: {"content": {"application/json": {"example": example}}},
            **documented(401, "this service needs its token: send Authorization: Bearer TOKEN"),
        },
    )
    async def ice() -> JSONResponse:
        servers = ice_servers(settings, time.time())
        body = {"iceServers": servers, "ttl": CREDENTIAL_S}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})


def add_health_routes(
    app: FastAPI, missing: Callable[[], str | None], metrics_page: Callable[[], Awaitable[bytes]]
) -> None:
    """Whether the service lives, is ready, and what it counts.

    Args:
        missing: why no session can be opened yet; None when one can.
        metrics_page: in the Prometheus text format.
    """

    @app.get(
        "/healthz",
        summary="Whether the service lives",
        responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}},
    )
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    loading = {
        "ready": False,
        "reasons": ["the engine is being loaded; try again in a few seconds"],
    }

    @app.get(
        "/readyz",
        summary="Whether a session can be opened",
        responses={
            200: {"content": {"application/json": {"example": {"ready": True, "reasons": []}}}},
            503: {
                "description": "Not yet, and why",
                "content": {"application/json": {"example": loading}},
            },
        },
    )
    async def readyz() -> JSONResponse:
        reason = missing()
        if reason is None:
            return JSONResponse({"ready": True, "reasons": []})
        return JSONResponse({"ready": False, "reasons": [reason]}, 503)

    example = "stream_retouch_sessions 1.0\n"

    @app.get(
        "/metrics",
        summary="Metrics in the Prometheus text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": example}}}},
    )
    async def metrics() -> Response:
        return Response(await metrics_page(), headers={"Content-Type": CONTENT_TYPE})


def add_page_routes(app: FastAPI) -> None:
    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False), name="page")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/sample.webm", include_in_schema=False)
    async def sample() -> FileResponse:
        return FileResponse(PAGE / "sample.webm", media_type="video/webm")
