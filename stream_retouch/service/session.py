"""One user's connection: peer, frame worker, look and dialogue.

    control message ─ Session.receive ─ strength, enable, overlay ───────────── new look
                                      └ instruct, set_plan ─ instruction thread:
                                                   plan, then prepare ───────── new look
    frame thread: reads session.look once per frame; tells the first frame that shows it

Everything here runs on the event loop, except where a docstring says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from stream_retouch.engine import Conditioning, FaceFinder
from stream_retouch.language.plan import Dialogue, InstructionPlan, amounts
from stream_retouch.media.retouch import Look
from stream_retouch.metrics import Metrics
from stream_retouch.service import control
from stream_retouch.service.engine_turns import EngineTurns
from stream_retouch.service.instructions import InstructionThread, call_on
from stream_retouch.service.ladder import Rung
from stream_retouch.service.listening import Listening
from stream_retouch.service.load import Effort
from stream_retouch.service.parts import Parts, PeerPort, no_look
from stream_retouch.service.pulse import PULSE_S, Pulse
from stream_retouch.service.rate_limits import MESSAGES_PER_S, MessageLimit
from stream_retouch.service.resume import Kept, Ticket
from stream_retouch.service.understanding import Asked, Understood, understand
from stream_retouch.service.worker import FrameWorker, Retoucher
from stream_retouch.settings import Settings

logger = logging.getLogger(__name__)

AWAY_S = 0.25
"""Seconds until a face that was hidden just now is asked for its crop again."""
SUPERSEDED = "superseded by a newer instruction"
COULD_NOT = (
    "this could not be carried out, something went wrong; the look is unchanged, try other words"
)
TOO_MANY = f"too many messages; send at most {MESSAGES_PER_S:g} a second"
READY = "Nothing is changed yet: say what to retouch."


class Session:
    """One user. Made by `Sessions.open`, ended by `close`.

    `look` changes by one assignment; the frame thread reads it once per frame.
    """

    def __init__(
        self,
        session_id: str,
        label: str,
        peer: PeerPort,
        parts: Parts,
        settings: Settings,
        metrics: Metrics,
        instructions: InstructionThread,
        speech: InstructionThread,
        on_ended: Callable[[Session], None],
        ticket: Ticket,
    ) -> None:
        self.id = session_id
        self.label = label
        self.ticket = ticket
        kept = ticket.kept or Kept(no_look(), Dialogue(), READY)
        self.look, self._dialogue, self._reply = kept.look, kept.dialogue, kept.reply
        self._peer, self._parts, self._settings, self._metrics = peer, parts, settings, metrics
        self._instructions, self._on_ended = instructions, on_ended
        self._listening = Listening(
            parts.transcriber, parts.no_speech, peer, speech, self._tell, self._instruct
        )
        self._loop = asyncio.get_running_loop()
        self._retoucher: Retoucher | None = None
        self._worker: FrameWorker | None = None
        self._limit = MessageLimit()
        self._vital = Pulse(peer, metrics)
        self._pending: Asked | None = None
        self._wanted = asyncio.Event()
        self._face_ids: frozenset[int] = frozenset()
        self._tried: set[int] = set()
        # Version of the look -> (when its message arrived, whether it was an instruction).
        self._unseen: dict[int, tuple[float, bool]] = {}
        self._outboxes: set[control.Outbox] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None

    async def open(
        self,
        offer: str,
        make_retoucher: Callable[[FaceFinder], Retoucher],
        turns: EngineTurns,
    ) -> str:
        """Answers the offer and starts the frame path.

        Raises:
            SdpError: the offer is not usable.
        """
        self._peer.on_open = self._greet
        self._peer.on_message = self.receive
        self._peer.on_closed = partial(self._on_ended, self)
        self._peer.on_stalled = lambda stalled: self._tell(control.video(stalled))
        answer = await self._peer.answer(offer)
        finder = self._parts.finder
        retoucher = await asyncio.to_thread(lambda: make_retoucher(finder()))
        self._retoucher = retoucher
        self._worker = FrameWorker(
            self._peer,
            retoucher,
            self._parts.engine,
            turns,
            lambda: self.look,
            self._metrics,
            budget_s=self._settings.frame_budget_ms / 1000,
            on_applied=lambda *seen: call_on(self._loop, partial(self._applied, *seen)),
            on_faces=lambda ids: call_on(self._loop, partial(self._faces_changed, ids)),
            label=self.label,
        )
        if self._closing is None:  # the peer may have gone while the finder was loading
            self._worker.start()
            self._tasks = [
                asyncio.create_task(self._follow_words(), name=f"words {self.label}"),
                asyncio.create_task(self._pulse(), name=f"pulse {self.label}"),
            ]
        return answer

    async def close(self) -> None:
        """Ends everything of this session, in about `Settings.shutdown_timeout_s`. May be called
        twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name=f"close {self.label}")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._peer.on_open = self._peer.on_message = None
        self._peer.on_closed = self._peer.on_stalled = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._listening.close(), return_exceptions=True)
        for outbox in self._outboxes:
            outbox.close()
        timeout_s = self._settings.shutdown_timeout_s
        parts: list[Awaitable[object]] = [self._close_peer(timeout_s)]
        if self._worker is not None:
            parts.append(asyncio.to_thread(self._worker.close, timeout_s))
        await asyncio.gather(*parts)

    @property
    def waiting(self) -> int:
        """Encoded frames that wait for the decoder."""
        return self._peer.waiting

    def left_behind(self) -> Kept:
        """What whoever resumes this session gets."""
        return Kept(self.look, self._dialogue, self._reply)

    async def _close_peer(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._peer.close()
        except TimeoutError:
            logger.warning(
                "%s: the connection did not close in time; it is left behind", self.label
            )
        except Exception:  # the rest of the session must still be freed
            logger.exception("%s: the connection did not close well", self.label)

    # Messages

    def subscribe(self) -> control.Outbox:
        """An outbox that gets every message of this session from now on."""
        outbox = control.Outbox()
        if self._closing is not None:
            outbox.close()
        self._outboxes.add(outbox)
        return outbox

    def unsubscribe(self, outbox: control.Outbox) -> None:
        """Ends `subscribe`."""
        outbox.close()
        self._outboxes.discard(outbox)

    def _greet(self) -> None:
        """Tells the resume token: to the peer alone, not to whoever listens, and to no log."""
        self._peer.send_message(control.encode(control.resume(self.ticket)))
        if self.ticket.resumed:
            self._tell(self._state(None))

    def receive(self, text: str) -> None:
        """Takes one control message and answers it, unless they are too many. Never raises, whatever
        the text."""
        verdict = self._limit.verdict(time.monotonic())
        if verdict != "take":
            self._metrics.rate_limited("message")
            if verdict == "tell":
                self._tell(control.error(None, TOO_MANY))
            return
        logger.debug("%s < %s", self.label, text)
        message = control.parse(text, self._settings)
        match message:
            case control.Refusal():
                self._tell(control.error(message.id, message.reason))
            case control.Instruct() | control.SetPlan():
                self._ask(message)
                self._tell(control.ack(message.id, self.look.version))
            case control.Listen():
                self._listening.take(message, self.look.version)
            case control.Strength():
                self._turn(message.id, replace(self.look, strength=message.value))
            case control.Enable():
                self._turn(message.id, replace(self.look, enabled=message.value))
            case control.Overlay():
                self._turn(message.id, replace(self.look, overlay=message.value))
            case control.AskState():
                self._tell(control.ack(message.id, self.look.version))
                self._tell(self._state(message.id))

    def _ask(self, message: control.Instruct | control.SetPlan) -> None:
        if self._pending is not None:
            self._reject(self._pending, SUPERSEDED)
        self._pending = Asked(message, time.monotonic())
        self._wanted.set()

    def _instruct(self, said_id: str | None, text: str) -> None:
        self._ask(control.Instruct(said_id, text[: self._settings.max_text_chars], spoken=True))

    def _reject(self, asked: Asked, reason: str) -> None:
        self._tell(control.rejected(asked.message.id, reason) | control.origin(asked.message))

    def _turn(self, said_id: str | None, look: Look) -> None:
        """A change that needs no new conditioning."""
        self._show(look, time.monotonic(), instructed=False)
        self._tell(control.ack(said_id, self.look.version))

    def _show(self, look: Look, asked_at: float, *, instructed: bool) -> None:
        version = self.look.version + 1
        self._unseen[version] = (asked_at, instructed)
        self.look = replace(look, version=version)

    def _tell(self, answer: control.Answer) -> None:
        text = control.encode(answer)
        logger.debug("%s > %s", self.label, text)
        self._peer.send_message(text)
        for outbox in self._outboxes:
            outbox.put(text)

    def _state(self, said_id: str | None) -> control.Answer:
        faces = self._worker.stats().faces if self._worker is not None else 0
        return control.state(said_id, self.look, self._reply, faces, self._parts.engine.name)

    def _applied(self, version: int, first_pts_s: float, seen_at: float) -> None:
        """The first frame that shows `version` has left."""
        asked = self._unseen.get(version)
        self._unseen = {v: when for v, when in self._unseen.items() if v > version}
        if asked is None:
            return
        asked_at, instructed = asked
        if instructed:
            self._metrics.instruction_seconds.observe(seen_at - asked_at)
            logger.info("%s: an instruction shows, version %d", self.label, version)
        self._tell(control.applied(version, first_pts_s, (seen_at - asked_at) * 1000))

    # Words

    async def _follow_words(self) -> None:
        """Instructions first, then faces that still wear the default conditioning; one call at a
        time."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while True:
                if self._pending is not None:
                    asked, self._pending = self._pending, None
                    await self._carry_out(asked)
                elif (face_id := self._unprepared()) is not None:
                    await self._prepare_face(face_id)
                else:
                    break

    async def _carry_out(self, asked: Asked) -> None:
        assert self._retoucher is not None
        call = partial(understand, asked.message, self._dialogue, self._parts, self._retoucher)
        try:
            understood = await self._instructions.run(call)
        except Exception as error:  # its text may hold what the user said: only its kind is logged
            logger.error("%s: an instruction failed with %s", self.label, type(error).__name__)
            logger.debug("%s: the instruction that failed", self.label, exc_info=True)
            self._reject(asked, COULD_NOT)
            return
        if self._pending is not None:
            self._reject(asked, SUPERSEDED)
            return
        self._dialogue, self._reply = understood.dialogue, understood.reply
        if understood.conditioning is None:
            self._reject(asked, understood.reply)
            return
        self._dress(understood, asked.at)
        told = replace(self.look.plan, action=understood.plan.action)
        answer = control.plan(asked.message.id, self.look.version, told, understood.reply)
        self._tell(answer | control.origin(asked.message))
        self._wanted.set()

    def _dress(self, understood: Understood, asked_at: float) -> None:
        """Replaces the look by one with the new plan; strength, on/off and overlay stay."""
        assert understood.conditioning is not None
        plan, conditioning = understood.dialogue.look, understood.conditioning
        self._check(conditioning)
        own = {} if understood.face_id is None else {understood.face_id: conditioning}
        self._tried = set(own)
        look = replace(self.look, plan=plan, table=amounts(plan), default=conditioning, by_face=own)
        self._show(look, asked_at, instructed=True)

    # Faces

    def _faces_changed(self, ids: frozenset[int]) -> None:
        self._face_ids = ids
        self._tried &= ids
        if not ids.issuperset(self.look.by_face):
            kept = {face: own for face, own in self.look.by_face.items() if face in ids}
            self.look = replace(self.look, by_face=kept)
        self._wanted.set()

    def _unprepared(self) -> int | None:
        """A face in view that has no conditioning of its own yet, when the look asks for
        anything."""
        if not self.look.table.any():
            return None
        return min(self._face_ids - self._tried - self.look.by_face.keys(), default=None)

    async def _prepare_face(self, face_id: int) -> None:
        self._tried.add(face_id)
        plan = self.look.plan
        try:
            conditioning = await self._instructions.run(partial(self._prepare, plan, face_id))
        except Exception as error:  # the face keeps the default
            logger.error("%s: a face was not prepared: %s", self.label, type(error).__name__)
            return
        if conditioning is None:
            # it is hidden for a moment; unless it leaves, it is asked for again
            self._loop.call_later(AWAY_S, self._ask_again, face_id)
            return
        # The look may have changed meanwhile: a newer plan starts over with every face.
        if plan is self.look.plan and face_id in self._face_ids:
            self._check(conditioning)
            self.look = replace(self.look, by_face={**self.look.by_face, face_id: conditioning})

    def _ask_again(self, face_id: int) -> None:
        if self._closing is None:
            self._tried.discard(face_id)
            self._wanted.set()

    def _prepare(self, plan: InstructionPlan, face_id: int) -> Conditioning | None:
        """Instruction thread. None when the face is away."""
        retoucher, conditioner = self._retoucher, self._parts.conditioner
        assert retoucher is not None and conditioner is not None
        crop = retoucher.key_crop(face_id)
        return None if crop is None else conditioner.prepare(plan, crop)

    def _check(self, conditioning: Conditioning) -> None:
        if not conditioning.agrees:
            self._metrics.conditioning_mismatches.inc()

    # Health

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            assert self._worker is not None
            self._tell(self._vital.beat(self._worker.stats(), self._worker.rung.number))

    def effort(self) -> Effort:
        """What was done so far."""
        done = self._worker.effort() if self._worker is not None else Effort()
        return self._vital.effort(done, self._settings.frame_budget_ms)

    def go_to(self, rung: Rung) -> None:
        """Does as much for each frame from now on, and tells the client."""
        if self._worker is not None:
            self._worker.rung = rung
        self._tell(control.quality(rung.number, rung.scale, rung.note))
