"""``stream-retouch say``: one instruction to a running session over its WebSocket, and what came of
it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from stream_retouch.errors import ServiceUnavailable, SettingsError

_ID = "say"
_OPEN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service made of an instruction."""

    refusal: str | None = None
    """Why the look stays as it was; None when it was taken."""
    reply: str = ""
    chips: tuple[str, ...] = ()
    """The plan that is on now, one line per edit and per thing that is kept."""
    first_pts_s: float | None = None
    """Time of the first frame that shows it, seconds of the stream; None when no frame did so
    yet."""
    took_ms: float = 0.0
    """From the instruction's arrival at the service to that frame."""


def say(
    url: str,
    session: str,
    words: str,
    token: str | None,
    reply_timeout_s: float,
    applied_timeout_s: float,
) -> Answer:
    """Sends the words and waits for the plan, then for the first frame that shows it. Blocking.

    Raises:
        SettingsError: the address is not one.
        ServiceUnavailable: nobody answers there, it does not let us in, or there is no such
        session.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with connect(
            socket_url(url, session),
            additional_headers=headers,
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=1,
            proxy=None,
        ) as socket:
            socket.send(json.dumps({"type": "instruct", "id": _ID, "text": words}))
            return _answer(socket, reply_timeout_s, applied_timeout_s)
    except InvalidStatus as problem:
        raise ServiceUnavailable(f"{url}: {_detail(problem)}") from problem
    except (OSError, InvalidHandshake) as problem:
        raise ServiceUnavailable(
            f"no service answers at {url}; start it with stream-retouch serve, "
            "or name another --url"
        ) from problem
    except ConnectionClosed as problem:
        raise ServiceUnavailable("the session has ended; start a new one on the page") from problem


def socket_url(url: str, session: str) -> str:
    """The WebSocket of a session at an http(s) address.

    Raises:
        SettingsError: the address is not http or https.
    """
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise SettingsError(f"--url must be like http://127.0.0.1:8080, not {url!r}")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/ws?session={quote(session, safe='')}"


def chips_of(plan: dict[str, Any]) -> tuple[str, ...]:
    """A plan's edits and kept things in words."""
    lines = [
        f"less {_words(e['category'])} ({_places(e['regions'])}), {float(e['amount']) * 100:.0f} %"
        for e in _dicts(plan.get("edits"))
    ]
    lines += [
        f"keep {_words(k['category'])} ({_places(k['regions'])})" for k in _dicts(plan.get("keep"))
    ]
    return tuple(lines) or ("nothing is changed",)


def _answer(socket: ClientConnection, reply_timeout_s: float, applied_timeout_s: float) -> Answer:
    deadline = time.monotonic() + reply_timeout_s
    taken: Answer | None = None
    version = None
    while (left := deadline - time.monotonic()) > 0:
        try:
            message = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            break
        except ConnectionClosed:
            if taken is None:
                raise
            break
        kind = message.get("type")
        if kind in ("rejected", "error") and message.get("id") == _ID:
            return Answer(refusal=str(message["reason"]))
        if kind == "plan" and message.get("id") == _ID:
            version = message["version"]
            taken = Answer(reply=message["reply"], chips=chips_of(message["plan"]))
            deadline = time.monotonic() + applied_timeout_s
        elif kind == "applied" and taken is not None and message["version"] == version:
            return Answer(
                reply=taken.reply,
                chips=taken.chips,
                first_pts_s=message["first_pts"],
                took_ms=message["took_ms"],
            )
    if taken is None:
        raise ServiceUnavailable(
            "the service did not answer in time; look at its log and try again"
        )
    return taken


def _detail(problem: InvalidStatus) -> str:
    """The service's own words for a refused handshake."""
    try:
        return str(json.loads(problem.response.body or b"")["detail"])
    except (ValueError, KeyError, TypeError):
        status = problem.response.status_code
        return f"the service refuses with status {status}; check --session and --token"


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _places(regions: object) -> str:
    return ", ".join(_words(r) for r in regions) if isinstance(regions, list | tuple) else "face"
