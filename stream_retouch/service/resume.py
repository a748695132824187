"""Looks that outlive their connection.

A network that changes, a page that is loaded again and a client that crashes all end a session whose
user is still there and expects the same face. So every session has a secret token: for a minute after
the session ended by itself, whoever brings the token gets the look and the dialogue back. Nothing is
written anywhere; what nobody asks for is forgotten.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stream_retouch.language.plan import Dialogue
from stream_retouch.media.retouch import Look

KEEP_S = 60.0
"""How long a look is kept, seconds."""
MOST_KEPT = 64
"""Looks kept at one time; then the oldest is forgotten. One takes up to 130 kB."""
BACK = "your look is back"
GONE = "this resume token is not known, or its time is over; the session begins without a look"


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a session leaves behind."""

    look: Look
    dialogue: Dialogue = field(repr=False)
    reply: str = field(repr=False)

    def __post_init__(self) -> None:
        # Faces are numbered anew in every session.
        object.__setattr__(self, "look", replace(self.look, by_face={}))


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """How a session begins, and how it can be taken over later."""

    token: str = field(repr=False)
    kept: Kept | None = None
    """The look that it takes over."""
    asked: bool = False
    """Whether a look was asked for."""

    @property
    def resumed(self) -> bool | None:
        """Whether the look that was asked for is back; None when none was asked for."""
        return self.kept is not None if self.asked else None

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer that begins the session: its own token, and whether the look is back."""
        told = {None: {}, True: {"Resumed": "?1"}, False: {"Resumed": "?0"}}[self.resumed]
        return {"Resume": self.token, **told}

    @property
    def note(self) -> str:
        """That in words; empty when none was asked for."""
        return {None: "", True: BACK, False: GONE}[self.resumed]


class Resumption:
    """The tokens of open sessions, and what ended ones left behind. Event loop only.

    Tokens are looked up by their hash: neither this table nor the time a look-up takes tells one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, mark: str = "") -> None:
        """Tokens begin with `mark`."""
        self._clock, self._mark = clock, mark
        self._open: dict[bytes, str] = {}
        self._by_session: dict[str, bytes] = {}
        self._kept: OrderedDict[bytes, tuple[float, Kept]] = OrderedDict()

    def __len__(self) -> int:
        """Looks kept now."""
        return len(self._kept)

    def issue(self, session_id: str) -> str:
        """A new token, of an open session."""
        token = self._mark + secrets.token_urlsafe(32)
        self._open[_hash(token)] = session_id
        self._by_session[session_id] = _hash(token)
        return token

    def claim(self, token: str) -> str | Kept | None:
        """What the token stands for: the id of a session that is still open, what an ended one left,
        or nothing. It stands for nothing from then on."""
        self.sweep()
        key = _hash(token)
        session_id = self._open.pop(key, None)
        if session_id is not None:
            del self._by_session[session_id]
            return session_id
        _, kept = self._kept.pop(key, (0.0, None))
        return kept

    def put_back(self, token: str, kept: Kept) -> None:
        """The look could not be taken over after all; the token stands for it again."""
        self._keep(_hash(token), kept)

    def leave(self, session_id: str, kept: Kept) -> None:
        """A session has ended by itself; its token stands for `kept` from now on."""
        key = self._release(session_id)
        if key is not None:
            self._keep(key, kept)

    def forget(self, session_id: str) -> None:
        """A session was ended on purpose; its token stands for nothing."""
        self._release(session_id)

    def sweep(self) -> None:
        """Forgets what has been kept for too long."""
        now = self._clock()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything."""
        self._open.clear()
        self._by_session.clear()
        self._kept.clear()

    def _release(self, session_id: str) -> bytes | None:
        key = self._by_session.pop(session_id, None)
        if key is not None:
            del self._open[key]
        return key

    def _keep(self, key: bytes, kept: Kept) -> None:
        self.sweep()
        self._kept[key] = (self._clock() + KEEP_S, kept)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
