"""The status-code table of WHIP and WHEP, row by row, with connections that are fakes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient, WebSocketDenialResponse

from stream_retouch.errors import SdpError, UnsupportedOffer
from stream_retouch.rtc.trickle import Fragment
from stream_retouch.service.server import create_app
from stream_retouch.service.streams import REMEMBERED, StreamPort
from stream_retouch.service.whip import CONTROL
from stream_retouch.settings import Settings
from tests.service.fakes import OFFER, FakeEngine, FakePeer, FakeRetoucher, parts

HERE = "http://127.0.0.1:8080"
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "a=ice-ufrag:mine\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.7 9 typ host\r\n"
RESTART = CANDIDATE.replace("mine", "other")
TOKEN = "0123456789abcdef"
PAGE = "https://studio.example"


class FakeStream:
    def __init__(self) -> None:
        self.closed: str | None = None


class FakePublisher(FakePeer):
    """A publisher whose client is the test; its ICE user name is "mine"."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = FakeStream()
        self.trickled: list[Fragment] = []

    async def trickle(self, fragment: Fragment) -> bool:
        if fragment.ufrag not in (None, "mine"):
            return False
        self.trickled.append(fragment)
        return True

    async def close(self) -> None:
        self.stream.closed = "the publisher has left; try again"
        await super().close()


class FakeViewer(FakePublisher):
    """A viewer whose client is the test."""

    def __init__(self, stream: StreamPort) -> None:
        super().__init__()
        self.watched = stream
        self.end_reason: str | None = None

    def leave(self, reason: str) -> None:
        self.end_reason = reason
        assert self.on_closed is not None
        self.on_closed()


class Client(TestClient):
    """A client of a service of fakes; `publishers` and `viewers` are the service's ends."""

    def __init__(self, **settings: Any) -> None:
        self.publishers: list[FakePublisher] = []
        self.viewers: list[FakeViewer] = []
        self.offer_error: Exception | None = None
        self.engine = FakeEngine()
        app = create_app(
            Settings(**{"requests_per_s": 0, **settings}),
            parts(self.engine),
            make_peer=FakePeer,
            make_retoucher=lambda _: FakeRetoucher(),
            make_publisher=self._make_publisher,
            make_viewer=self._make_viewer,
            cores=math.inf,
        )
        self.service = app.state.service
        super().__init__(app, base_url=HERE)

    def _make_publisher(self) -> FakePublisher:
        self.publishers.append(FakePublisher())
        self.publishers[-1].error = self.offer_error
        return self.publishers[-1]

    def _make_viewer(self, stream: StreamPort) -> FakeViewer:
        self.viewers.append(FakeViewer(stream))
        self.viewers[-1].error = self.offer_error
        return self.viewers[-1]

    def offer(self, path: str, content: bytes | str = OFFER, **headers: str) -> Response:
        return self.post(path, content=content, headers={**SDP, **headers})

    def begin(self, path: str, **headers: str) -> tuple[str, str]:
        """Location (as a path) and ETag of a new connection."""
        response = self.offer(path, **headers)
        assert response.status_code == 201, response.text
        return response.headers["Location"].removeprefix(HERE), response.headers["ETag"]


@pytest.fixture
def client() -> Iterator[Client]:
    with Client() as made:
        yield made
    assert all(end.closed for end in (*made.publishers, *made.viewers))


@pytest.fixture(params=["whip", "whep"])
def kind(request: pytest.FixtureRequest, client: Client) -> str:
    """Both endpoints; somebody publishes as "live" where one is to be watched."""
    if request.param == "whep":
        client.begin("/whip/live")
    return str(request.param)


