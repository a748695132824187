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

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from aioice.ice import Connection, get_host_addresses
from aiortc import RTCPeerConnection

from stream_retouch.errors import SettingsError
from stream_retouch.rtc.private import replace

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


def connections_of(pc: RTCPeerConnection) -> list[Connection]:
    """The ICE connections of `pc`; one when everything is bundled."""
    dtls = {transceiver.receiver.transport for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        dtls.add(pc.sctp.transport)
    return [transport.transport.iceGatherer._connection for transport in dtls]


def gather_on(connections: Iterable[Connection], addresses: list[str]) -> None:
    """Makes `connections`, which have not gathered yet, use `addresses` and no others."""
    for connection in connections:
        _gather_on(connection, addresses)


def _gather_on(connection: Connection, addresses: list[str]) -> None:
    async def gather(component: int, addresses: list[str] = addresses, **options: Any) -> Any:
        return await stock(component=component, addresses=own, **options)

    own = list(addresses)
    stock = replace(connection, "get_component_candidates", gather)
