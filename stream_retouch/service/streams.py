"""Streams by name: who publishes each (WHIP), and who watches it (WHEP).

A name belongs to its publisher from the offer to the end of the connection. A publisher is a
session like any other; a viewer is a connection of its own that cannot change anything.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from stream_retouch.errors import (
    ServiceUnavailable,
    SessionNotFound,
    SettingsError,
    StreamConflict,
)
from stream_retouch.metrics import Metrics
from stream_retouch.rtc.trickle import Fragment
from stream_retouch.service.parts import Parts, PeerPort
from stream_retouch.service.session import Session
from stream_retouch.service.sessions import Sessions

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9_.~-]{8,64}")
REMEMBERED = 256
"""Ended viewers whose reason is kept for when they ask."""


class StreamPort(Protocol):
    """What the service needs of rtc.FanOut."""

    @property
    def closed(self) -> str | None:
        """Why the stream is over; None while it goes on."""
        ...


class PublisherPort(PeerPort, Protocol):
    """What the service needs of rtc.Publisher."""

    @property
    def stream(self) -> StreamPort:
        """Where its retouched frames go."""
        ...

    async def trickle(self, fragment: Fragment) -> bool:
        """Takes candidates; False when they are of another ICE session."""
        ...


class ViewerPort(Protocol):
    """What the service needs of rtc.Viewer."""

    on_closed: Callable[[], None] | None
    """Called on the loop once the connection is gone for good."""

    @property
    def end_reason(self) -> str | None:
        """Why it ended; None while it lives."""
        ...

    async def answer(self, offer_sdp: str) -> str:
        """The answer; raises SdpError."""
        ...

    async def trickle(self, fragment: Fragment) -> bool:
        """Takes candidates; False when they are of another ICE session."""
        ...

    async def close(self) -> None:
        """Idempotent and bounded."""
        ...


def _etag() -> str:
    return f'"{secrets.token_hex(8)}"'


@dataclass(frozen=True, slots=True)
class Connected:
    """One connection as its resource URL names it."""

    id: str
    trickle: Callable[[Fragment], Awaitable[bool]] = field(repr=False)
    """Takes candidates; False when they are of another ICE session."""
    etag: str = field(default_factory=_etag)
    """Of its ICE session: strong, in quotes."""


@dataclass(frozen=True, slots=True)
class _Watching:
    """One viewer."""

    connected: Connected
    link: ViewerPort


@dataclass(slots=True)
class _Stream:
    """A name that is taken."""

    port: StreamPort
    control_key: str | None
    publisher: Connected | None = None
    """None while its offer is being answered."""
    viewers: dict[str, _Watching] = field(default_factory=dict)


class Streams:
    """All streams of one service. Event loop only."""

    def __init__(
        self,
        sessions: Sessions,
        metrics: Metrics,
        make_publisher: Callable[[], PublisherPort],
        make_viewer: Callable[[StreamPort], ViewerPort],
        most_viewers: int,
    ) -> None:
        """`most_viewers` may watch at one time, over all streams."""
        self._sessions, self._metrics = sessions, metrics
        self._make_publisher, self._make_viewer = make_publisher, make_viewer
        self._most_viewers = most_viewers
        self._streams: dict[str, _Stream] = {}
        self._viewers = 0
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._ending: set[asyncio.Task[None]] = set()

    # Publishing

    async def publish(
        self,
        name: str,
        offer: str,
        parts: Parts,
        *,
        control_key: str | None = None,
        resume: str | None = None,
    ) -> tuple[Connected, Session, str]:
        """A new publisher's connection, its session, and the answer to its offer.

        Args:
            control_key: the publisher's own choice, by which its session can be steered, see
                `session_id`.
            resume: see `Sessions.open`.

        Raises:
            SettingsError: the name or the key is not usable.
            StreamConflict: somebody publishes under this name.
            SdpError, ServiceUnavailable: see `Sessions.open`.
        """
        _check_name(name)
        if control_key is not None and not _KEY.fullmatch(control_key):
            raise SettingsError("control must be 8 to 64 letters, digits or - _ . ~")
        self._forget_closed()
        if name in self._streams:
            raise StreamConflict(
                f"somebody publishes as {name} already; choose another name, or try again when "
                "they have left"
            )
        peer = self._make_publisher()
        stream = self._streams[name] = _Stream(peer.stream, control_key)
        try:
            session, answer = await self._sessions.open(offer, parts, resume, peer=peer)
        except BaseException:
            if self._streams.get(name) is stream:
                del self._streams[name]
            raise
        stream.publisher = Connected(session.id, peer.trickle)
        logger.info("%s publishes", session.label)
        return stream.publisher, session, answer

    def publisher(self, name: str, session_id: str) -> Connected:
        """The publisher's connection.

        Raises:
            SessionNotFound: there is none of this name and id.
        """
        stream = self._open(name)
        publisher = None if stream is None else stream.publisher
        if publisher is None or publisher.id != session_id:
            raise SessionNotFound(session_id)
        return publisher

    async def end_publisher(self, name: str, session_id: str) -> None:
        """Ends a publisher and with it the stream; waits until all is freed.

        Raises:
            SessionNotFound: there is none.
        """
        await self._sessions.end(self.publisher(name, session_id).id)
        self._forget_closed()

    def session_id(self, said: str) -> str:
        """The id of the session that `said` stands for: ``NAME:KEY``, with the key that its
        publisher has chosen, or an id, which is given back as it is."""
        name, colon, key = said.partition(":")
        stream = self._open(name) if colon else None
        if stream is None or stream.publisher is None or stream.control_key is None:
            return said
        matches = secrets.compare_digest(stream.control_key.encode(), key.encode())
        return stream.publisher.id if matches else said

    # Watching

    async def watch(self, name: str, offer: str) -> tuple[Connected, str]:
        """A new viewer's connection and the answer to its offer.

        Raises:
            SettingsError: the name is not usable.
            StreamConflict: nobody publishes under this name.
            ServiceUnavailable: as many watch as are allowed.
            SdpError: the offer is not usable.
        """
        _check_name(name)
        stream = self._open(name)
        if stream is None or stream.publisher is None:
            raise StreamConflict(f"nobody publishes as {name} now; try again later")
        if self._viewers + self._sessions.elsewhere.viewers >= self._most_viewers:
            raise ServiceUnavailable(
                f"all {self._most_viewers} places for viewers are taken; try again later, or start "
                "the service with a greater --max-viewers",
                "full",
            )
        link = self._make_viewer(stream.port)
        viewer = _Watching(Connected(self._new_id(), link.trickle), link)
        link.on_closed = lambda: self._viewer_left(stream, viewer)
        self._add(stream, viewer)
        try:
            return viewer.connected, await link.answer(offer)
        except BaseException as error:
            self._remove(stream, viewer)
            await link.close()
            if isinstance(error, Exception) and stream.port.closed is not None:
                raise StreamConflict(stream.port.closed) from error  # it ended meanwhile
            raise

    def viewer(self, name: str, viewer_id: str) -> Connected:
        """The viewer's connection.

        Raises:
            SessionNotFound: there is none; its text is the reason, if it has ended lately.
        """
        return self._watching(name, viewer_id)[1].connected

    async def end_viewer(self, name: str, viewer_id: str) -> None:
        """Ends a viewer; waits until all of it is freed.

        Raises:
            SessionNotFound: there is none.
        """
        stream, viewer = self._watching(name, viewer_id)
        self._remove(stream, viewer)
        await self._end(viewer)

    async def close(self) -> None:
        """Ends all viewers. May be called twice. Publishers end as sessions do."""
        for stream in list(self._streams.values()):
            for viewer in list(stream.viewers.values()):
                self._remove(stream, viewer)
                self._end_soon(viewer)
        await asyncio.gather(*self._ending, return_exceptions=True)

    @property
    def viewers(self) -> int:
        """That watch now, over all streams of this process."""
        return self._viewers

    def _new_id(self) -> str:
        return self._sessions.mark + secrets.token_urlsafe(24)

    def _open(self, name: str) -> _Stream | None:
        stream = self._streams.get(name)
        return None if stream is None or stream.port.closed is not None else stream

    def _watching(self, name: str, viewer_id: str) -> tuple[_Stream, _Watching]:
        stream = self._streams.get(name)
        viewer = None if stream is None else stream.viewers.get(viewer_id)
        if stream is None or viewer is None:
            raise SessionNotFound(viewer_id, self._ended.get(viewer_id))
        return stream, viewer

    def _viewer_left(self, stream: _Stream, viewer: _Watching) -> None:
        """The connection has ended by itself, or with the stream."""
        self._remove(stream, viewer)
        self._ended[viewer.connected.id] = viewer.link.end_reason or "the viewer has left"
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._end_soon(viewer)

    async def _end(self, viewer: _Watching) -> None:
        try:
            await viewer.link.close()
        finally:
            self._sessions.free_soon()

    def _end_soon(self, viewer: _Watching) -> None:
        task = asyncio.create_task(self._end(viewer), name="end viewer")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _add(self, stream: _Stream, viewer: _Watching) -> None:
        stream.viewers[viewer.connected.id] = viewer
        self._viewers += 1
        self._metrics.viewers.set(self._viewers)
        self._sessions.changed()

    def _remove(self, stream: _Stream, viewer: _Watching) -> None:
        if stream.viewers.pop(viewer.connected.id, None) is not None:
            self._viewers -= 1
            self._metrics.viewers.set(self._viewers)
            self._sessions.changed()

    def _forget_closed(self) -> None:
        over = [name for name, stream in self._streams.items() if stream.port.closed is not None]
        for name in over:
            del self._streams[name]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SettingsError("the name of a stream is 1 to 64 letters, digits or - _ .")
