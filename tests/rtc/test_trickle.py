"""What is read of a trickle fragment, and what is left out without a word."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from stream_retouch.errors import SdpError
from stream_retouch.rtc.trickle import (
    MOST_CANDIDATES,
    Fragment,
    add_candidates,
    is_restart,
    parse_fragment,
)
from tests.rtc.test_sdp import offered

HEAD = (
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
)
HOST = "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\n"


def test_a_fragment_is_read_with_its_user_name_candidates_and_end() -> None:
    fragment = parse_fragment(HEAD + HOST + "a=end-of-candidates\r\n")
    assert (fragment.ufrag, fragment.complete) == ("abcd", True)
    (candidate,) = fragment.candidates
    assert (candidate.ip, candidate.port, candidate.sdpMid) == ("192.0.2.7", 50000, "0")


@pytest.mark.parametrize(
    "line",
    [
        HOST.replace("192.0.2.7", "4f1e2d3c-aaaa-bbbb-cccc-0123456789ab.local"),
        HOST.replace("192.0.2.7", "example.org"),
        HOST.replace(" udp ", " tcp "),
        HOST.replace(" udp ", " sctp "),
        HOST.replace("1 udp", "2 udp"),
        HOST.replace("50000", "70000"),
        HOST.replace("50000", "x"),
        "a=candidate:\r\n",
        "a=candidate:1 1 udp\r\n",
    ],
    ids=["mdns", "name", "tcp", "sctp", "rtcp", "port", "no port", "empty", "short"],
)
def test_a_candidate_that_cannot_be_used_is_left_out_and_the_others_count(line: str) -> None:
    fragment = parse_fragment(HEAD + line + HOST)
    assert [candidate.ip for candidate in fragment.candidates] == ["192.0.2.7"]


@pytest.mark.parametrize("text", ["", "\r\n", "hello", "{}", "a=mid:0\r\n<html>"])
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(SdpError, match="no trickle-ice-sdpfrag; send lines like"):
        parse_fragment(text)


def test_another_user_name_is_a_restart_and_none_is_not() -> None:
    offer = "v=0\r\na=ice-ufrag:abcd\r\nm=video\r\na=ice-ufrag:efgh\r\n"
    assert not is_restart(Fragment("abcd"), offer)
    assert not is_restart(Fragment("efgh"), offer)
    assert not is_restart(Fragment(None), offer)
    assert is_restart(Fragment("abc"), offer)


def taken(fragments: list[str], offer: str) -> int:
    """How many candidates a connection has after these fragments."""

    async def main() -> int:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver("video", direction="recvonly")
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for text in fragments:
            await add_candidates(pc, parse_fragment(text))
        count = pc.remoteDescription.sdp.count("a=candidate:")
        await pc.close()
        return count

    return asyncio.run(main())


def many(count: int, start: int = 0) -> str:
    lines = [HOST.replace("50000", str(50000 + n)) for n in range(start, start + count)]
    return "a=mid:0\r\n" + "".join(lines)


def test_one_client_adds_so_many_candidates_and_no_more() -> None:
    assert taken([many(40), many(40, 40), many(5, 80)], offered()) == MOST_CANDIDATES


def test_candidates_after_the_end_do_no_harm() -> None:
    ended = offered() + HOST + "a=end-of-candidates\r\n"
    assert taken([many(3), many(3) + "a=end-of-candidates\r\n"], ended) >= 1
