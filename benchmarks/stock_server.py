"""aiortc as it comes, behind the same ``POST /session``: the row that ours is compared with.

The filter is the identity; ``--delay-ms`` makes it slow, in a thread, as a filter would be. Nothing
of aiortc's media path is changed; only its ICE candidates are on loopback, where it has none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from fastapi import FastAPI, Request, Response

from benchmarks.packet_log import PacketLog
from stream_retouch.rtc.candidates import LOOPBACK, connections_of, gather_on


class Relay(MediaStreamTrack):
    """Gives the frames of another track, each after `delay_s`."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, delay_s: float) -> None:
        super().__init__()
        self._source, self._delay_s = source, delay_s

    async def recv(self) -> Any:
        """The next frame of the source."""
        frame = await self._source.recv()
        if self._delay_s:
            await asyncio.to_thread(time.sleep, self._delay_s)
        return frame


class StockServer:
    """Answers offers, and logs their packets; `close` ends all that it has answered."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self.log = PacketLog()
        self._peers: list[RTCPeerConnection] = []

    async def answer(self, offer: str) -> str:
        """The answer to an offer of one video."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers.append(peer)

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            if track.kind == "video":
                peer.addTrack(Relay(track, self._delay_s))

        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        gather_on(connections_of(peer), [LOOPBACK])
        self.log.attach(peer.getTransceivers()[0].receiver.transport)
        await peer.setLocalDescription()
        return peer.localDescription.sdp

    async def close(self) -> None:
        """Ends every connection."""
        await asyncio.gather(*(peer.close() for peer in self._peers))


def create_app(server: StockServer, log_path: Path | None) -> FastAPI:
    """The HTTP side; the log is written when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await server.close()
        if log_path is not None:
            server.log.save(log_path)

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def readyz() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/session")
    async def session(request: Request) -> Response:
        answer = await server.answer((await request.body()).decode())
        return Response(
            answer, 201, headers={"Location": "/session/1"}, media_type="application/sdp"
        )

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, help="where the packet log goes (JSON)")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="how slow the filter is")
    args = parser.parse_args()
    listener = socket.create_server((LOOPBACK, 0))
    print(f"stock aiortc is on http://{LOOPBACK}:{listener.getsockname()[1]}", flush=True)
    app = create_app(StockServer(args.delay_ms / 1000), args.log)
    config = uvicorn.Config(app, loop="asyncio", log_level="warning", access_log=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
