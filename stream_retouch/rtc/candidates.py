"""ICE candidates that follow the address the service is bound to, session by session.

Fault: aioice 0.13 gathers the addresses of all interfaces except loopback, whatever the service is
bound to. So a service bound to 127.0.0.1 opens ports to the network and still has none on loopback,
and with no interface up nothing connects at all.

A browser on the same machine offers the addresses of its interfaces, not loopback. Tried on Linux
with Chromium 156: it sends from them to a socket bound to 127.0.0.1, which learns them from its
checks and answers; so loopback alone is enough, and nothing is opened to the network. With no
interface up Chromium has no address at all unless --allow-loopback-in-peer-connection is given.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import (
    Connection,
    StunProtocol,
    get_host_addresses,
    server_reflexive_candidate,
)
from aioice.turn import UDP_SOCKET_BUFFER_SIZE
from aiortc import RTCDtlsTransport, RTCPeerConnection

from stream_retouch.errors import SettingsError
from stream_retouch.rtc.ports import UdpPorts
from stream_retouch.rtc.private import replace

logger = logging.getLogger(__name__)

STUN_S = 5.0
"""Longest wait for the answer of a STUN server."""
LOOPBACK = "127.0.0.1"


def interface_addresses() -> list[str]:
    """Addresses of all interfaces but loopback, as aioice gathers them."""
    return get_host_addresses(use_ipv4=True, use_ipv6=True)


def addresses_for(
    host: str, interfaces: Callable[[], list[str]] = interface_addresses
) -> list[str]:
    """The local addresses on which a service bound to `host` takes media.

    A wildcard (``0.0.0.0``, ``::``) means every interface and loopback; any other address means
    itself only, loopback included.

    Raises:
        SettingsError: `host` is no address.
    """
    try:
        address = ipaddress.ip_address(LOOPBACK if host == "localhost" else host)
    except ValueError:
        raise SettingsError(
            f"cannot take media on {host!r}; bind to an IP address, for example 127.0.0.1"
        ) from None
    if address.is_unspecified:
        return [*interfaces(), LOOPBACK]
    return [str(address)]


def transports_of(pc: RTCPeerConnection) -> set[RTCDtlsTransport]:
    """The DTLS transports of `pc`; one when everything is bundled."""
    dtls = {transceiver.receiver.transport for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        dtls.add(pc.sctp.transport)
    return dtls


def connections_of(pc: RTCPeerConnection) -> list[Connection]:
    """The ICE connections of `pc`; one when everything is bundled."""
    return [transport.transport.iceGatherer._connection for transport in transports_of(pc)]


def gather_on(
    connections: Iterable[Connection], addresses: list[str], ports: UdpPorts | None = None
) -> None:
    """Makes `connections`, which have not gathered yet, use `addresses` and no others, and no port
    outside `ports`; any port without."""
    for connection in connections:
        _gather_on(connection, addresses, ports)


def why_none(addresses: list[str], ports: UdpPorts | None) -> str:
    """What to say when a connection has gathered no candidate at all."""
    places = ", ".join(addresses)
    if ports is None:
        return (
            f"no port for media can be opened on {places}; "
            "start the service with --host set to an address of this machine"
        )
    return (
        f"no UDP port from {ports} is free on {places}; try again later, or start the service with "
        "a wider --udp-ports, and with --host set to an address of this machine"
    )


def _gather_on(connection: Connection, addresses: list[str], ports: UdpPorts | None) -> None:
    async def gather(component: int, addresses: list[str] = addresses, **options: Any) -> Any:
        if ports is None:
            return await stock(component=component, addresses=own, **options)
        bound = await _bind(connection, component, own, ports)
        # aioice asks the STUN server through sockets that it has bound itself only; the TURN server
        # has a socket of its own, so that is left to it.
        reflexive, relayed = await asyncio.gather(
            _reflexive(connection, bound), stock(component=component, addresses=[], **options)
        )
        return [*(protocol.local_candidate for protocol in bound), *reflexive, *relayed]

    own = list(addresses)
    stock = replace(connection, "get_component_candidates", gather)


async def _bind(
    connection: Connection, component: int, addresses: list[str], ports: UdpPorts
) -> list[StunProtocol]:
    """One socket on every address that has a free port; `connection` closes them."""
    loop = asyncio.get_running_loop()
    bound = []
    for address in addresses:
        try:
            opened = ports.open(address)
        except OSError as error:
            logger.info("no media on %s: %s", address, error)
            continue
        if opened is None:
            logger.warning("all UDP ports from %s on %s are in use", ports, address)
            continue
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_SOCKET_BUFFER_SIZE)
        _, protocol = await loop.create_datagram_endpoint(
            lambda: StunProtocol(connection), sock=opened
        )
        connection._protocols.append(protocol)
        host, port = opened.getsockname()[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host"),
            host=host,
            port=port,
            type="host",
        )
        bound.append(protocol)
    return bound


async def _reflexive(connection: Connection, bound: list[StunProtocol]) -> list[Candidate]:
    """How the STUN server, if there is one, sees these sockets; IPv4 only, as in aioice."""
    server = connection.stun_server
    if server is None:
        return []
    questions = [
        asyncio.create_task(server_reflexive_candidate(protocol, server))
        for protocol in bound
        if ":" not in protocol.local_candidate.host
    ]
    if not questions:
        return []
    done, late = await asyncio.wait(questions, timeout=STUN_S)
    for question in late:
        question.cancel()
    return [question.result()[0] for question in done if question.exception() is None]
