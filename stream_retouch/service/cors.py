"""Which web pages of others may talk to the service, and what their browsers must be told.

A browser asks first (a preflight, OPTIONS), and shows a script no header of an answer that is not
named to it: without these, a WHIP client in a page never learns its session's address.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

OPEN_PATHS = ("/whip", "/whep", "/ws")
"""Paths (and what lies below them) that pages of the listed origins may use."""
_METHODS = "OPTIONS, GET, HEAD, POST, PATCH, DELETE"
_MAY_SEND = "Authorization, Content-Type, If-Match, Resume"
_MAY_READ = "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, Resume, Resumed"
_REMEMBER_S = 600


def is_listed(origins: list[str], path: str, allowed: tuple[str, ...]) -> bool:
    """Whether a request with these Origin headers comes from a listed page, to a path for it."""
    below = any(path == part or path.startswith(part + "/") for part in OPEN_PATHS)
    return below and len(origins) == 1 and origins[0].lower() in allowed


def add_cors(headers: MutableHeaders, origin: str, preflight: bool) -> None:
    """Tells the browser of a page from `origin`, which is listed, what it may do."""
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Expose-Headers"] = _MAY_READ
    headers.add_vary_header("Origin")
    if preflight:
        headers["Access-Control-Allow-Methods"] = _METHODS
        headers["Access-Control-Allow-Headers"] = _MAY_SEND
        headers["Access-Control-Max-Age"] = str(_REMEMBER_S)
