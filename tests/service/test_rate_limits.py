"""Floods are held off, people are not."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

from stream_retouch.service import guard
from stream_retouch.service.rate_limits import (
    MESSAGES_AT_ONCE,
    MESSAGES_PER_S,
    MOST_ADDRESSES,
    AddressLimits,
    MessageLimit,
    TokenBucket,
)
from stream_retouch.service.session import TOO_MANY
from stream_retouch.settings import Settings
from tests.service.fakes import OFFER
from tests.service.test_server import SDP, TOKEN, Browser
from tests.service.test_session import house, run


def scope(
    client: str | None = "192.0.2.1", method: str = "POST", kind: str = "http", **headers: str
) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    given = None if client is None else (client, 5000)
    return {"type": kind, "method": method, "client": given, "headers": raw}


def test_a_bucket_gives_a_burst_then_so_many_a_second() -> None:
    bucket = TokenBucket(per_s=2, burst=3)
    assert [bucket.take(100.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(100.0) == pytest.approx(0.5)
    assert bucket.take(100.5) == 0
    assert bucket.take(100.5) > 0
    assert [bucket.take(1000.0) for _ in range(4)].count(0) == 3  # it never holds more


def test_every_address_and_kind_has_a_bucket_of_its_own_and_reading_is_free() -> None:
    limits = AddressLimits(1)
    assert [limits.wait_s(scope(), 0.0)[1] for _ in range(11)].count(0) == 10
    assert limits.wait_s(scope("192.0.2.2"), 0.0)[1] == 0
    assert limits.wait_s(scope(kind="websocket"), 0.0) == ("socket", 0)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert limits.wait_s(scope(method=method), 0.0)[1] == 0
    for method in ("PATCH", "DELETE"):
        assert limits.wait_s(scope(method=method), 0.0)[1] > 0


def test_zero_means_no_limit() -> None:
    limits = AddressLimits(0)
    assert not any(limits.wait_s(scope(), 0.0)[1] for _ in range(1000))
    assert len(limits) == 0


def test_one_ipv6_user_is_one_sender_whatever_address_of_his_network_he_takes() -> None:
    limits = AddressLimits(1)
    assert limits.sender(scope("2001:db8::1")) == limits.sender(scope("2001:db8::ffff:2"))
    assert limits.sender(scope("2001:db8:0:1::1")) != limits.sender(scope("2001:db8::1"))
    assert limits.sender(scope("::ffff:192.0.2.1")) == limits.sender(scope("192.0.2.1"))


def test_the_table_of_addresses_is_bounded() -> None:
    limits = AddressLimits(1)
    for number in range(MOST_ADDRESSES + 50):
        limits.wait_s(scope(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"), 0.0)
    assert len(limits) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("client", "said", "sender"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # no proxy of ours
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first was made up
        ("10.0.0.2", "203.0.113.9, 10.0.0.3", "203.0.113.9"),  # two proxies of ours
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", "rubbish", "10.0.0.2"),
        ("10.0.0.2", "203.0.113.9, rubbish", "10.0.0.2"),
        (None, "203.0.113.9", "unknown"),
    ],
)
def test_only_listed_proxies_are_believed(client: str | None, said: str, sender: str) -> None:
    proxies = Settings(trusted_proxies="10.0.0.0/8").trusted_proxies  # type: ignore[arg-type]
    limits = AddressLimits(1, proxies)
    assert limits.sender(scope(client, x_forwarded_for=said)) == sender


def test_a_person_dragging_a_slider_is_taken_and_a_flood_is_told_once_a_second() -> None:
    person, flood = MessageLimit(), MessageLimit()
    assert all(person.verdict(tick / 17) == "take" for tick in range(17 * 60))
    at_once = [flood.verdict(0.0) for _ in range(int(MESSAGES_AT_ONCE) + 100)]
    assert at_once.count("take") == MESSAGES_AT_ONCE and at_once.count("tell") == 1
    assert [flood.verdict(0.001) for _ in range(10)] == ["drop"] * 10
    later = [flood.verdict(2.0) for _ in range(200)]
    assert later.count("take") == 2 * MESSAGES_PER_S and later.count("tell") == 1


def test_a_session_that_is_flooded_answers_the_others_and_recovers() -> None:
    async def test() -> None:
        async with house() as home:
            _, peer = await home.enter()
            _, other = await home.enter()
            for _ in range(int(MESSAGES_AT_ONCE) + 50):
                peer.say(type="overlay", value=True)
            told = [peer.told.get_nowait() for _ in range(peer.told.qsize())]
            errors = [message for message in told if message["type"] == "error"]
            assert [error["reason"] for error in errors] == [TOO_MANY]
            assert len(told) < MESSAGES_AT_ONCE + 50
            other.say(type="overlay", value=True)
            assert (await other.told_next("ack"))["version"] == 1
            value = home.metrics.registry.get_sample_value
            assert (value("stream_retouch_rate_limited_total", {"what": "message"}) or 0) >= 1

    run(test)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The guard's clock; moved by the test."""
    moment = [1000.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: moment[0])
    return moment


def test_a_flood_of_requests_gets_429_with_the_time_to_wait(now: list[float]) -> None:
    with Browser(None, requests_per_s=0.1) as client:
        assert client.delete("/session/x").status_code == 404  # a bucket of one
        for method, path in (("POST", "/session"), ("DELETE", "/session/x"), ("PATCH", "/x")):
            refused = client.request(method, path, content=OFFER, headers=SDP)
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "10"
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert (
                refused.json()["detail"] == "too many requests from this address; try again in 10 s"
            )
            assert "default-src" in refused.headers["Content-Security-Policy"]
        assert client.get("/healthz").status_code == 200
        now[0] += 10
        assert client.post("/session", content=OFFER, headers=SDP).status_code == 201
        metrics = client.get("/metrics").text
        assert 'stream_retouch_rate_limited_total{what="request"} 3.0' in metrics


def test_a_flood_of_control_sockets_gets_429(now: list[float]) -> None:
    with Browser(None, requests_per_s=0.1) as client:
        session = client.begin()
        with client.socket(session):
            pass
        with pytest.raises(WebSocketDenialResponse) as denied, client.socket(session):
            raise AssertionError("it was let in")
        assert denied.value.status_code == 429 and denied.value.headers["Retry-After"] == "10"


def test_trying_tokens_in_great_numbers_is_held_off(now: list[float]) -> None:
    with Browser(None, token=TOKEN, host="0.0.0.0", requests_per_s=1) as client:
        tried = [
            client.post("/session", content=OFFER, headers={**SDP, "Authorization": f"Bearer {n}"})
            for n in range(12)
        ]
        assert [each.status_code for each in tried] == [401] * 10 + [429] * 2
        right = {**SDP, "Authorization": f"Bearer {TOKEN}"}
        assert client.post("/session", content=OFFER, headers=right).status_code == 429


def test_another_page_cannot_use_up_this_machines_bucket(now: list[float]) -> None:
    with Browser(None, requests_per_s=0.1) as client:
        for _ in range(20):
            foreign = client.delete("/session/x", headers={"Origin": "https://evil.example"})
            assert foreign.status_code == 403
        assert client.delete("/session/x").status_code == 404
