"""Who answers what, when there are several media processes; here they are apps beside the front."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from stream_retouch.service.occupancy import Occupancy
from stream_retouch.service.processes.fleet import LOADING, Fleet
from stream_retouch.service.processes.forwarding import AppFailed, ProcessGone
from stream_retouch.service.processes.front import FORWARDED, create_front
from stream_retouch.service.processes.media import MakeParts, State
from stream_retouch.service.server import create_app
from stream_retouch.settings import Settings
from tests.service.fakes import parts

HERE = "http://127.0.0.1:8080"
SDP = {"Content-Type": "application/sdp"}


def never(*_: object) -> None:
    raise AssertionError("no process is started here")


class Answers:
    """A media process that says who it is and what it was asked."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.half = False
        """Whether it fails in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(f"{scope.get('method', 'WS')} {scope['path']}")
        if scope["type"] == "websocket":
            await self._converse(WebSocket(scope, receive, send))
            return
        if self.error is not None and not self.half:
            raise self.error
        await send({"type": "http.response.start", "status": 201, "headers": []})
        if self.error is not None:
            raise self.error
        text = "met 1.0\n" if scope["path"] == "/metrics" else self.mark
        await send({"type": "http.response.body", "body": text.encode()})

    async def _converse(self, websocket: WebSocket) -> None:
        if self.error is not None and not self.half:
            raise self.error
        await websocket.accept()
        await websocket.send_text(self.mark)
        if self.error is not None:
            raise self.error
        assert (await websocket.receive_text()) == "bye"
        await websocket.close()


class StandingFleet(Fleet):
    """Three processes that are always there; nothing is started."""

    def __init__(self, settings: Settings, load_parts: MakeParts = parts) -> None:
        super().__init__(settings, load_parts, 3, target=never)
        self.apps = {place.mark: Answers(place.mark) for place in self.processes}
        for place in self.processes:
            place.forwarder = self.apps[place.mark]  # type: ignore[assignment]
        for place in self.processes:
            self.set(place.mark)

    def set(self, mark: str, sessions: int = 0, missing: str | None = None) -> None:
        place = next(place for place in self.processes if place.mark == mark)
        self._note(place, State(missing, None, Occupancy(sessions)))

    def stop(self, mark: str) -> None:
        next(place for place in self.processes if place.mark == mark).forwarder = None

    def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Browser(TestClient):
    def __init__(self, **settings: Any) -> None:
        self.fleet = StandingFleet(Settings(**settings))
        super().__init__(create_front(Settings(**settings), self.fleet), base_url=HERE)

    def begin(self, path: str = "/session", **headers: str) -> str:
        return self.post(path, content="v=0", headers={**SDP, **headers}).text

    def socket(self, query: str) -> Any:
        return self.websocket_connect(
            f"ws://127.0.0.1:8080/ws?session={query}", headers={"host": "127.0.0.1:8080"}
        )


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser(requests_per_s=0) as client:
        yield client


def test_sessions_go_where_the_fewest_are(browser: Browser) -> None:
    assert browser.begin() == "a"
    browser.fleet.set("a", 1)
    assert browser.begin() == "b"
    browser.fleet.set("b", 2)
    browser.fleet.set("c", 2)
    assert browser.begin() == "a"


def test_nobody_begins_in_a_process_that_is_not_ready_while_another_one_is(
    browser: Browser,
) -> None:
    browser.fleet.set("a", 0, missing="loading")
    browser.fleet.set("b", 5)
    browser.fleet.set("c", 4)
    assert browser.begin() == "c"


def test_offers_under_way_count_as_sessions(browser: Browser) -> None:
    browser.fleet.processes[0].coming = 2
    browser.fleet.processes[1].coming = 1
    assert browser.begin() == "c"
    assert [place.coming for place in browser.fleet.processes] == [2, 1, 0]


def test_a_resume_token_leads_to_the_process_that_keeps_the_look(browser: Browser) -> None:
    browser.fleet.set("c", 3)
    assert browser.begin(resume="cTOKEN") == "c"
    assert browser.begin(resume="?unknown") == "a"
    assert browser.begin("/whip/live", resume="bTOKEN") == "b"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/session/bID"),
        ("PATCH", "/whip/live/bID"),
        ("DELETE", "/whip/live/bID"),
        ("DELETE", "/whep/live/bID"),
        ("OPTIONS", "/whep/live/bID"),
    ],
)
def test_an_id_leads_to_its_process(browser: Browser, method: str, path: str) -> None:
    assert browser.request(method, path).text == "b"


def test_an_id_of_nobody_is_answered_by_anyone(browser: Browser) -> None:
    assert browser.delete("/session/zID").text == "a"
    assert browser.delete("/session/").text == "a"
    browser.fleet.stop("b")
    assert browser.delete("/session/bID").text == "a"


def test_a_stream_stays_where_it_was_first_and_its_viewers_go_there(browser: Browser) -> None:
    browser.fleet.set("a", 1)
    assert browser.begin("/whip/live") == "b"
    browser.fleet.set("b", 9)
    assert browser.begin("/whip/live") == "b"  # which tells whether the name is taken
    assert browser.begin("/whip/live", resume="cTOKEN") == "b"
    assert browser.begin("/whip/other") == "c"
    assert browser.begin("/whep/live") == "b"
    assert browser.begin("/whep/other") == "c"
    assert browser.get("/watch/other").text == "c"
    with browser.socket("live:a-key-of-theirs") as ws:
        assert ws.receive_text() == "b"
        ws.send_text("bye")
    browser.fleet.stop("b")
    assert browser.begin("/whip/live") == "c"  # the process and the stream are gone
    assert browser.begin("/whep/live") == "c"


def test_asking_for_a_stream_does_not_place_it(browser: Browser) -> None:
    assert browser.begin("/whep/live") == "a"
    assert browser.options("/whip/live").text == "a"
    browser.fleet.set("a", 1)
    assert browser.begin("/whip/live") == "b"


def test_a_control_socket_crosses_both_ways(browser: Browser) -> None:
    with browser.socket("cID") as ws:
        assert ws.receive_text() == "c"
        ws.send_text("bye")
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_text()
    assert closed.value.code == 1000


def test_the_front_itself_has_page_health_and_ice(browser: Browser) -> None:
    assert "<html" in browser.get("/").text
    assert browser.get("/healthz").json() == {"status": "ok"}
    assert browser.get("/readyz").json() == {"ready": True, "reasons": []}
    assert browser.get("/ice").json()["iceServers"] == []
    assert browser.get("/nowhere").json()["status"] == 404
    assert not any(app.asked for app in browser.fleet.apps.values())


def test_metrics_are_the_sum_of_all(browser: Browser) -> None:
    browser.fleet.apps["b"].error = ProcessGone()
    text = browser.get("/metrics").text
    assert "\nmet 2.0\n" in text and "stream_retouch_rate_limited" in text


def test_the_service_is_ready_once_all_are_and_stays_so_while_one_is(browser: Browser) -> None:
    browser.fleet._was_ready = False
    browser.fleet.set("b", missing="loading")
    assert browser.get("/readyz").status_code == 503
    browser.fleet.set("b")
    assert browser.get("/readyz").status_code == 200
    for mark in "ab":
        browser.fleet.stop(mark)
    assert browser.get("/readyz").status_code == 200
    browser.fleet.stop("c")
    answer = browser.get("/readyz")
    assert answer.status_code == 503 and answer.json()["reasons"] == [LOADING]


def test_with_no_process_there_a_client_is_asked_to_wait(browser: Browser) -> None:
    for mark in "abc":
        browser.fleet.stop(mark)
    answer = browser.post("/session", content="v=0", headers=SDP)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    with pytest.raises(WebSocketDenialResponse) as denied, browser.socket("aID"):
        raise AssertionError("it was let in")
    assert denied.value.status_code == 503
    assert 'stream_retouch_refused_total{reason="loading"} 2.0' in browser.get("/metrics").text


@pytest.mark.parametrize(("error", "status"), [(ProcessGone(), 503), (AppFailed(), 500)])
def test_a_process_that_fails_is_a_problem_document_and_no_matter_to_the_others(
    browser: Browser, error: Exception, status: int
) -> None:
    browser.fleet.apps["a"].error = error
    answer = browser.post("/session", content="v=0", headers=SDP)
    assert answer.status_code == status and json.loads(answer.text)["status"] == status
    assert browser.delete("/session/bID").text == "b"
    assert browser.fleet.processes[0].coming == 0


def test_an_answer_that_was_half_given_is_broken_off(browser: Browser) -> None:
    app = browser.fleet.apps["a"]
    app.error, app.half = ProcessGone(), True
    with pytest.raises(ConnectionError):
        browser.post("/session", content="v=0", headers=SDP)


@pytest.mark.parametrize("half", [True, False], ids=["open", "opening"])
def test_a_control_socket_of_a_process_that_ends_is_closed(browser: Browser, half: bool) -> None:
    app = browser.fleet.apps["b"]
    app.error, app.half = ProcessGone(), half
    with pytest.raises(WebSocketDisconnect) as closed, browser.socket("bID") as ws:
        ws.receive_text()
        ws.receive_text()
    assert closed.value.code == 1012


def test_the_guard_stands_before_all_processes() -> None:
    with Browser(token="0123456789abcdef", host="0.0.0.0", requests_per_s=0.2) as client:
        assert client.post("/session", content="v=0", headers=SDP).status_code == 401
        bearer = {"Authorization": "Bearer 0123456789abcdef"}
        assert client.begin(**bearer) == "a"
        assert client.post("/session", content="v=0", headers=SDP).status_code == 429
        assert client.get("/").headers["X-Content-Type-Options"] == "nosniff"
    with Browser() as client:
        foreign = client.post("/session", headers={**SDP, "Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert not any(app.asked for app in client.fleet.apps.values())


def test_every_path_of_the_service_is_the_front_s_or_forwarded() -> None:
    service = create_app(Settings(), parts())
    front = create_front(Settings(), StandingFleet(Settings()))
    own = {path_of(route) for route in front.routes}
    for route in service.routes:
        path = path_of(route)
        forwarded = any(path == part or path.startswith(part + "/") for part in FORWARDED)
        assert forwarded != (path in own), path


def path_of(route: Any) -> str:
    return str(route.path)


def test_names_of_streams_are_not_remembered_without_end(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream_retouch.service.processes import front

    monkeypatch.setattr(front, "MOST_NAMES", 2)
    for name in ("one", "two", "three"):
        assert browser.begin(f"/whip/{name}") == "a"
    browser.fleet.set("a", 1)
    assert browser.begin("/whip/three") == "a"
    assert browser.begin("/whip/one") == "b"  # forgotten


def test_a_slow_process_does_not_hold_up_the_metrics(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream_retouch.service.processes import front

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(front, "METRICS_S", 0.01)
    browser.fleet.processes[1].forwarder = hang  # type: ignore[assignment]
    assert "\nmet 2.0\n" in browser.get("/metrics").text
