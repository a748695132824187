"""All open sessions of one service, and what they share."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable

from stream_retouch.engine import Batching, FaceFinder, Hasty, RetouchEngine
from stream_retouch.errors import ServiceUnavailable, SessionNotFound
from stream_retouch.metrics import Metrics, Queue
from stream_retouch.service.engine_turns import EngineTurns
from stream_retouch.service.instructions import InstructionThread
from stream_retouch.service.load import EngineUse, usable_cores
from stream_retouch.service.occupancy import Occupancy
from stream_retouch.service.overload import Overload
from stream_retouch.service.parts import Parts, PeerPort
from stream_retouch.service.resume import Kept, Resumption, Ticket
from stream_retouch.service.session import Session
from stream_retouch.service.watch import Watch
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
        cores: float | None = None,
        mark: str = "",
    ) -> None:
        """
        Args:
            cores: that may be used; None: as many as the system allows this process.
            mark: what ids and resume tokens begin with, see service/processes.
        """
        self._settings, self._metrics, self.mark = settings, metrics, mark
        self._make_peer, self._make_retoucher = make_peer, make_retoucher
        self._turns = EngineTurns()
        self._engine_use: Callable[[], EngineUse] = lambda: EngineUse(self._turns.held_s)
        self._instructions = InstructionThread()
        self._speech = InstructionThread("speech")
        self._open: dict[str, Session] = {}
        self._resumption = Resumption(mark=mark)
        self._overload = Overload(
            metrics,
            lambda: self._open,
            lambda: self._engine_use(),
            usable_cores() if cores is None else cores,
        )
        self._watch = Watch(metrics, self._depths, self._sweep)
        self._ending: set[asyncio.Task[None]] = set()
        self._count = 0
        self._closed = False
        self.on_change: Callable[[], None] | None = None
        """Called when a session begins or ends, and after every look at the load."""
        self._overload.on_look = self.changed

    def start(self) -> None:
        """Starts the instruction thread, the speech thread and the watch. Call once, on the loop."""
        self._instructions.start()
        self._speech.start()
        self._watch.start()
        self._overload.start()

    async def open(
        self,
        offer: str,
        parts: Parts,
        resume: str | None = None,
        *,
        peer: PeerPort | None = None,
    ) -> tuple[Session, str]:
        """A new session and the answer to its offer.

        Args:
            resume: the resume token of a session whose look this one takes over; that one ends, if
                it still hangs. A token that is not known leaves the session without a look, which
                its ticket tells.
            peer: the session's connection, a new one; None: as for ``/session``.

        Raises:
            SdpError: the offer is not usable.
            ServiceUnavailable: there are as many sessions as are allowed or as the machine carries,
                or the service is ending.
        """
        if self._closed:
            raise ServiceUnavailable("the service is ending; try again later", "ending")
        before = len(self._open)
        kept = None if resume is None else self._take_over(resume)
        # Who takes an open session's place adds nothing to the load.
        too_many = None if len(self._open) < before else self._overload.refusal()
        try:
            if too_many is not None:
                raise ServiceUnavailable(too_many, "overload")
            return await self._open_with(kept, resume is not None, offer, parts, peer)
        except BaseException:
            if resume is not None and kept is not None:
                self._resumption.put_back(resume, kept)
            raise

    async def _open_with(
        self,
        kept: Kept | None,
        asked: bool,
        offer: str,
        parts: Parts,
        peer: PeerPort | None,
    ) -> tuple[Session, str]:
        most = self._settings.max_sessions
        # Offers that come to two processes in the same few milliseconds may make it one more.
        if most is not None and len(self._open) + self.elsewhere.sessions >= most:
            raise ServiceUnavailable(
                f"all {most} sessions are taken; try again later, "
                "or start the service with a greater --max-sessions",
                "full",
            )
        self._count += 1
        session_id = self.mark + secrets.token_urlsafe(24)
        session = Session(
            session_id,
            f"session {self.mark}{self._count}",
            peer or self._make_peer(),
            parts,
            self._settings,
            self._metrics,
            self._instructions,
            self._speech,
            self._end_soon,
            Ticket(self._resumption.issue(session_id), kept, asked),
        )
        self._open[session.id] = session
        self._metrics.sessions.set(len(self._open))
        self.changed()
        try:
            answer = await session.open(offer, self._make_retoucher, self._turns)
        except BaseException:  # a cancelled request must free its place too
            self._resumption.forget(session_id)
            await self._end(session)
            raise
        if asked:
            self._metrics.resumed(kept is not None)
        logger.info(
            "%s begins%s", session.label, "" if kept is None else " with a look that was kept"
        )
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
        session = self.get(session_id)
        self._resumption.forget(session_id)
        await self._end(session)

    async def close(self) -> None:
        """Ends all sessions and the instruction thread, bounded. May be called twice."""
        self._closed = True
        await asyncio.gather(*(self._end(session) for session in list(self._open.values())))
        watches = (self._watch.close(), self._overload.close())
        await asyncio.gather(*self._ending, *watches, return_exceptions=True)
        self._resumption.clear()
        for thread in (self._instructions, self._speech):
            await asyncio.to_thread(thread.close, self._settings.shutdown_timeout_s)

    def share(self, engine: RetouchEngine) -> None:
        """Is told which engine there will be, before the first session."""
        self._turns.allow(engine.calls_at_once)
        if isinstance(engine, Batching):
            engine.on_batch = self._metrics.engine_batch
            # turns are held while others compute: the device itself knows what it does
            self._engine_use = lambda: EngineUse(engine.busy_s, 1, engine.cores_per_call)
        else:
            self._engine_use = lambda: EngineUse(
                self._turns.held_s,
                engine.calls_at_once,
                engine.cores_per_call,
                engine.haste_s if isinstance(engine, Hasty) else 0.0,
            )

    @property
    def elsewhere(self) -> Occupancy:
        """The other processes of this service, as they have told last."""
        return self._overload.elsewhere

    @elsewhere.setter
    def elsewhere(self, occupancy: Occupancy) -> None:
        self._overload.elsewhere = occupancy

    def occupancy(self, viewers: int) -> Occupancy:
        """How full this process is, which has so many viewers."""
        return Occupancy(len(self._open), viewers, self._overload.load, self._overload.is_saving)

    @property
    def engine_turns(self) -> EngineTurns:
        """Who calls the shared engine when."""
        return self._turns

    def free_soon(self) -> None:
        """A connection has ended: what it leaves behind is freed in a moment."""
        self._watch.collect_soon()

    async def _end(self, session: Session) -> None:
        self._leave(session)
        try:
            await session.close()
        finally:
            self.free_soon()

    def _end_soon(self, session: Session) -> None:
        """Ends a session from inside one of its own callbacks; its look is kept for a while."""
        self._resumption.leave(session.id, session.left_behind())
        self._end_in_background(session)

    def _take_over(self, token: str) -> Kept | None:
        """What the token stands for; a session that still hangs on to it gives up its place."""
        found = self._resumption.claim(token)
        if not isinstance(found, str):
            return found
        hanging = self._open.get(found)
        if hanging is None:
            return None
        self._leave(hanging)
        self._end_in_background(hanging)
        return hanging.left_behind()

    def _leave(self, session: Session) -> None:
        """Frees the session's place."""
        if self._open.pop(session.id, None) is not None:
            self._metrics.sessions.set(len(self._open))
            self.changed()
            logger.info("%s ends", session.label)

    def _end_in_background(self, session: Session) -> None:
        task = asyncio.create_task(self._end(session), name=f"end {session.label}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def changed(self) -> None:
        """Is called when anything has changed that other processes have to know."""
        if self.on_change is not None:
            self.on_change()

    def _depths(self) -> dict[Queue, int]:
        return {
            "decoder": sum(session.waiting for session in self._open.values()),
            "instructions": self._instructions.waiting,
            "speech": self._speech.waiting,
        }

    def _sweep(self) -> int:
        self._resumption.sweep()
        return len(self._resumption)
