"""A planner behind an endpoint: what it says is checked; the own planner speaks when it says nonsense or nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from engines.asked import SCHEMA
from engines.remote_planner import MOST_BYTES, RemotePlanner
from stream_retouch.errors import SettingsError
from stream_retouch.language.dialogue import advance
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue
from tests.engines.chats import SAID, Own, op


class Endpoint:
    """A server on the loopback that answers with whatever it is told to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.body: bytes | Callable[[], bytes] = b""
        self.status = 200
        self.elsewhere = ""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                endpoint.asked.append(json.loads(self.rfile.read(length)))
                endpoint.keys.append(self.headers.get("Authorization"))
                body = endpoint.body if isinstance(endpoint.body, bytes) else endpoint.body()
                self.send_response(endpoint.status)
                if endpoint.elsewhere:
                    self.send_header("Location", endpoint.elsewhere)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # the planner did not wait

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def says(self, content: object) -> None:
        """The next answers' content."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    one = Endpoint()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_its_program_becomes_the_plan(endpoint: Endpoint) -> None:
    endpoint.says({"ops": [op(amount=0.4), op("keep", "mole", places=["face"])]})
    planner = RemotePlanner(endpoint.url, "m", Own(), key="secret")
    plan, reply = planner.plan(SAID, Dialogue())
    assert [(e.category, e.regions, e.amount) for e in plan.edits] == [
        ("uneven_tone", ("nose",), 0.4)
    ]
    assert [k.category for k in plan.keep] == ["mole"] and reply != "own"
    (asked,) = endpoint.asked
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert json.loads(asked["messages"][1]["content"])["says"] == SAID
    assert endpoint.keys == ["Bearer secret"]


def test_it_is_told_what_is_on_and_what_was_said(endpoint: Endpoint) -> None:
    plan, _ = GrammarPlanner().plan("remove the moles", Dialogue())
    dialogue = advance(Dialogue(), "remove the moles", plan)
    endpoint.says({"ops": [op("undo")]})
    plan, _ = RemotePlanner(endpoint.url, "m", Own()).plan("nope, back", dialogue)
    assert plan.action == "undo"
    told = json.loads(endpoint.asked[0]["messages"][1]["content"])
    assert told["before"] == ["remove the moles"] and told["on"]["edits"][0]["category"] == "mole"


@pytest.mark.parametrize(
    "content",
    [
        "sure, here you go!",
        "{}",
        {"ops": []},
        {"ops": [op("paint")]},
        {"ops": [op(kind="wart")]},
        {"ops": [op(places=["elbow"])]},
        {"ops": [op(places=[])]},
        {"ops": [op()] * 17},
        {"ops": ["edit"]},
        [1, 2],
        "[" * 5000,
    ],
)
def test_nonsense_makes_way_for_the_own_planner(endpoint: Endpoint, content: object) -> None:
    endpoint.says(content)
    assert RemotePlanner(endpoint.url, "m", Own()).plan(SAID, Dialogue())[1] == "own"


def test_errors_floods_and_absence_make_way_too(endpoint: Endpoint) -> None:
    planner = RemotePlanner(endpoint.url, "m", Own())
    endpoint.status = 500
    assert planner.plan(SAID, Dialogue())[1] == "own"
    endpoint.status, endpoint.body = 200, b"x" * (MOST_BYTES + 10)
    assert planner.plan(SAID, Dialogue())[1] == "own"
    endpoint.body = b'{"choices": []}'
    assert planner.plan(SAID, Dialogue())[1] == "own"
    gone = RemotePlanner("http://127.0.0.1:9/v1", "m", Own())
    assert gone.plan(SAID, Dialogue())[1] == "own"


def test_no_redirect_carries_the_words_elsewhere(endpoint: Endpoint) -> None:
    other = Endpoint()
    other.says({"ops": [op()]})
    endpoint.status, endpoint.elsewhere = 307, f"{other.url}/chat/completions"
    assert RemotePlanner(endpoint.url, "m", Own(), key="k").plan(SAID, Dialogue())[1] == "own"
    assert other.asked == []
    other.server.shutdown()
    other.server.server_close()


def test_a_slow_endpoint_is_not_waited_for(endpoint: Endpoint) -> None:
    released = threading.Event()

    def late() -> bytes:
        released.wait(20)
        return b"{}"

    endpoint.body = late
    planner = RemotePlanner(endpoint.url, "m", Own(), timeout_s=0.2)
    assert planner.plan(SAID, Dialogue())[1] == "own"
    released.set()


def test_no_words_are_never_sent(endpoint: Endpoint) -> None:
    planner = RemotePlanner(endpoint.url, "m", Own())
    assert planner.plan(" \U0001f642 ", Dialogue())[1] == "own"
    assert planner.plan("x" * 5000, Dialogue())[1] == "own"
    assert endpoint.asked == []


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(SettingsError, match="http://host:port/v1"):
        RemotePlanner("file:///etc/passwd", "m", Own())
