"""All open sessions of one service, and what they share."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable

from stream_retouch.engine import FaceFinder
from stream_retouch.errors import ServiceUnavailable, SessionNotFound
from stream_retouch.metrics import Metrics
from stream_retouch.service.instructions import InstructionThread
from stream_retouch.service.parts import Parts, PeerPort
from stream_retouch.service.session import Session
from stream_retouch.service.worker import Retoucher
from stream_retouch.settings import Settings

logger = logging.getLogger(__name__)


class Sessions:
    """All open sessions of one service, and what they share."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        make_peer: Callable[[], PeerPort],
        make_retoucher: Callable[[FaceFinder], Retoucher],
    ) -> None:
        self._settings, self._metrics = settings, metrics
        self._make_peer, self._make_retoucher = make_peer, make_retoucher
        self._engine_lock = threading.Lock()
        self._instructions = InstructionThread()
        self._speech = InstructionThread("speech")
        self._open: dict[str, Session] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._count = 0
        self._closed = False

    def start(self) -> None:
        """Starts the instruction thread and the speech thread. Call once."""
        self._instructions.start()
        self._speech.start()

    async def open(self, offer: str, parts: Parts) -> tuple[Session, str]:
        """A new session and the answer to its offer.

        Raises:
            SdpError: the offer is not usable.
            ServiceUnavailable: there are as many sessions as are allowed, or the service is ending.
        """
        if self._closed:
            raise ServiceUnavailable("the service is ending; try again later")
        if len(self._open) >= self._settings.max_sessions:
            raise ServiceUnavailable(
                f"all {self._settings.max_sessions} sessions are taken; try again later, "
                "or start the service with a greater --max-sessions"
            )
        self._count += 1
        session = Session(
            secrets.token_urlsafe(24),
            f"session {self._count}",
            self._make_peer(),
            parts,
            self._settings,
            self._metrics,
            self._instructions,
            self._speech,
            self._end_soon,
        )
        self._open[session.id] = session
        self._metrics.sessions.set(len(self._open))
        try:
            answer = await session.open(offer, self._make_retoucher, self._engine_lock)
        except BaseException:  # a cancelled request must free its place too
            await self._end(session)
            raise
        logger.info("%s begins", session.label)
        return session, answer

    def get(self, session_id: str) -> Session:
        """The open session of that id.

        Raises:
            SessionNotFound: there is none.
        """
        session = self._open.get(session_id)
        if session is None:
            raise SessionNotFound(session_id)
        return session

    async def end(self, session_id: str) -> None:
        """Ends a session and waits until it has freed everything.

        Raises:
            SessionNotFound: there is none.
        """
        await self._end(self.get(session_id))

    async def close(self) -> None:
        """Ends all sessions and the instruction thread, bounded. May be called twice."""
        self._closed = True
        await asyncio.gather(*(self._end(session) for session in list(self._open.values())))
        await asyncio.gather(*self._ending, return_exceptions=True)
        for thread in (self._instructions, self._speech):
            await asyncio.to_thread(thread.close, self._settings.shutdown_timeout_s)

    @property
    def engine_lock(self) -> threading.Lock:
        """Serialises the calls of the shared engine."""
        return self._engine_lock

    async def _end(self, session: Session) -> None:
        if self._open.pop(session.id, None) is not None:
            self._metrics.sessions.set(len(self._open))
            logger.info("%s ends", session.label)
        await session.close()

    def _end_soon(self, session: Session) -> None:
        """Ends a session from inside one of its own callbacks."""
        task = asyncio.create_task(self._end(session), name=f"end {session.label}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
