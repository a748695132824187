"""Ports out of a range, and the address that the answer shows."""

from __future__ import annotations

import re
import socket

import pytest

from stream_retouch.errors import ServiceUnavailable
from stream_retouch.rtc.peer import Peer, PeerOptions
from stream_retouch.rtc.ports import UdpPorts, advertised
from tests.rtc.client import Client, Worker, closing, first, run
from tests.rtc.test_peer import is_marked

HERE = "127.0.0.1"


def free_ports(count: int) -> UdpPorts:
    """`count` ports in a row that are free now."""
    for first_port in range(41_000, 60_000, 50):
        ports = UdpPorts(first_port, first_port + count - 1)
        held: list[socket.socket] = []
        try:
            for port in range(ports.first, ports.last + 1):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind((HERE, port))
        except OSError:
            continue
        else:
            return ports
        finally:
            for each in held:
                each.close()
    raise AssertionError("no free ports")


def test_every_port_of_the_range_is_given_once_and_no_other() -> None:
    ports = free_ports(4)
    held = [ports.open(HERE) for _ in range(4)]
    numbers = sorted(each.getsockname()[1] for each in held if each is not None)
    assert numbers == list(range(ports.first, ports.last + 1))
    assert ports.open(HERE) is None
    for each in held:
        assert each is not None and each.getblocking() is False
        each.close()
    again = ports.open(HERE)
    assert again is not None
    again.close()


def test_an_address_of_another_machine_is_an_error_and_no_used_port() -> None:
    with pytest.raises(OSError):
        UdpPorts(50_000, 50_199).open("198.51.100.7")


def test_candidates_lie_in_the_range_and_video_flows() -> None:
    async def main() -> None:
        ports = free_ports(2)
        peer, client = Peer(PeerOptions(udp_ports=ports)), Client()
        Worker(peer)
        answer = await client.connect(peer)
        bound = {int(line.split()[5]) for line in candidates(answer)}
        assert bound and bound <= {ports.first, ports.last}
        await first(client.returned, is_marked)
        await closing(peer, client)
        freed = [ports.open(HERE) for _ in range(2)]
        assert None not in freed
        for each in freed:
            assert each is not None
            each.close()

    run(main)


def test_without_a_free_port_it_is_said_so_and_the_others_go_on() -> None:
    async def main() -> None:
        ports = free_ports(1)
        peer, client, late, other = Peer(options(ports)), Client(), Peer(options(ports)), Client()
        Worker(peer)
        await client.connect(peer)
        with pytest.raises(ServiceUnavailable) as told:
            await late.answer(await other.offer())
        assert told.value.reason == "ports"
        assert f"no UDP port from {ports} is free on 127.0.0.1; try again later" in str(told.value)
        assert "--udp-ports" in str(told.value)
        await first(client.returned, is_marked)
        await closing(peer, client, late, other)

    run(main)


def options(ports: UdpPorts) -> PeerOptions:
    return PeerOptions(udp_ports=ports)


def candidates(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith("a=candidate:")]


def test_the_answer_shows_the_advertised_address_with_the_ports_that_are_bound() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions(advertise="203.0.113.7")), Client()
        answer = await peer.answer(await client.offer())
        assert peer._pc is not None
        own = peer._pc.localDescription.sdp
        assert {line.split()[4] for line in candidates(answer)} == {"203.0.113.7"}
        assert [line.split()[5] for line in candidates(answer)] == [
            line.split()[5] for line in candidates(own)
        ]
        assert HERE not in answer
        assert re.findall(r"(?m)^c=(.*?)\r?$", answer) == ["IN IP4 203.0.113.7"] * 2
        await closing(peer, client)

    run(main)


ANSWER = """\
v=0
o=- 1 1 IN IP4 0.0.0.0
t=0 0
m=video 50002 UDP/TLS/RTP/SAVPF 96
c=IN IP4 127.0.0.1
a=candidate:1 1 udp 2130706431 10.0.0.5 50001 typ host
a=candidate:2 1 udp 2130706431 2001:db8::5 50007 typ host
a=candidate:3 1 udp 2130706431 127.0.0.1 50002 typ host
a=candidate:4 1 udp 1694498815 198.51.100.9 50001 typ srflx raddr 10.0.0.5 rport 50001
a=end-of-candidates
m=application 0 DTLS/SCTP 5000
c=IN IP4 0.0.0.0
a=mid:1
"""


def test_loopback_is_left_out_and_the_other_ip_version_stays() -> None:
    lines = advertised(ANSWER, "203.0.113.7").split("\r\n")
    assert lines[3:9] == [
        "m=video 50001 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 203.0.113.7",
        "a=candidate:1 1 udp 2130706431 203.0.113.7 50001 typ host",
        "a=candidate:2 1 udp 2130706431 2001:db8::5 50007 typ host",
        "a=candidate:4 1 udp 1694498815 198.51.100.9 50001 typ srflx raddr 10.0.0.5 rport 50001",
        "a=end-of-candidates",
    ]
    assert lines[9:12] == ["m=application 0 DTLS/SCTP 5000", "c=IN IP4 0.0.0.0", "a=mid:1"]


def test_an_ipv6_address_takes_the_place_of_ipv6_only() -> None:
    answer = advertised(ANSWER, "2001:db8::99")
    assert "c=IN IP6 2001:db8::99" in answer and "2001:db8::99 50007 typ host" in answer
    assert "10.0.0.5 50001 typ host" in answer
