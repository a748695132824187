"""How often one address may ask, and how often one session may speak: token buckets (RFC 2697's
kind: so many at once, then so many a second).

Meant for floods, not for people: a page that is loaded again and again, or an office behind one
address, stays below them.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Literal

from starlette.datastructures import Headers
from starlette.types import Scope

BURST_S = 10.0
"""A bucket holds what comes in so many seconds."""
MOST_ADDRESSES = 4_096
"""Addresses of each kind that are remembered; then the one that asked least recently is forgotten."""
MESSAGES_PER_S = 50.0
"""Control messages of one session in the long run. A slider that is dragged sends 17."""
MESSAGES_AT_ONCE = 300.0
COMPLAIN_S = 1.0
"""Between two answers to messages that are too many: telling each would be a flood as well."""
LIMITED_METHODS = frozenset({"POST", "PATCH", "DELETE", "PUT"})

Kind = Literal["request", "socket"]
Verdict = Literal["take", "tell", "drop"]


class TokenBucket:
    """So many at once, then so many a second."""

    __slots__ = ("_at", "_level", "burst", "per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self.per_s, self.burst = per_s, burst
        self._level, self._at = burst, 0.0

    def take(self, now: float) -> float:
        """0 when one may be taken, and takes it; otherwise how long to wait for it, seconds."""
        self._level = min(self.burst, self._level + max(0.0, now - self._at) * self.per_s)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self.per_s


class AddressLimits:
    """A bucket for every address and kind of request. Bounded; event loop only."""

    def __init__(self, per_s: float, trusted_proxies: tuple[str, ...] = ()) -> None:
        """
        Args:
            per_s: requests a second in the long run, BURST_S times as many at once; 0: no limit.
            trusted_proxies: addresses or networks whose X-Forwarded-For is believed.
        """
        self._per_s = per_s
        self._trusted = [ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._buckets: OrderedDict[tuple[Kind, str], TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        """Buckets there are now."""
        return len(self._buckets)

    def wait_s(self, scope: Scope, now: float) -> tuple[Kind, float]:
        """The kind of this request, and how long its sender must wait, seconds; 0: not at all."""
        kind: Kind = "socket" if scope["type"] == "websocket" else "request"
        if self._per_s == 0 or (kind == "request" and scope["method"] not in LIMITED_METHODS):
            return kind, 0.0
        key = (kind, self.sender(scope))
        bucket = self._buckets.pop(key, None) or TokenBucket(self._per_s, self._per_s * BURST_S)
        self._buckets[key] = bucket  # the most recent last
        while len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return kind, bucket.take(now)

    def sender(self, scope: Scope) -> str:
        """Whose bucket it is: an IPv4 address, or the /64 that one IPv6 user has whole.

        X-Forwarded-For is read from its end, as far as the proxies are trusted: what stands before
        was written by somebody who may have written anything.
        """
        client = scope.get("client")
        address = _address(client[0]) if client else None
        said = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        while address is not None and said and any(address in net for net in self._trusted):
            before = _address(said.pop().strip())
            if before is None:
                break
            address = before
        return "unknown" if address is None else _block(address)


class MessageLimit:
    """What becomes of the control messages of one session, whatever they come over."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(MESSAGES_PER_S, MESSAGES_AT_ONCE)
        self._told_at = -COMPLAIN_S

    def verdict(self, now: float) -> Verdict:
        """Whether one may be taken; when not, whether its sender should be told so."""
        if self._bucket.take(now) == 0:
            return "take"
        if now - self._told_at < COMPLAIN_S:
            return "drop"
        self._told_at = now
        return "tell"


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _block(address: _Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
