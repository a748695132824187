"""What a user says, and every secret, stays out of the logs from INFO up."""

from __future__ import annotations

import logging
import math

import httpx
import pytest
from aiortc import RTCSessionDescription

from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.service.parts import Parts
from stream_retouch.service.server import create_app
from stream_retouch.settings import Settings
from tests.fakes import FakeEngine, FakeFinder, make_layer
from tests.rtc.client import Client, run
from tests.service.fakes import FakeConditioner
from tests.service.test_loopback import FACE, told

MARKER = "xylophone"
TOKEN = "0123456789abcdef-token"


class Careless(GrammarPlanner):
    """Repeats what it was told when it fails."""

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        if "fail" in text:
            raise ValueError(f"cannot make anything of {text!r}")
        return super().plan(text, dialogue)


MESSAGES = {
    '{"type":"instruct","id":"%s","text":"remove all blemishes, %s"}': "plan",
    '{"type":"instruct","id":"%s","text":"fail %s"}': "rejected",
    '{"type":"set_plan","id":"%s","plan":{"edits":[{"category":"%s"}]}}': "error",
    '{"type":"%s","value":"%s"}': "error",
    '{"%s": %s': "error",
}
"""What is sent, with the word in it, and the answer that is awaited."""


def test_a_whole_session_leaves_no_word_and_no_secret_in_the_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)  # every library's, ours included
    secrets: list[str] = [MARKER, TOKEN]

    async def main() -> None:
        engine = FakeEngine(make_layer(offset=-48))
        parts = Parts(engine, lambda: FakeFinder([FACE]), FakeConditioner(), Careless())
        app = create_app(Settings(frame_budget_ms=500, token=TOKEN), parts, cores=math.inf)
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {TOKEN}"}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://127.0.0.1:8080",
                headers=headers,
            ) as http,
        ):
            resume: dict[str, str] = {}
            for _ in range(2):  # the second takes the first one's look over
                client = Client()
                answer = await http.post("/session", content=await client.offer(), headers=resume)
                assert answer.status_code == 201
                secrets.extend((answer.headers["Resume"], answer.headers["Location"]))
                resume = {"Resume": answer.headers["Resume"]}
                await client.pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
                await client.opened.wait()
                secrets.append(str((await told(client, "resume"))["token"]))
                await client.returned.get()
                for message, answered in MESSAGES.items():
                    client.channel.send(message % (MARKER, MARKER))
                    await told(client, answered)
                await client.close()
            bad = await http.post("/session", content=f"v=0\r\ns={MARKER}\r\n")
            assert bad.status_code in (400, 422)
            wrong = {"Authorization": f"Bearer {MARKER}-wrong"}
            assert (await http.delete("/session/x", headers=wrong)).status_code == 401

    run(main)
    logged = caplog.text
    assert "begins with a look that was kept" in logged and "instruction failed" in logged
    assert not [secret for secret in secrets if secret.removeprefix("/session/") in logged]
