"""WHIP (RFC 9725): a video is published under a name, and everybody who may can watch it retouched.

OBS, FFmpeg and browsers publish as they are. What they do differently from each other:
* OBS offers no candidates and never sends any: its checks find ours. It wants an absolute Location,
  one Link header per server, and 200 for DELETE;
* FFmpeg takes the server's part of DTLS (setup:passive) and cannot be asked for a key frame;
* browsers send candidates one by one (PATCH) and hide their addresses (.local), which are left out.
"""

from __future__ import annotations

import time

from fastapi import FastAPI, Request, Response

from stream_retouch.service.exchange import (
    absolute,
    add_discovery_routes,
    add_resource_routes,
    created,
    documented,
    offer_of,
    refusal_of,
    unavailable,
)
from stream_retouch.service.service import Service
from stream_retouch.service.turn import ice_links

CONTROL = "urn:ietf:params:whip:ext:stream-retouch:control"
"""Relation of the Link to the WebSocket that takes the control messages of this session; ours, not
registered with IANA."""


def add_whip_routes(app: FastAPI, service: Service) -> None:
    """The endpoint ``/whip/{name}`` and the publishers' resources below it."""
    settings, streams = service.settings, service.streams

    @app.post(
        "/whip/{name}",
        status_code=201,
        summary="Publish a stream",
        description=(
            "Offer video to send (H.264 or VP8), and one sound at most; the answer is recvonly. "
            "Viewers get it retouched at `/whep/{name}`. `?control=KEY`, 8 to 64 letters, digits or "
            "- _ . ~, makes the session known as `NAME:KEY` to `/ws?session=` and `stream-retouch "
            "say --session`, for clients that do not show the Location."
        ),
        response_class=Response,
        responses={
            **documented(400, "the offer is not SDP; send what createOffer() gave"),
            **documented(401, "this service needs its token: send Authorization: Bearer TOKEN"),
            **documented(409, "somebody publishes as live already; choose another name"),
            **documented(413, f"an offer may have at most {settings.max_sdp_bytes} bytes"),
            **documented(415, "send the offer as Content-Type: application/sdp"),
            **documented(422, "the offer has several simulcast layers; send one layer"),
            **documented(503, "the engine is being loaded; try again in a few seconds"),
        },
    )
    async def publish(request: Request, name: str, control: str | None = None) -> Response:
        offer = await offer_of(request, settings.max_sdp_bytes)
        if isinstance(offer, Response):
            return offer
        missing = service.missing()
        if missing is not None or service.parts is None:
            service.metrics.refused("loading")
            return unavailable(missing or "")
        resume = request.headers.get("resume")
        try:
            publisher, session, answer = await streams.publish(
                name, offer, service.parts, control_key=control, resume=resume
            )
        except Exception as error:
            return refusal_of(error, service)
        socket = absolute(request, f"/ws?session={publisher.id}", websocket=True)
        links = [*ice_links(settings, time.time()), f'<{socket}>; rel="{CONTROL}"']
        path = f"/whip/{name}/{publisher.id}"
        response = created(request, path, answer, publisher.etag, links)
        response.headers.update(session.ticket.headers)
        return response

    add_discovery_routes(app, "/whip/{name}", lambda: Response(status_code=204))
    add_resource_routes(app, "/whip/{name}/{resource}", streams.publisher, streams.end_publisher)