def refused(response: Response, status: int, detail: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"] != "Error"
    assert detail in body["detail"]


# POST


def test_an_offer_is_answered_with_all_that_a_client_needs(client: Client, kind: str) -> None:
    response = client.offer(f"/{kind}/live")
    assert response.status_code == 201
    assert response.headers["Content-Type"].startswith("application/sdp")
    assert response.text.startswith("v=0")
    location = response.headers["Location"]
    assert re.fullmatch(rf"http://127\.0\.0\.1:8080/{kind}/live/[\w-]{{32,}}", location)
    assert re.fullmatch(r'"[0-9a-f]{16}"', response.headers["ETag"])
    assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert response.headers["Cache-Control"] == "no-store"


def test_no_two_connections_have_the_same_address_or_tag(client: Client) -> None:
    begun = [client.begin("/whip/a"), client.begin("/whip/b")]
    begun += [client.begin("/whep/a") for _ in range(3)]
    assert len({location for location, _ in begun}) == len({etag for _, etag in begun}) == 5


def test_behind_a_proxy_the_address_is_the_proxys(client: Client) -> None:
    with Client(token=TOKEN) as open_one:
        auth = {"Authorization": f"Bearer {TOKEN}", "Host": "studio.example"}
        response = open_one.offer("/whip/live", **auth)
        assert response.headers["Location"].startswith("http://studio.example/whip/live/")


@pytest.mark.parametrize(
    ("content", "headers", "status", "detail"),
    [
        (b"v=0", {"Content-Type": "application/json"}, 415, "Content-Type: application/sdp"),
        (b"v=0", {"Content-Type": ""}, 415, "Content-Type: application/sdp"),
        (b"hello", {}, 400, "the offer is not SDP"),
        (b"", {}, 400, "the offer is not SDP"),
        (b"v=0\xff", {}, 400, "not UTF-8"),
        (b"v=0" + b"x" * 65_536, {}, 413, "at most 65536 bytes"),
    ],
)
def test_an_unusable_offer_is_refused(
    client: Client, kind: str, content: bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    refused(client.offer(f"/{kind}/live", content, **headers), status, detail)
    assert client.viewers == [] or client.viewers[0].closed


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SdpError("the offer cannot be read; send it anew"), 400),
        (UnsupportedOffer("the offer has several simulcast layers; send one layer"), 422),
        (OSError("no more sockets"), 500),
    ],
)
def test_what_the_connection_says_of_an_offer_becomes_a_status_and_nothing_stays(
    client: Client, kind: str, error: Exception, status: int
) -> None:
    client.offer_error = error
    detail = "see the service's log" if status == 500 else str(error)
    name = "new" if kind == "whip" else "live"
    refused(client.offer(f"/{kind}/{name}"), status, detail)
    ends = client.publishers if kind == "whip" else client.viewers
    assert ends[-1].closed
    client.offer_error = None
    assert client.offer(f"/{kind}/{name}").status_code == 201  # the name is free again


