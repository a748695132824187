"""WHEP (draft-ietf-wish-whep): whoever may can watch a published stream, retouched."""

from __future__ import annotations

import time

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from stream_retouch.service.endpoints import PAGE
from stream_retouch.service.exchange import (
    SDP,
    add_discovery_routes,
    add_resource_routes,
    created,
    documented,
    offer_of,
    refusal_of,
)
from stream_retouch.service.service import Service
from stream_retouch.service.turn import ice_links


def add_whep_routes(app: FastAPI, service: Service) -> None:
    """The endpoint ``/whep/{name}``, the viewers' resources below it, and a page that plays it."""
    settings, streams = service.settings, service.streams

    @app.post(
        "/whep/{name}",
        status_code=201,
        summary="Watch a stream",
        description=(
            "Offer to receive video (H.264 or VP8), and one sound at most; the answer is sendonly. "
            "All candidates are in the answer."
        ),
        response_class=Response,
        responses={
            **documented(400, "the offer is not SDP; send what createOffer() gave"),
            **documented(401, "this service needs its token: send Authorization: Bearer TOKEN"),
            **documented(409, "nobody publishes as live now; try again later"),
            **documented(413, f"an offer may have at most {settings.max_sdp_bytes} bytes"),
            **documented(415, "send the offer as Content-Type: application/sdp"),
            **documented(422, "the offer has neither H.264 nor VP8; offer one of them"),
            **documented(503, "all places for viewers are taken; try again later"),
        },
    )
    async def watch(request: Request, name: str) -> Response:
        offer = await offer_of(request, settings.max_sdp_bytes)
        if isinstance(offer, Response):
            return offer
        try:
            viewer, answer = await streams.watch(name, offer)
        except Exception as error:
            return refusal_of(error, service)
        links = ice_links(settings, time.time())
        return created(request, f"/whep/{name}/{viewer.id}", answer, viewer.etag, links)

    add_discovery_routes(app, "/whep/{name}", lambda: Response(media_type=SDP))
    add_resource_routes(app, "/whep/{name}/{resource}", streams.viewer, streams.end_viewer)

    @app.get("/watch/{name}", include_in_schema=False)
    async def watch_page(name: str) -> FileResponse:
        return FileResponse(PAGE / "watch.html")
