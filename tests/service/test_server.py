"""The endpoints, who may use them, and how the service starts and stops."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from stream_retouch.errors import ServiceUnavailable, SettingsError, WeightsError
from stream_retouch.service import control
from stream_retouch.service.parts import Parts
from stream_retouch.service.running import serve
from stream_retouch.service.server import create_app, peer_options
from stream_retouch.service.service import Service
from stream_retouch.settings import Settings
from tests.service.fakes import OFFER, PATIENCE_S, FakeEngine, FakePeer, FakeRetoucher, parts

HERE = "http://127.0.0.1:8080"
SDP = {"Content-Type": "application/sdp"}
TOKEN = "0123456789abcdef"
ROOT = Path(__file__).resolve().parents[2]


class Browser(TestClient):
    """A client of a service of fakes; `peers` are the service's ends of its sessions."""

    def __init__(self, parts_given: Any, *, cores: float = math.inf, **settings: Any) -> None:
        self.peers: list[FakePeer] = []
        self.peer_error: Exception | None = None
        self.engine = FakeEngine()
        app = create_app(
            Settings(**settings),
            parts(self.engine) if parts_given is None else parts_given,
            make_peer=self._make_peer,
            make_retoucher=lambda _: FakeRetoucher(),
            cores=cores,
        )
        self.service: Service = app.state.service
        super().__init__(app, base_url=HERE)

    def _make_peer(self) -> FakePeer:
        self.peers.append(FakePeer())
        self.peers[-1].error = self.peer_error
        return self.peers[-1]

    def begin(self) -> str:
        """A new session's id."""
        response = self.post("/session", content=OFFER, headers=SDP)
        assert response.status_code == 201
        return str(response.headers["Location"]).removeprefix("/session/")

    def socket(self, session: str, **headers: str) -> Any:
        """A control socket; enter it with `with`."""
        headers = {"host": "127.0.0.1:8080", **headers}
        return self.websocket_connect(f"ws://127.0.0.1:8080/ws?session={session}", headers=headers)


@pytest.fixture
def browser() -> Iterator[Browser]:
    before = set(threading.enumerate())
    with Browser(None) as client:
        yield client
    assert client.engine.closed == 1
    assert all(peer.closed for peer in client.peers)
    left = {t for t in set(threading.enumerate()) - before if not t.name.startswith("AnyIO")}
    assert not left


def test_an_offer_is_answered_with_the_headers_of_whip(browser: Browser) -> None:
    response = browser.post(
        "/session", content=OFFER, headers={"Content-Type": "Application/SDP; charset=utf-8"}
    )
    assert response.status_code == 201
    assert response.headers["Content-Type"].startswith("application/sdp")
    assert response.headers["Location"].startswith("/session/")
    assert len(response.headers["Location"]) >= len("/session/") + 32
    assert response.headers["ETag"].startswith('"') and response.headers["ETag"].endswith('"')
    assert response.text.startswith("v=0")


def test_a_session_ends_once_with_200_then_404(browser: Browser) -> None:
    session = browser.begin()
    assert browser.delete(f"/session/{session}").status_code == 200
    assert browser.peers[0].closed == 1
    again = browser.delete(f"/session/{session}")
    assert again.status_code == 404
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.json()["detail"].endswith("start a new one with POST /session")


