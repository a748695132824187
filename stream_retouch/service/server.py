"""The service as an ASGI app: parts, sessions, guard and endpoints put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from stream_retouch.engine import FaceFinder
from stream_retouch.errors import SessionNotFound
from stream_retouch.media.retouch import FrameRetoucher
from stream_retouch.rtc.peer import Peer, PeerOptions
from stream_retouch.service.endpoints import (
    add_health_routes,
    add_page_routes,
    add_session_routes,
)
from stream_retouch.service.guard import Guard, problem
from stream_retouch.service.parts import Parts, PeerPort
from stream_retouch.service.service import Service
from stream_retouch.service.worker import Retoucher
from stream_retouch.settings import Settings


def create_app(
    settings: Settings,
    parts: Parts | Callable[[], Parts],
    registry: CollectorRegistry | None = None,
    *,
    make_peer: Callable[[], PeerPort] | None = None,
    make_retoucher: Callable[[FaceFinder], Retoucher] | None = None,
) -> FastAPI:
    """The service as an ASGI app; its `Service` is ``app.state.service``.

    Args:
        parts: what it is made of, or a blocking call that gives it, run in a thread while the app
            already answers.
        registry: where metrics are kept; a fresh one by default.
        make_peer, make_retoucher: rtc.Peer and FrameRetoucher unless given.

    Raises:
        SettingsError: the address is open to a network and there is no token.
    """
    settings.check_exposure()

    def usual_retoucher(finder: FaceFinder) -> Retoucher:
        assert service.parts is not None  # no session is opened without them
        return FrameRetoucher(finder, crop_size=service.parts.engine.crop_size, webrtc=True)

    service = Service(
        settings,
        parts,
        registry,
        make_peer or (lambda: Peer(peer_options(settings))),
        make_retoucher or usual_retoucher,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.close()

    # No /docs: that page is fetched from elsewhere, and this service works offline.
    app = FastAPI(
        title="stream_retouch",
        version="1",
        summary="Real-time face retouching over WebRTC, steered by words.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(Guard, settings=settings)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(SessionNotFound, _not_found)
    add_session_routes(app, service)
    add_health_routes(app, service)
    add_page_routes(app)
    return app


def peer_options(settings: Settings) -> PeerOptions:
    """What a peer needs of the settings."""
    return PeerOptions(
        host=settings.host,
        max_bitrate_bps=settings.max_bitrate_bps,
        min_bitrate_bps=settings.min_bitrate_bps,
        start_bitrate_bps=settings.start_bitrate_bps,
        google_min_bitrate_bps=settings.google_min_bitrate_bps,
        ice_servers=settings.ice_servers,
        audio=settings.speech != "off",
        connect_timeout_s=settings.connect_timeout_s,
        close_timeout_s=settings.shutdown_timeout_s,
    )


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, f"{error.detail}; see /openapi.json", headers)


async def _not_found(_: Request, error: Exception) -> Response:
    return problem(404, str(error))
