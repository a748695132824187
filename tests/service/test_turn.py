"""TURN credentials by coturn's shared secret, and how clients are told of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest

from stream_retouch.service.server import peer_options
from stream_retouch.service.turn import CREDENTIAL_S, credential, ice_links, ice_servers
from stream_retouch.settings import Settings
from tests.service.test_server import TOKEN, Browser

URLS = ("stun:stun.example:3478", "turn:turn.example:3478?transport=udp", "turns:turn.example:5349")
SECRET = "north-of-the-river"
NOW = 1_795_262_400.9


def settings() -> Settings:
    return Settings(ice_servers=URLS, turn_secret=SECRET)


def expected(username: str) -> str:
    """What coturn makes of the user name with ``static-auth-secret``."""
    return base64.b64encode(hmac.digest(SECRET.encode(), username.encode(), hashlib.sha1)).decode()


def test_a_credential_is_the_one_that_coturn_computes() -> None:
    # openssl dgst -sha1 -hmac north-of-the-river -binary | base64, of "1795348800:me"
    made = credential(SECRET, NOW, "me")
    assert made.username == f"{1_795_262_400 + CREDENTIAL_S}:me" == "1795348800:me"
    assert made.password == "IMDOQjDLBhcVhD/gMjypwzCiAOY="
    assert made.password not in repr(made)


def test_every_client_has_a_name_of_its_own() -> None:
    names = {credential(SECRET, NOW).username for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("1795348800:") for name in names)


def test_only_turn_servers_get_the_credential() -> None:
    stun, turn, turns = ice_servers(settings(), NOW)
    assert stun == {"urls": [URLS[0]]}
    assert turn["urls"] == [URLS[1]] and turns["urls"] == [URLS[2]]
    assert turn["credential"] == turns["credential"] == expected(str(turn["username"]))


def test_links_are_as_whip_wants_them_and_hold_no_comma() -> None:
    stun, turn, turns = ice_links(settings(), NOW)
    assert stun == '<stun:stun.example:3478>; rel="ice-server"'
    username = turn.split('username="')[1].partition('"')[0]
    assert turn == (
        f'<turn:turn.example:3478?transport=udp>; rel="ice-server"; username="{username}"; '
        f'credential="{expected(username)}"; credential-type="password"'
    )
    assert "," not in stun + turn + turns


@pytest.mark.parametrize("urls", [(), URLS[:1], URLS])
def test_without_a_secret_no_credential_is_made_up(urls: tuple[str, ...]) -> None:
    plain = Settings(ice_servers=urls)
    assert ice_servers(plain, NOW) == [{"urls": [url]} for url in urls]
    assert ice_links(plain, NOW) == [f'<{url}>; rel="ice-server"' for url in urls]
    assert peer_options(plain).turn_credential is None


def test_each_of_our_own_peers_has_a_credential() -> None:
    one, other = (peer_options(settings()).turn_credential for _ in range(2))
    assert one is not None and other is not None and one != other
    assert one[1] == expected(one[0])
    assert one[1] not in repr(peer_options(settings()))


def test_the_page_asks_for_them_with_the_token() -> None:
    with Browser(None, token=TOKEN, host="0.0.0.0", ice_servers=URLS, turn_secret=SECRET) as client:
        assert client.get("/ice").status_code == 401
        answer = client.get("/ice", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.headers["Cache-Control"] == "no-store"
        body = answer.json()
        assert body["ttl"] == CREDENTIAL_S and len(body["iceServers"]) == 3
        turn = body["iceServers"][1]
        assert turn["credential"] == expected(turn["username"])
        assert int(turn["username"].partition(":")[0]) > time.time() + CREDENTIAL_S - 60
        assert SECRET not in answer.text