@pytest.mark.parametrize(
    ("content", "kind", "status", "detail"),
    [
        (b"v=0", "application/json", 415, "send the offer as Content-Type: application/sdp"),
        (b"v=0", "", 415, "send the offer as Content-Type: application/sdp"),
        (b"v=0" + b"x" * 65_536, "application/sdp", 413, "at most 65536 bytes"),
        (b"hello", "application/sdp", 400, "the offer is not SDP"),
        (b"", "application/sdp", 400, "the offer is not SDP"),
        (b"v=0\xff\xfe", "application/sdp", 400, "the offer is not UTF-8 text"),
    ],
)
def test_an_unusable_offer_gets_a_problem_document(
    browser: Browser, content: bytes, kind: str, status: int, detail: str
) -> None:
    response = browser.post("/session", content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert detail in response.json()["detail"]
    assert browser.get("/metrics").text.count("stream_retouch_sessions 0.0") == 1


def test_get_and_head_of_the_endpoint_are_405_and_options_tells_what_post_takes(
    browser: Browser,
) -> None:
    assert browser.get("/session").status_code == 405
    assert browser.head("/session").status_code == 405
    options = browser.options("/session")
    assert options.status_code == 204
    assert options.headers["Accept-Post"] == "application/sdp"


def test_too_many_sessions_are_told_to_come_back() -> None:
    with Browser(None, max_sessions=1) as client:
        client.begin()
        response = client.post("/session", content=OFFER, headers=SDP)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "all 1 sessions are taken" in response.json()["detail"]


def test_a_machine_that_is_full_says_how_many_it_carries_and_serves_them_on() -> None:
    with Browser(None, cores=0.5) as client:
        session = client.begin()
        response = client.post("/session", content=OFFER, headers=SDP)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert response.json()["detail"] == (
            "this machine carries 1 stream and they need all of it; try again when one has ended, "
            "or run the service on more cores"
        )
        assert 'refused_total{reason="overload"} 1.0' in client.get("/metrics").text
        with client.socket(session) as ws:
            ws.send_json({"type": "state"})
            assert ws.receive_json()["type"] == "ack"


def test_a_peer_that_breaks_is_this_users_problem_only(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    session = browser.begin()
    browser.peer_error = OSError("no more sockets")
    response = browser.post("/session", content=OFFER, headers=SDP)
    assert response.status_code == 500
    assert "a session could not be started" in caplog.messages
    with browser.socket(session) as ws:
        ws.send_json({"type": "state"})
        assert ws.receive_json()["type"] == "ack"


def test_until_the_parts_are_loaded_the_service_lives_but_is_not_ready() -> None:
    held, engine = threading.Event(), FakeEngine()

    def load() -> Parts:
        assert held.wait(PATIENCE_S)
        return parts(engine)

    with Browser(load) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        waiting = client.get("/readyz")
        assert waiting.status_code == 503
        assert waiting.json()["reasons"] == [
            "the engine is being loaded; try again in a few seconds"
        ]
        early = client.post("/session", content=OFFER, headers=SDP)
        assert early.status_code == 503 and early.headers["Retry-After"]
        held.set()
        while client.get("/readyz").status_code != 200:
            pass
        assert client.get("/readyz").json() == {"ready": True, "reasons": []}
        client.begin()
    assert engine.closed == 1


def test_a_missing_conditioner_and_unusable_weights_are_told_by_readyz() -> None:
    whole = parts()
    with Browser(Parts(whole.engine, whole.finder, None, whole.planner)) as client:
        assert "the conditioner is being loaded" in client.get("/readyz").json()["reasons"][0]

    def fail() -> Parts:
        raise WeightsError("w.safetensors", "is truncated")

    with Browser(fail) as client:
        while "is being loaded" in client.get("/readyz").text:
            pass
        reason = client.get("/readyz").json()["reasons"][0]
        assert reason.startswith("weights w.safetensors: is truncated; reinstall")
        assert client.get("/healthz").status_code == 200


FOREIGN = [
    {"host": "evil.example"},
    {"host": "evil.example:8080"},
    {"host": "127.0.0.1.evil.example:8080"},
    {"host": "localhost.evil.example"},
    {"host": "192.0.2.7:8080"},
    {"host": "[::2]:8080"},
    {"host": "localhost:80x"},
    {"host": "user@localhost"},
    {"host": ""},
    {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://localhost:8080"},
    {"origin": "http://127.0.0.1:8080.evil.example"},
    {"origin": "http://127.0.0.1:8080@evil.example"},
    {"origin": "null"},
    {"origin": "file://"},
    {"origin": ""},
]
OWN = [
    {},
    {"origin": HERE},
    {"host": "LOCALHOST:9", "origin": "http://localhost:9"},
    {"host": "127.1.2.3"},
    {"host": "[::1]:8080", "origin": "http://[::1]:8080"},
    {"host": "localhost", "origin": "http://localhost:80"},
    {"host": "localhost", "origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_host_or_origin_gets_403_everywhere(
    browser: Browser, headers: dict[str, str]
) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/page/page.js"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/ice"),
        ("POST", "/session"),
        ("POST", "/whip/x"),
        ("POST", "/whep/x"),
        ("PATCH", "/whip/x/y"),
        ("DELETE", "/whep/x/y"),
        ("OPTIONS", "/session"),
        ("DELETE", "/session/x"),
    ):
        response = browser.request(method, path, headers={**SDP, **headers}, content=OFFER)
        assert response.status_code == 403, (method, path)
        assert response.json()["detail"].startswith("without a token")
    assert browser.peers == []


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_host_or_origin_cannot_open_a_control_socket(
    browser: Browser, headers: dict[str, str]
) -> None:
    session = browser.begin()
    with pytest.raises(WebSocketDenialResponse) as denied, browser.socket(session, **headers):
        raise AssertionError("it was let in")
    assert denied.value.status_code == 403


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_the_own_page_and_programs_of_this_machine_are_let_in(
    browser: Browser, headers: dict[str, str]
) -> None:
    assert browser.get("/healthz", headers=headers).status_code == 200
    with browser.socket(browser.begin(), **headers) as ws:
        ws.send_json({"type": "state"})
        assert ws.receive_json()["type"] == "ack"


def test_with_a_token_sessions_need_it_and_the_page_does_not() -> None:
    with Browser(None, token=TOKEN, host="0.0.0.0") as client:
        world = {"Host": "filter.example", "Origin": "https://filter.example"}
        assert client.get("/healthz", headers=world).status_code == 200
        for said in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            response = client.post(
                "/session", content=OFFER, headers={**SDP, **world, "Authorization": said}
            )
            assert response.status_code == 401, said
            assert response.headers["WWW-Authenticate"] == "Bearer"
        assert client.delete("/session/x").status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        response = client.post("/session", content=OFFER, headers={**SDP, **world, **right})
        assert response.status_code == 201
        session = response.headers["Location"].removeprefix("/session/")
        with pytest.raises(WebSocketDenialResponse) as denied, client.socket(session):
            raise AssertionError("it was let in")
        assert denied.value.status_code == 401
        with client.socket(f"{session}&token={TOKEN}") as ws:
            ws.send_json({"type": "state"})
            assert ws.receive_json()["type"] == "ack"
        with client.socket(session, **right):
            pass


def test_every_answer_carries_the_security_headers(browser: Browser) -> None:
    for path in ("/healthz", "/nowhere", "/page/nowhere.js"):
        headers = browser.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "media-src 'self' blob:" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
    assert (
        "default-src"
        in browser.get("/x", headers={"host": "evil"}).headers["Content-Security-Policy"]
    )


def test_the_page_and_its_files_are_served(browser: Browser) -> None:
    page = browser.get("/")
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cache-Control"] == "no-cache"
    assert browser.get("/page/page.js").status_code == 200
    sample = browser.get("/sample.webm", headers={"Range": "bytes=0-9"})
    assert sample.status_code == 206 and sample.headers["Content-Type"] == "video/webm"
    assert browser.get("/page/../server.py").status_code == 404


def test_openapi_documents_every_endpoint_with_examples(browser: Browser) -> None:
    paths = browser.get("/openapi.json").json()["paths"]
    own = {"/session", "/session/{session_id}", "/ice", "/healthz", "/readyz", "/metrics"}
    whip = {
        f"/{kind}/{{name}}{below}" for kind in ("whip", "whep") for below in ("", "/{resource}")
    }
    assert set(paths) == own | whip
    post = paths["/session"]["post"]
    told = {"201", "400", "401", "403", "413", "415", "422", "429", "503"}
    assert set(post["responses"]) == told
    assert post["requestBody"]["content"]["application/sdp"]["example"].startswith("v=0")
    headers = {"Location", "ETag", "Resume", "Resumed"}
    assert set(post["responses"]["201"]["headers"]) == headers
    for path, methods in paths.items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for content in answer.get("content", {}).values():
                    assert "example" in content, (path, method, status)


def test_the_control_socket_speaks_as_the_data_channel_does(browser: Browser) -> None:
    with browser.socket(browser.begin()) as ws:
        ws.send_json({"type": "strength", "id": "a", "value": 0.5})
        assert ws.receive_json() == {"type": "ack", "id": "a", "version": 1}
        ws.send_text("}{")
        assert ws.receive_json()["type"] == "error"
        ws.send_bytes(b"\x00")
        assert ws.receive_json()["reason"] == "send JSON text, not binary"
        ws.send_json({"type": "instruct", "id": "b", "text": "no spots"})
        assert [ws.receive_json()["type"] for _ in range(2)] == ["ack", "plan"]
    # The data channel was told the same.
    told = [browser.peers[0].told.get_nowait()["type"] for _ in range(4)]
    assert told == ["ack", "error", "ack", "plan"]


def test_two_sockets_of_one_session_hear_the_same_and_other_sessions_nothing(
    browser: Browser,
) -> None:
    one, other = browser.begin(), browser.begin()
    with browser.socket(one) as a, browser.socket(one) as b, browser.socket(other) as c:
        a.send_json({"type": "enable", "id": "mine", "value": False})
        assert a.receive_json() == b.receive_json()
        c.send_json({"type": "state", "id": "theirs"})
        assert c.receive_json()["id"] == "theirs"


def test_a_control_socket_of_no_session_is_404(browser: Browser) -> None:
    with pytest.raises(WebSocketDenialResponse) as denied, browser.socket("nobody"):
        raise AssertionError("it was let in")
    assert denied.value.status_code == 404


def test_a_control_socket_closes_with_its_session(browser: Browser) -> None:
    session = browser.begin()
    with browser.socket(session) as ws:
        assert browser.delete(f"/session/{session}").status_code == 200
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_json()
        assert closed.value.code == 1000


def test_a_network_address_without_a_token_is_refused_before_anything_starts() -> None:
    with pytest.raises(SettingsError, match="can be reached from other machines"):
        create_app(Settings(host="0.0.0.0"), parts())
    with pytest.raises(SettingsError, match="can be reached from other machines"):
        serve(Settings(host="0.0.0.0"), parts)


def test_a_port_in_use_is_told_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceUnavailable) as raised:
            serve(Settings(port=port), parts)
    assert str(raised.value) == (
        f"port {port} on 127.0.0.1 is in use; stop the program that has it, "
        "or choose another port with --port"
    )


def test_the_peer_gets_its_limits_from_the_settings() -> None:
    options = peer_options(
        Settings(max_bitrate_bps=4_000_000, ice_servers=("stun:a.example",), connect_timeout_s=7)
    )
    assert (options.host, options.max_bitrate_bps) == ("127.0.0.1", 4_000_000)
    assert (options.ice_servers, options.connect_timeout_s) == (("stun:a.example",), 7)
    assert (options.udp_ports, options.advertise) == (None, None)
    behind_nat = peer_options(Settings(udp_ports=(50_000, 50_199), advertise="203.0.113.7"))
    assert (str(behind_nat.udp_ports), behind_nat.advertise) == ("50000-50199", "203.0.113.7")


SCRIPT = """
import gc, sys
from stream_retouch.errors import WeightsError
from stream_retouch.service.running import serve
from stream_retouch.settings import Settings
from tests.service.fakes import parts

def fail():
    raise WeightsError("w.safetensors", "is truncated")

load = fail if sys.argv[1] == "fail" else parts
try:
    status = serve(Settings(port=0), load)
except WeightsError as error:
    sys.exit(str(error))
print(gc.get_freeze_count(), "objects set aside")
sys.exit(status)
"""


def start(mode: str) -> subprocess.Popen[str]:
    """The service in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, mode],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_running_service_with_its_status_and_no_traceback(
    sent: signal.Signals, status: int
) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect
    from websockets.typing import Origin

    with start("run") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("stream_retouch is on http://127.0.0.1:")
        assert line.endswith(" (Ctrl+C stops it)\n")
        place = line.split()[3].removeprefix("http://")
        # The real server refuses handshakes as the test client does.
        for origin, refused in (("https://evil.example", 403), (f"http://{place}", 404)):
            with pytest.raises(InvalidStatus) as denied:
                connect(f"ws://{place}/ws?session=x", origin=Origin(origin), proxy=None)
            assert denied.value.response.status_code == refused
            assert json.loads(denied.value.response.body)["status"] == refused
        process.send_signal(sent)
        said, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    # the parts, with the libraries they came from: no collection looks through them while pictures flow
    aside = re.search(r"^(\d+) objects set aside$", said, re.MULTILINE)
    assert aside is not None and int(aside[1]) > 10_000


def test_parts_that_cannot_be_loaded_end_the_service_with_the_reason() -> None:
    with start("fail") as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "weights w.safetensors: is truncated; reinstall stream-retouch" in errors
    assert "Traceback" not in errors


def test_a_socket_that_is_not_read_cannot_grow_without_end(browser: Browser) -> None:
    session = browser.service.sessions.get(browser.begin())
    outbox = session.subscribe()
    for _ in range(control.OUTBOX_MESSAGES + 5):
        session.receive('{"type":"strength","value":1}')
    assert outbox.overflowed
