"""Which STUN and TURN servers a client may use, with TURN credentials that expire.

A TURN server relays for whoever knows its password, so a fixed one that every page is given is soon
everybody's. With a secret shared between this service and coturn (``use-auth-secret``), each client
gets a user name that ends at a time, and the password that only the secret can make of it
(draft-uberti-behave-turn-rest-00 §2.2). No call to the TURN server is needed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from stream_retouch.settings import Settings

CREDENTIAL_S = 86_400
"""How long a credential is good for, seconds: a client renews its relay with it all the while."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a TURN server wants to know."""

    username: str
    """``EXPIRY:ID``, seconds since 1970 and a random name by which coturn counts."""
    password: str = field(repr=False)


def credential(secret: str, now: float, name: str | None = None) -> Credential:
    """A credential that is good for CREDENTIAL_S from `now` (seconds since 1970)."""
    username = f"{int(now) + CREDENTIAL_S}:{name or secrets.token_hex(8)}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return Credential(username, base64.b64encode(digest).decode())


def ice_servers(settings: Settings, now: float) -> list[dict[str, object]]:
    """The servers as a browser's RTCPeerConnection takes them; `now` in seconds since 1970."""
    made = _credential(settings, now)
    servers: list[dict[str, object]] = []
    for url in settings.ice_servers:
        server: dict[str, object] = {"urls": [url]}
        if made is not None and is_turn(url):
            server |= {"username": made.username, "credential": made.password}
        servers.append(server)
    return servers


def ice_links(settings: Settings, now: float) -> list[str]:
    """The servers as values of Link headers, one each (RFC 9725 §4.6).

    To be sent as a header each: OBS takes a header apart at every comma. No value holds one.
    """
    made = _credential(settings, now)
    return [_link(url, made if is_turn(url) else None) for url in settings.ice_servers]


def turn_login(settings: Settings, now: float) -> tuple[str, str] | None:
    """User name and password for a peer of our own; None where no TURN server wants any."""
    made = _credential(settings, now)
    return None if made is None else (made.username, made.password)


def is_turn(url: str) -> bool:
    """Whether it relays, and so wants a credential."""
    return url.startswith(("turn:", "turns:"))


def _credential(settings: Settings, now: float) -> Credential | None:
    return None if settings.turn_secret is None else credential(settings.turn_secret, now)


def _link(url: str, made: Credential | None) -> str:
    link = f'<{url}>; rel="ice-server"'
    if made is not None:
        link += f'; username="{made.username}"; credential="{made.password}"'
        link += '; credential-type="password"'
    return link
