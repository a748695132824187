"""WHIP in and WHEP out of a running service, with clients as they are: FFmpeg's, and aiortc's."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
import uvicorn
from aiortc import RTCSessionDescription

from stream_retouch.engine import FaceBox
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.say import say
from stream_retouch.service.parts import Parts
from stream_retouch.service.server import create_app
from stream_retouch.settings import Settings
from tests.fakes import FakeEngine, FakeFinder, make_layer
from tests.rtc.client import Client, first, luma_of, run
from tests.rtc.test_publishing import Screen
from tests.service.fakes import FakeConditioner

FACE = FaceBox(110, 70, 210, 170)
SDP = {"Content-Type": "application/sdp"}
TOKEN = "0123456789abcdef"
PUBLISHER = Path(__file__).parent / "ffmpeg_publisher.py"


@asynccontextmanager
async def service(token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that listens, and darkens the one face it sees when it is told to."""
    engine = FakeEngine(make_layer(offset=-48))
    parts = Parts(engine, lambda: FakeFinder([FACE]), FakeConditioner(), GrammarPlanner())
    settings = Settings(frame_budget_ms=500, token=token, speech="off")
    config = uvicorn.Config(
        create_app(settings, parts, cores=math.inf), port=0, log_config=None, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
        try:
            yield http
        finally:
            server.should_exit = True
            await serving


async def watching(http: httpx.AsyncClient, name: str) -> tuple[Screen, str]:
    """A viewer of a stream, as soon as somebody publishes it, and its address."""
    screen = Screen(audio=True)
    offer = await screen.offer()
    while (response := await http.post(f"/whep/{name}", content=offer, headers=SDP)).is_error:
        assert response.status_code == 409, response.text
        await asyncio.sleep(0.05)  # its publisher connects from another process
    await screen.pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
    return screen, response.headers["Location"]


def middle(frame: av.VideoFrame) -> float:
    return float(luma_of(frame)[110:130, 150:170].mean())


@pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this PyAV has no WHIP muxer (av 18.1 has it)"
)
@pytest.mark.parametrize("token", [None, TOKEN], ids=["open", "token"])
def test_ffmpeg_publishes_as_it_is_and_is_watched_retouched(token: str | None) -> None:
    async def main() -> None:
        async with service(token) as http:
            here = str(http.base_url).rstrip("/")
            url = f"{here}/whip/live?control=my-secret-key"
            command = [sys.executable, str(PUBLISHER), url, *([] if token is None else [token])]
            ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                screen, viewer = await watching(http, "live")
                before = middle(await screen.pictures.get())
                told = (here, "live:my-secret-key", "remove all blemishes", token, 10.0, 10.0)
                assert (await asyncio.to_thread(say, *told)).refusal is None
                await first(screen.pictures, lambda frame: middle(frame) < before - 20)
                await first(screen.sounds, lambda s: np.abs(s.to_ndarray().astype(int)).max() > 999)
                _, errors = await asyncio.to_thread(ffmpeg.communicate, b"")
                assert ffmpeg.returncode == 0, errors.decode()
                await screen.ended.wait()  # FFmpeg's DELETE has ended the stream for everybody
                gone = await http.get(viewer)
                assert gone.status_code == 404
                assert "the publisher has left" in gone.json()["detail"]
                await screen.close()
            finally:
                ffmpeg.kill()
                ffmpeg.wait()

    run(main)


def test_a_viewer_that_leaves_does_not_disturb_the_stream() -> None:
    async def main() -> None:
        async with service() as http:
            camera = Client(direction="sendonly")
            response = await http.post("/whip/live", content=await camera.offer(), headers=SDP)
            await camera.pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
            one, first_place = await watching(http, "live")
            two, _ = await watching(http, "live")
            for screen in (one, two):
                await screen.pictures.get()
            assert (await http.delete(first_place)).status_code == 200
            await one.ended.wait()
            for _ in range(10):
                await two.pictures.get()
            metrics = (await http.get("/metrics")).text
            assert "stream_retouch_viewers 1.0" in metrics
            assert (await http.delete(response.headers["Location"])).status_code == 200
            await two.ended.wait()
            assert (await http.delete(response.headers["Location"])).status_code == 404
            for part in (camera, one, two):
                await part.close()

    run(main)
