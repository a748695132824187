"""The service without the networks: a real peer over loopback, words in, retouched frames back."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from aiortc import RTCSessionDescription

from stream_retouch.engine import FaceBox, RetouchEngine
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.service.parts import Parts
from stream_retouch.service.server import create_app
from stream_retouch.settings import Settings
from tests.fakes import FakeEngine, FakeFinder, make_layer
from tests.rtc.client import Client, first, luma_of, run
from tests.service.fakes import FakeConditioner

DARKER = make_layer(offset=-48)
FACE = FaceBox(110, 70, 210, 170)


@asynccontextmanager
async def service(engine: RetouchEngine) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running service that sees one face in the middle of every picture."""
    parts = Parts(engine, lambda: FakeFinder([FACE]), FakeConditioner(), GrammarPlanner())
    app = create_app(Settings(frame_budget_ms=500), parts, cores=math.inf)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http,
    ):
        yield http


async def connected(http: httpx.AsyncClient) -> tuple[Client, str]:
    """A browser with an open session, and the path of the session."""
    client = Client()
    response = await http.post(
        "/session", content=await client.offer(), headers={"Content-Type": "application/sdp"}
    )
    assert response.status_code == 201, response.text
    await client.pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
    await client.opened.wait()
    return client, response.headers["Location"]


async def told(client: Client, kind: str) -> dict[str, object]:
    """The next message of this type."""
    return json.loads(await first(client.messages, lambda text: json.loads(text)["type"] == kind))


def middle(frame: object) -> float:
    """Mean luma in the middle of the face."""
    return float(luma_of(frame)[110:130, 150:170].mean())  # type: ignore[arg-type]


def test_words_typed_in_a_browser_change_the_face_it_gets_back() -> None:
    async def main() -> None:
        async with service(FakeEngine(DARKER)) as http:
            client, location = await connected(http)
            before = middle(await client.returned.get())
            client.channel.send('{"type":"instruct","id":"a","text":"remove all blemishes"}')
            assert (await told(client, "ack"))["version"] == 0
            assert (await told(client, "plan"))["version"] == 1
            assert (await told(client, "applied"))["version"] == 1
            await first(client.returned, lambda frame: middle(frame) < before - 20)
            client.channel.send('{"type":"enable","id":"b","value":false}')
            assert (await told(client, "ack"))["version"] == 2
            await first(client.returned, lambda frame: middle(frame) > before - 5)
            stats = await told(client, "stats")
            assert stats["added_ms"] is not None
            assert (await http.delete(location)).status_code == 200
            await client.close()

    run(main)


def test_an_engine_that_always_raises_leaves_the_video_as_it_came() -> None:
    async def main() -> None:
        async with service(FakeEngine(error=RuntimeError("device lost"))) as http:
            client, _ = await connected(http)
            before = middle(await client.returned.get())
            client.channel.send('{"type":"instruct","text":"remove all blemishes"}')
            await told(client, "plan")
            for _ in range(10):
                assert abs(middle(await client.returned.get()) - before) < 8
            assert 'result="failed"} 0.0' not in (await http.get("/metrics")).text
            await client.close()

    run(main)


def test_a_browser_that_goes_without_a_word_frees_its_place() -> None:
    async def main() -> None:
        async with service(FakeEngine(DARKER)) as http:
            client, location = await connected(http)
            await client.returned.get()
            assert "stream_retouch_sessions 1.0" in (await http.get("/metrics")).text
            await client.close()  # no DELETE
            async with asyncio.timeout(20):
                while "stream_retouch_sessions 0.0" not in (await http.get("/metrics")).text:
                    await asyncio.sleep(0)
            assert (await http.delete(location)).status_code == 404

    run(main)
