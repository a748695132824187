"""An app that is asked from elsewhere sees and says what it would next to its server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_retouch.service.processes.channel import Channel
from stream_retouch.service.processes.forwarding import (
    Answerer,
    AppFailed,
    Forwarder,
    ProcessGone,
)

SCOPE: Scope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "method": "POST",
    "path": "/session",
    "query_string": b"a=b",
    "headers": [(b"content-type", b"application/sdp")],
    "client": ("192.0.2.1", 5000),
    "state": {"lock": asyncio.Lock},
    "extensions": {"websocket.http.response": {}, "tls": {"object": object()}},
}


class Elsewhere:
    """An app behind a channel; `gone` ends its process."""

    def __init__(self, forwarder: Forwarder, answerer: Answerer, far: Channel) -> None:
        self.forwarder, self.answerer, self._far = forwarder, answerer, far

    async def gone(self) -> None:
        await self._far.close()


@asynccontextmanager
async def elsewhere(app: ASGIApp) -> AsyncIterator[Elsewhere]:
    ends = socket.socketpair()
    near, far = await Channel.over(ends[0]), await Channel.over(ends[1])
    forwarder, answerer = Forwarder(near), Answerer(app, far)

    async def read(channel: Channel, take: Callable[..., None]) -> None:
        async for message in channel.messages():
            take(message)

    async def read_near() -> None:
        await read(near, forwarder.take)
        forwarder.close()

    readers = [asyncio.create_task(read_near()), asyncio.create_task(read(far, answerer.take))]
    try:
        yield Elsewhere(forwarder, answerer, far)
    finally:
        await answerer.close()
        await near.close()
        await far.close()
        await asyncio.gather(*readers)


class Wire:
    """A server's side of one connection."""

    def __init__(self, *events: Message) -> None:
        self.events = list(events)
        self.received = 0
        self.sent: list[Message] = []
        self.gone = False
        self.disconnected = asyncio.Event()

    async def receive(self) -> Message:
        if self.received == len(self.events):
            await self.disconnected.wait()
            return {"type": "http.disconnect"}
        self.received += 1
        return self.events[self.received - 1]

    async def send(self, message: Message) -> None:
        if self.gone:
            raise OSError("gone")
        self.sent.append(message)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


def body(text: bytes, more: bool) -> Message:
    return {"type": "http.request", "body": text, "more_body": more}


def test_a_request_crosses_with_its_body_and_comes_back_answered() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"] == "/session" and scope["client"] == ("192.0.2.1", 5000)
        assert scope["query_string"] == b"a=b" and "state" not in scope
        assert scope["extensions"] == {"websocket.http.response": {}, "tls": {}}
        whole = b""
        while True:
            event = await receive()
            whole += event["body"]
            if not event["more_body"]:
                break
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": whole[::-1]})

    async def main() -> None:
        async with elsewhere(app) as far:
            wires = [Wire(body(b"one", True), body(str(n).encode(), False)) for n in range(20)]
            calls = [far.forwarder(SCOPE, wire.receive, wire.send) for wire in wires]
            await asyncio.gather(*calls)
            for n, wire in enumerate(wires):
                assert [message["type"] for message in wire.sent] == [
                    "http.response.start",
                    "http.response.body",
                ]
                assert wire.sent[1]["body"] == f"one{n}".encode()[::-1]

    run(main)


def test_no_more_is_read_than_the_app_asks_for() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        await send({"type": "http.response.start", "status": 413, "headers": []})

    async def main() -> None:
        async with elsewhere(app) as far:
            wire = Wire(*[body(b"x" * 65_536, True)] * 1000)
            await far.forwarder(SCOPE, wire.receive, wire.send)
            assert wire.received == 2 and wire.sent[0]["status"] == 413

    run(main)


def test_an_app_that_gave_up_waiting_gets_the_event_the_next_time() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await receive()
        event = await receive()
        await send({"type": "http.response.body", "body": event["body"]})

    async def main() -> None:
        async with elsewhere(app) as far:
            wire = Wire(body(b"first", True), body(b"second", False))
            await far.forwarder(SCOPE, wire.receive, wire.send)
            assert wire.sent[0]["body"] == b"first"

    run(main)


def test_a_client_that_has_gone_is_an_oserror_to_the_app_and_nothing_to_the_server() -> None:
    seen: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        except OSError as error:
            seen.append(error)
            raise

    async def main() -> None:
        async with elsewhere(app) as far:
            wire = Wire()
            wire.gone = True
            await far.forwarder(SCOPE, wire.receive, wire.send)
        assert len(seen) == 1

    run(main)


def test_an_app_waits_until_the_server_has_taken_what_it_sent() -> None:
    progress: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for n in range(3):
            await send({"type": "websocket.send", "text": str(n)})
            progress.append(f"app {n}")

    async def main() -> None:
        async def slow(message: Message) -> None:
            await asyncio.sleep(0)
            progress.append(f"server {message['text']}")

        async with elsewhere(app) as far:
            await far.forwarder({**SCOPE, "type": "websocket"}, Wire().receive, slow)
        assert progress == [f"{who} {n}" for n in range(3) for who in ("server", "app")]

    run(main)


def test_an_app_that_raises_is_told_and_logged_there(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("a fault")

    async def main() -> None:
        async with elsewhere(app) as far:
            with pytest.raises(AppFailed):
                await far.forwarder(SCOPE, Wire().receive, Wire().send)

    run(main)
    assert "a request could not be answered" in caplog.text and "a fault" in caplog.text


def test_a_server_that_waits_no_longer_cancels_the_app() -> None:
    async def main() -> None:
        entered, cancelled = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            entered.set()
            try:
                await receive()
            finally:
                cancelled.set()

        async with elsewhere(app) as far:
            wire = Wire()
            waiting = asyncio.ensure_future(far.forwarder(SCOPE, wire.receive, wire.send))
            await entered.wait()
            waiting.cancel()
            await cancelled.wait()
            assert (await asyncio.gather(waiting, return_exceptions=True)) != [None]

    run(main)


def test_the_end_of_a_process_ends_what_it_was_asked_and_all_that_is_asked_later() -> None:
    async def main() -> None:
        entered = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            entered.set()
            await receive()

        async with elsewhere(app) as far:
            wire = Wire()
            waiting = asyncio.ensure_future(far.forwarder(SCOPE, wire.receive, wire.send))
            await entered.wait()
            await far.gone()
            with pytest.raises(ProcessGone):
                await waiting
            with pytest.raises(ProcessGone):
                await far.forwarder(SCOPE, wire.receive, wire.send)

    run(main)