@pytest.mark.parametrize("name", ["a b", "a" * 65, "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "a%2"])
def test_a_name_is_letters_digits_and_few_signs(client: Client, kind: str, name: str) -> None:
    refused(client.offer(f"/{kind}/{name}"), 400, "1 to 64 letters, digits or - _ .")


def test_a_name_that_is_taken_is_a_conflict_until_its_publisher_leaves(client: Client) -> None:
    location, _ = client.begin("/whip/live")
    taken = client.offer("/whip/live")
    refused(taken, 409, "somebody publishes as live already")
    assert int(taken.headers["Retry-After"]) > 0
    assert client.delete(location).status_code == 200
    client.begin("/whip/live")


def test_a_name_is_free_as_soon_as_the_connection_has_ended_by_itself(client: Client) -> None:
    client.begin("/whip/live")
    client.publishers[0].stream.closed = "gone"
    refused(client.offer("/whep/live"), 409, "nobody publishes")
    client.begin("/whip/live")
    client.begin("/whep/live")
    assert client.viewers[0].watched is client.publishers[1].stream


def test_a_stream_that_ends_while_a_viewer_is_answered_is_a_conflict(client: Client) -> None:
    client.begin("/whip/live")
    client.publishers[0].stream.closed = None
    stock = client._make_viewer

    def make(stream: StreamPort) -> FakeViewer:
        viewer = stock(stream)
        viewer.error = OSError("closed under our hands")
        client.publishers[0].stream.closed = "the publisher has left; try again"
        return viewer

    client.service.streams._make_viewer = make
    refused(client.offer("/whep/live"), 409, "the publisher has left")
    assert client.viewers[0].closed


def test_nobody_to_watch_is_a_conflict_for_now(client: Client) -> None:
    response = client.offer("/whep/live")
    refused(response, 409, "nobody publishes as live now; try again later")
    assert int(response.headers["Retry-After"]) > 0


def test_a_full_service_says_when_to_come_back() -> None:
    with Client(max_sessions=1, max_viewers=1) as client:
        client.begin("/whip/live")
        client.begin("/whep/live")
        for path, detail in (("/whip/more", "sessions are taken"), ("/whep/live", "--max-viewers")):
            response = client.offer(path)
            refused(response, 503, detail)
            assert int(response.headers["Retry-After"]) > 0
        refused(client.offer("/whep/more"), 409, "nobody publishes")  # not taken by a failed one


def test_until_the_parts_are_there_nobody_can_publish(client: Client) -> None:
    whole, client.service.parts = client.service.parts, None
    response = client.offer("/whip/live")
    refused(response, 503, "is being loaded")
    assert response.headers["Retry-After"]
    client.service.parts = whole


# Discovery


def test_get_and_head_of_an_endpoint_are_fine(client: Client) -> None:
    assert client.get("/whip/live").status_code == client.head("/whip/live").status_code == 204
    for response in (client.get("/whep/live"), client.head("/whep/live")):
        assert response.status_code == 200 and response.content == b""
        assert response.headers["Content-Type"].startswith("application/sdp")


def test_options_tell_what_can_be_posted_and_patched_and_no_servers(kind: str) -> None:
    with Client(ice_servers=("stun:stun.example:3478",)) as client:
        options = client.options(f"/{kind}/live")
        assert options.status_code == 204 and "Link" not in options.headers
        assert options.headers["Accept-Post"] == "application/sdp"
        below = client.options(f"/{kind}/live/x")
        assert below.status_code == 204
        assert below.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_allowed_on_an_endpoint(client: Client, method: str) -> None:
    assert client.request(method, "/whip/live").status_code == 405


# Links


def test_every_server_has_a_link_of_its_own_and_whip_one_to_its_control_channel() -> None:
    servers = ("stun:stun.example:3478", "turn:turn.example:3478?transport=udp")
    with Client(ice_servers=servers, turn_secret="0123456789abcdef") as client:
        publish = client.offer("/whip/live")
        watch = client.offer("/whep/live")
    links, watching = publish.headers.get_list("Link"), watch.headers.get_list("Link")
    assert len(links) == 3 and len(watching) == 2
    assert links[0] == '<stun:stun.example:3478>; rel="ice-server"'
    assert re.fullmatch(
        r'<turn:turn\.example:3478\?transport=udp>; rel="ice-server"; username="\d+:\w+"; '
        r'credential="[^",]+"; credential-type="password"',
        links[1],
    )
    session = publish.headers["Location"].rpartition("/")[2]
    assert links[2] == f'<ws://127.0.0.1:8080/ws?session={session}>; rel="{CONTROL}"'
    assert not any("," in link for link in (*links, *watching))  # OBS splits at every comma


# PATCH


@pytest.mark.parametrize(
    ("content", "headers", "status", "detail"),
    [
        (CANDIDATE, {"If-Match": "ETAG"}, 204, ""),
        (CANDIDATE, {"If-Match": '"other", ETAG'}, 204, ""),
        ("a=end-of-candidates\r\n", {"If-Match": "ETAG"}, 204, ""),
        (CANDIDATE, {}, 428, "send If-Match with the ETag"),
        (CANDIDATE, {"If-Match": '"stale"'}, 412, "the ETag is not that of this connection"),
        (CANDIDATE, {"If-Match": "W/ETAG"}, 412, "the ETag is not that"),
        (RESTART, {"If-Match": "*"}, 422, "POST a new offer"),
        (RESTART, {"If-Match": "ETAG"}, 422, "POST a new offer"),
        ("nonsense", {"If-Match": "ETAG"}, 400, "no trickle-ice-sdpfrag"),
        (b"\xff", {"If-Match": "ETAG"}, 400, "not UTF-8"),
        ("a=x\r\n" * 4_000, {"If-Match": "ETAG"}, 413, "at most 16384 bytes"),
        (CANDIDATE, {"If-Match": "ETAG", "Content-Type": "application/sdp"}, 415, "sdpfrag"),
        (CANDIDATE, {"If-Match": "ETAG", "Content-Type": ""}, 415, "sdpfrag"),
    ],
)
def test_trickle(
    client: Client,
    kind: str,
    content: bytes | str,
    headers: dict[str, str],
    status: int,
    detail: str,
) -> None:
    location, etag = client.begin(f"/{kind}/live")
    filled = {name: value.replace("ETAG", etag) for name, value in headers.items()}
    response = client.patch(location, content=content, headers={**FRAGMENT, **filled})
    if status == 204:
        assert (response.status_code, response.content) == (204, b"")
        assert "ETag" not in response.headers
    else:
        refused(response, status, detail)
    end = (client.publishers if kind == "whip" else client.viewers)[-1]
    assert len(end.trickled) == (status == 204)
    assert not end.closed  # whatever was wrong, the connection stays
    assert client.delete(location).status_code == 200


# DELETE, and afterwards


def test_a_connection_ends_once_with_200_then_nothing_is_there(client: Client, kind: str) -> None:
    location, etag = client.begin(f"/{kind}/live")
    assert client.get(location).status_code == client.head(location).status_code == 204
    assert client.delete(location, headers={"If-Match": '"stale"'}).status_code == 200
    assert (client.publishers if kind == "whip" else client.viewers)[-1].closed == 1
    headers = {**FRAGMENT, "If-Match": etag}
    refused(client.delete(location), 404, "no such session")
    refused(client.patch(location, content=CANDIDATE, headers=headers), 404, "no such session")
    refused(client.get(location), 404, "no such session")


def test_an_address_holds_for_its_own_name_and_kind_only(client: Client) -> None:
    publisher, _ = client.begin("/whip/live")
    viewer, _ = client.begin("/whep/live")
    client.begin("/whip/other")
    for wrong in (
        publisher.replace("live", "other"),
        publisher.replace("whip", "whep"),
        viewer.replace("live", "other"),
        viewer.replace("whep", "whip"),
    ):
        refused(client.delete(wrong), 404, "no such session")
    assert client.delete(viewer).status_code == client.delete(publisher).status_code == 200


def test_a_viewer_that_was_ended_can_ask_why(client: Client) -> None:
    client.begin("/whip/live")
    location, _ = client.begin("/whep/live")
    client.portal.call(client.viewers[0].leave, "the publisher has left; try again")  # type: ignore[union-attr]
    refused(client.get(location), 404, "this session has ended: the publisher has left")
    assert "stream_retouch_viewers 0.0" in client.get("/metrics").text
    for _ in range(REMEMBERED):
        client.begin("/whep/live")
        client.portal.call(client.viewers[-1].leave, "gone")  # type: ignore[union-attr]
    refused(client.get(location), 404, "no such session; it has ended or never was")


def test_viewers_are_counted(client: Client) -> None:
    client.begin("/whip/live")
    locations = [client.begin("/whep/live")[0] for _ in range(3)]
    assert "stream_retouch_viewers 3.0" in client.get("/metrics").text
    client.delete(locations[0])
    assert "stream_retouch_viewers 2.0" in client.get("/metrics").text


# Control


def test_a_publisher_is_a_session_like_any_other(client: Client) -> None:
    session = client.begin("/whip/live")[0].rpartition("/")[2]
    with client.websocket_connect(f"ws://127.0.0.1:8080/ws?session={session}") as ws:
        ws.send_json({"type": "instruct", "id": "a", "text": "no spots"})
        assert [ws.receive_json()["type"] for _ in range(2)] == ["ack", "plan"]
    assert client.delete(f"/session/{session}").status_code == 200
    assert client.publishers[0].closed


def test_a_publisher_that_shows_no_address_chooses_a_key(client: Client) -> None:
    client.begin("/whip/live?control=my-secret-key")
    with client.websocket_connect("ws://127.0.0.1:8080/ws?session=live:my-secret-key") as ws:
        ws.send_json({"type": "strength", "id": "a", "value": 0.5})
        assert ws.receive_json()["type"] == "ack"
    for wrong in ("live:my-secret-kez", "live:", "live", "other:my-secret-key"):
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect(f"ws://127.0.0.1:8080/ws?session={wrong}"),
        ):
            raise AssertionError("it was let in")
        assert denied.value.status_code == 404


@pytest.mark.parametrize("key", ["short", "with space", "x" * 65])
def test_a_key_must_be_long_and_plain(client: Client, key: str) -> None:
    refused(client.offer(f"/whip/live?control={key}"), 400, "control must be 8 to 64")
    client.begin("/whip/live")


def test_a_viewer_cannot_steer(client: Client) -> None:
    client.begin("/whip/live")
    viewer = client.begin("/whep/live")[0].rpartition("/")[2]
    with (
        pytest.raises(WebSocketDenialResponse),
        client.websocket_connect(f"ws://127.0.0.1:8080/ws?session={viewer}"),
    ):
        raise AssertionError("it was let in")


# Who may


def test_with_a_token_every_request_but_a_preflight_needs_it(kind: str) -> None:
    with Client(token=TOKEN) as client:
        auth = {"Authorization": f"Bearer {TOKEN}"}
        client.begin("/whip/live", **auth)
        location, etag = client.begin("/whep/live", **auth)
        for method, path in (("POST", f"/{kind}/x"), ("PATCH", location), ("DELETE", location)):
            for said in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {TOKEN}"},
            ):
                response = client.request(method, path, content=OFFER, headers={**SDP, **said})
                refused(response, 401, "send Authorization: Bearer TOKEN")
                assert response.headers["WWW-Authenticate"] == "Bearer"
        assert client.options(f"/{kind}/live").status_code == 204
        headers = {**FRAGMENT, **auth, "If-Match": etag}
        assert client.patch(location, content=CANDIDATE, headers=headers).status_code == 204
        assert client.delete(location, headers=auth).status_code == 200


