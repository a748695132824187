"""The service as an ASGI app: parts, sessions, guard and endpoints put together."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from stream_retouch.engine import FaceFinder
from stream_retouch.errors import SessionNotFound
from stream_retouch.media.retouch import FrameRetoucher
from stream_retouch.rtc.fanout import FanOut
from stream_retouch.rtc.peer import Peer, PeerOptions
from stream_retouch.rtc.ports import UdpPorts
from stream_retouch.rtc.publisher import Publisher
from stream_retouch.rtc.viewer import Viewer
from stream_retouch.service.endpoints import (
    add_health_routes,
    add_ice_route,
    add_page_routes,
    add_session_routes,
)
from stream_retouch.service.guard import Guard, problem
from stream_retouch.service.parts import Parts, PeerPort
from stream_retouch.service.service import Service
from stream_retouch.service.streams import PublisherPort, StreamPort, ViewerPort
from stream_retouch.service.turn import turn_login
from stream_retouch.service.whep import add_whep_routes
from stream_retouch.service.whip import add_whip_routes
from stream_retouch.service.worker import Retoucher
from stream_retouch.settings import Settings


def create_app(
    settings: Settings,
    parts: Parts | Callable[[], Parts],
    registry: CollectorRegistry | None = None,
    *,
    make_peer: Callable[[], PeerPort] | None = None,
    make_retoucher: Callable[[FaceFinder], Retoucher] | None = None,
    make_publisher: Callable[[], PublisherPort] | None = None,
    make_viewer: Callable[[StreamPort], ViewerPort] | None = None,
    cores: float | None = None,
    mark: str = "",
    guarded: bool = True,
) -> FastAPI:
    """The service as an ASGI app; its `Service` is ``app.state.service``.

    Args:
        parts: what it is made of, or a blocking call that gives it, run in a thread while the app
            already answers.
        registry: where metrics are kept; a fresh one by default.
        make_peer, make_retoucher, make_publisher, make_viewer: rtc.Peer, FrameRetoucher,
            rtc.Publisher and rtc.Viewer unless given.
        cores: that may be used; as many as the system allows this process by default.
        mark: what the ids of sessions and viewers begin with, see service/processes.
        guarded: whether it turns away whom it is not for; only a front that does so may say False.

    Raises:
        SettingsError: the address is open to a network and there is no token.
    """
    settings.check_exposure()

    def usual_retoucher(finder: FaceFinder) -> Retoucher:
        assert service.parts is not None  # no session is opened without them
        return FrameRetoucher(finder, crop_size=service.parts.engine.crop_size, webrtc=True)

    def usual_viewer(stream: StreamPort) -> ViewerPort:
        assert isinstance(stream, FanOut)  # of a usual publisher
        return Viewer(peer_options(settings), stream)

    service = Service(
        settings,
        parts,
        registry,
        make_peer or (lambda: Peer(peer_options(settings))),
        make_retoucher or usual_retoucher,
        make_publisher or (lambda: Publisher(peer_options(settings))),
        make_viewer or usual_viewer,
        cores,
        mark,
    )

    async def metrics_page() -> bytes:
        return service.metrics.render()

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
    if guarded:
        app.add_middleware(Guard, settings=settings, metrics=service.metrics)
    app.add_exception_handler(HTTPException, http_problem)
    app.add_exception_handler(SessionNotFound, _not_found)
    add_session_routes(app, service)
    add_ice_route(app, settings)
    add_whip_routes(app, service)
    add_whep_routes(app, service)
    add_health_routes(app, service.missing, metrics_page)
    add_page_routes(app)
    return app


def peer_options(settings: Settings) -> PeerOptions:
    """What one new peer needs of the settings; its TURN credential is its own."""
    return PeerOptions(
        host=settings.host,
        max_bitrate_bps=settings.max_bitrate_bps,
        min_bitrate_bps=settings.min_bitrate_bps,
        start_bitrate_bps=settings.start_bitrate_bps,
        google_min_bitrate_bps=settings.google_min_bitrate_bps,
        ice_servers=settings.ice_servers,
        turn_credential=turn_login(settings, time.time()),
        udp_ports=None if settings.udp_ports is None else UdpPorts(*settings.udp_ports),
        advertise=settings.advertise,
        audio=settings.speech != "off",
        relay_audio=settings.relay_audio,
        video_encoder=settings.video_encoder,
        connect_timeout_s=settings.connect_timeout_s,
        close_timeout_s=settings.shutdown_timeout_s,
    )


async def http_problem(_: Request, error: Exception) -> Response:
    """Starlette's own refusals as problem documents."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, f"{error.detail}; see /openapi.json", headers)


async def _not_found(_: Request, error: Exception) -> Response:
    return problem(404, str(error))
