"""UDP ports out of a given range, and the address under which the world finds them.

Fault: aioice 0.13 binds port 0, so any port may come, and shows the address it has bound. A firewall
or a container would have to let every port through (``docker run --network host``), and behind a
1:1 NAT the answer shows an address that nobody outside can reach.
"""

from __future__ import annotations

import errno
import ipaddress
import random
import re
import socket
from dataclasses import dataclass

_HOST = re.compile(r"(a=candidate:\S+ \d+ \S+ \d+) (\S+) (\d+) (typ host\b.*)")
_MEDIA = re.compile(r"(m=\S+) (\d+) (.*)")


@dataclass(frozen=True, slots=True)
class UdpPorts:
    """The ports that media may use."""

    first: int
    """Lowest port, 1..65535."""
    last: int
    """Highest port, at least `first`."""

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def open(self, address: str) -> socket.socket | None:
        """A socket bound to a free port on `address`; None when all are taken.

        The search begins anywhere: a port that was closed just now, to which its last user's packets
        may still be under way, is seldom the next one's.

        Raises:
            OSError: the address is not of this machine.
        """
        count = self.last - self.first + 1
        start = random.randrange(count)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for step in range(count):
            port = self.first + (start + step) % count
            made = socket.socket(family, socket.SOCK_DGRAM)
            try:
                made.bind((address, port))
            except OSError as error:
                made.close()
                if not _is_taken(error):
                    raise
                continue
            made.setblocking(False)
            return made
        return None


def _is_taken(error: OSError) -> bool:
    """Whether another port of the same address may do: this one is in use, or kept back."""
    return error.errno in (errno.EADDRINUSE, errno.EACCES)


def advertised(answer: str, address: str) -> str:
    """`answer` with `address` in place of the addresses that its host candidates were bound to.

    The ports stay: a 1:1 NAT, or a published port range, passes them on as they are. Candidates on
    loopback are left out, unless there are no others; those of the other IP version stay as they
    are. The default address of each medium (``c=``, RFC 8839 §4.2.1.1) follows its first candidate.
    """
    public = ipaddress.ip_address(address)
    lines = answer.splitlines()
    own = {
        ipaddress.ip_address(match[2])
        for line in lines
        if (match := _HOST.fullmatch(line)) and _version(match[2]) == public.version
    }
    reachable = {one for one in own if not one.is_loopback} or own
    head, *media = re.split(r"(?m)^(?=m=)", "".join(line + "\r\n" for line in lines if line))
    return head + "".join(_of_medium(medium, str(public), own, reachable) for medium in media)


_Addresses = set[ipaddress.IPv4Address | ipaddress.IPv6Address]


def _of_medium(medium: str, public: str, own: _Addresses, reachable: _Addresses) -> str:
    lines, ports = [], []
    for line in medium.splitlines():
        match = _HOST.fullmatch(line)
        if match and (bound := ipaddress.ip_address(match[2])) in own:
            if bound not in reachable:
                continue
            ports.append(match[3])
            line = f"{match[1]} {public} {match[3]} {match[4]}"
        lines.append(line)
    if ports:
        version = "IP6" if ":" in public else "IP4"
        lines = [f"c=IN {version} {public}" if line.startswith("c=") else line for line in lines]
        lines[0] = _MEDIA.sub(rf"\g<1> {ports[0]} \g<3>", lines[0])
    return "".join(line + "\r\n" for line in lines)


def _version(address: str) -> int:
    try:
        return ipaddress.ip_address(address).version
    except ValueError:  # a name
        return 0