def preflight(client: Client, path: str, method: str, origin: str) -> Response:
    return client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method})


def test_a_listed_page_is_told_what_it_may_send_and_read(kind: str) -> None:
    with Client(allow_origins=f"{PAGE}, https://other.example:8443") as client:
        for path, method in ((f"/{kind}/live", "POST"), (f"/{kind}/live/x", "PATCH")):
            asked = preflight(client, path, method, PAGE)
            assert asked.status_code == 204 and "Link" not in asked.headers
            assert asked.headers["Access-Control-Allow-Origin"] == PAGE
            for name in ("OPTIONS", "GET", "POST", "PATCH", "DELETE"):
                assert name in asked.headers["Access-Control-Allow-Methods"].split(", ")
            for name in ("Authorization", "Content-Type", "If-Match"):
                assert name in asked.headers["Access-Control-Allow-Headers"].split(", ")
            assert "Origin" in asked.headers["Vary"]
        client.begin("/whip/live")
        for response in (
            client.offer("/whep/live", Origin=PAGE),
            client.offer("/whep/nobody", Origin=PAGE),
        ):
            assert response.headers["Access-Control-Allow-Origin"] == PAGE
            readable = response.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"Location", "ETag", "Link", "Accept-Patch"} <= set(readable)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://studio.example", f"{PAGE}.evil.example", "null", "*"]
)
def test_a_page_that_is_not_listed_is_kept_out(origin: str) -> None:
    with Client(allow_origins=PAGE) as client:
        for path in ("/whip/live", "/whep/live"):
            for response in (
                client.offer(path, Origin=origin),
                preflight(client, path, "POST", origin),
            ):
                refused(response, 403, "without a token only the service's own page")
                assert "Access-Control-Allow-Origin" not in response.headers
        assert client.publishers == []
    with Client(allow_origins=PAGE, token=TOKEN) as client:  # there the token decides
        response = client.offer("/whip/live", Origin=origin, Authorization=f"Bearer {TOKEN}")
        assert response.status_code == 201
        assert "Access-Control-Allow-Origin" not in response.headers  # its script reads nothing


def test_a_listed_page_may_use_nothing_else(client: Client) -> None:
    with Client(allow_origins=PAGE) as listed:
        for path in ("/session", "/whippet", "/metrics"):
            response = listed.post(path, content=OFFER, headers={**SDP, "Origin": PAGE})
            refused(response, 403, "--allow-origins")


def test_the_player_is_a_page_of_the_service(client: Client) -> None:
    page = client.get("/watch/live")
    assert page.status_code == 200 and "text/html" in page.headers["Content-Type"]
    scripts = re.findall(r'src="(/page/[^"]+)"', page.text)
    assert scripts and all(client.get(script).status_code == 200 for script in scripts)
