"""No body may be too long, too slow or half: whatever comes, one request is all it costs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from stream_retouch.service import exchange
from stream_retouch.service.server import create_app
from stream_retouch.settings import Settings
from tests.service.fakes import FakePeer, FakeRetoucher, parts

PATHS = [
    ("POST", "/session", "application/sdp"),
    ("POST", "/whip/me", "application/sdp"),
    ("POST", "/whep/me", "application/sdp"),
]


def scope(method: str, path: str, kind: str) -> dict[str, Any]:
    headers = [(b"host", b"127.0.0.1:8080"), (b"content-type", kind.encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8080),
        "scheme": "http",
    }


async def status(asked: dict[str, Any], messages: list[dict[str, Any]]) -> tuple[int, int]:
    """The status of the answer, and how many of the `messages` were read; then nothing more comes."""
    answers: list[dict[str, Any]] = []
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        if read < len(messages):
            read += 1
            return messages[read - 1]
        return await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    app = create_app(
        Settings(), parts(), make_peer=FakePeer, make_retoucher=lambda _: FakeRetoucher()
    )
    async with app.router.lifespan_context(app):
        await app(asked, receive, send)
    return answers[0]["status"], read


def part(body: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": True}


@pytest.mark.parametrize(("method", "path", "kind"), PATHS)
def test_a_body_that_is_too_long_is_not_read_on(method: str, path: str, kind: str) -> None:
    endless = [part(b"v=0" + b"x" * 9_997)] * 100
    answered, read = asyncio.run(status(scope(method, path, kind), endless))
    assert (answered, read) == (413, 7)


@pytest.mark.parametrize(("method", "path", "kind"), PATHS)
def test_a_body_that_does_not_come_is_not_waited_for(
    method: str, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "BODY_S", 0.0)
    assert asyncio.run(status(scope(method, path, kind), [part(b"v=0")]))[0] == 408


@pytest.mark.parametrize(("method", "path", "kind"), PATHS)
def test_a_client_that_goes_in_the_middle_leaves_no_traceback(
    method: str, path: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    gone = [part(b"v=0"), {"type": "http.disconnect"}]
    assert asyncio.run(status(scope(method, path, kind), gone))[0] == 400
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
