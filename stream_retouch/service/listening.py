"""Push-to-talk of one session: what is said while the button is held becomes words, and the words an instruction.

    listen true ─ the peer's sound is collected ─ now and then a first guess ────── heard
    listen false ─ the last syllable is awaited ─ transcribed in the speech thread ─ heard, final ─ instruct

Everything here runs on the event loop; recognising runs in the speech thread, one utterance at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import Transcriber
from stream_retouch.errors import SpeechError
from stream_retouch.language.endpointer import TAIL_S, Endpointer
from stream_retouch.service import control
from stream_retouch.service.instructions import InstructionThread
from stream_retouch.service.parts import PeerPort

logger = logging.getLogger(__name__)

NO_MICROPHONE = "no microphone in this session; allow the microphone and connect again"
NOTHING_CAME = "nothing came from the microphone; check that it is on, or type instead"
TOO_FAST = "what was said before is still being recognised; wait a moment, then say it again"
COULD_NOT = "the words could not be recognised, something went wrong; say them again, or type them"
PATIENCE_S = TAIL_S + 0.4
"""How long after the button is let go an utterance ends even when no more sound comes, seconds."""
FIRST_GUESS_S = 1.0
"""Length of an utterance at its first guess, seconds; every further one waits for as much again."""
MOST_WAITING = 2
"""Utterances that may be recognised or wait for it."""


class Listening:
    """The ear of one session."""

    def __init__(
        self,
        transcriber: Transcriber | None,
        why_not: str,
        peer: PeerPort,
        thread: InstructionThread,
        tell: Callable[[control.Answer], None],
        instruct: Callable[[str | None, str], None],
    ) -> None:
        """
        Args:
            transcriber: called in `thread` only; None: nothing is listened to.
            why_not: the reason then, ending with the remedy.
            peer: whose sound it is.
            thread: shared by all sessions.
            tell: sends a message to the client.
            instruct: carries out final words: the id of the message that began them, and the words.
        """
        self._transcriber, self._why_not, self._peer = transcriber, why_not, peer
        self._thread, self._tell, self._instruct = thread, tell, instruct
        self._ear = Endpointer()
        self._id: str | None = None
        self._blocks = 0
        self._next_guess_s = FIRST_GUESS_S
        self._guess: asyncio.Task[None] | None = None
        self._finals: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, message: control.Listen, version: int) -> None:
        """The button was pressed or let go; answers ``ack`` or ``rejected``."""
        reason = self._why_not_now(message.value)
        if reason:
            self._tell(control.rejected(message.id, reason))
            return
        self._tell(control.ack(message.id, version))
        if message.value:
            self._press(message.id)
        elif self._ear.collecting:
            self._ear.release()
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._give_up_waiting)

    def close(self) -> list[asyncio.Task[None]]:
        """Stops listening; gives the tasks that are to be awaited."""
        self._stop()
        self._ear.cancel()
        tasks = [*self._finals, *([self._guess] if self._guess else [])]
        for task in tasks:
            task.cancel()
        return tasks

    def _why_not_now(self, pressed: bool) -> str:
        if self._transcriber is None:
            return self._why_not
        if not self._peer.has_audio:
            return NO_MICROPHONE
        return TOO_FAST if pressed and len(self._finals) >= MOST_WAITING else ""

    def _press(self, said_id: str | None) -> None:
        if self._timer is not None:  # let go a moment ago: what was said then counts
            self._give_up_waiting()
        self._stop()
        self._id, self._blocks, self._next_guess_s = said_id, 0, FIRST_GUESS_S
        self._ear.press()
        self._peer.listen(self._hear)

    def _stop(self) -> None:
        self._peer.listen(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hear(self, block: NDArray[np.int16]) -> None:
        self._blocks += 1
        whole = self._ear.push(block)
        if whole is not None:
            self._ended(whole)
        elif self._ear.seconds >= self._next_guess_s and self._guess is None:
            # The whole utterance is read anew each time, so guesses become rarer as it grows.
            self._next_guess_s = 2 * self._ear.seconds
            if self._ear.has_voice():
                self._guess = self._task(self._tell_guess(self._ear.so_far()), "guess")

    def _give_up_waiting(self) -> None:
        whole = self._ear.finish()
        if whole is not None:
            self._ended(whole)

    def _ended(self, whole: NDArray[np.int16]) -> None:
        self._stop()
        if not self._blocks:
            self._refuse(self._id, NOTHING_CAME)
        elif not len(whole):
            self._tell(control.heard("", final=True))
        else:
            task = self._task(self._carry_out(self._id, whole), "words")
            self._finals.add(task)
            task.add_done_callback(self._finals.discard)

    async def _tell_guess(self, samples: NDArray[np.int16]) -> None:
        mine = self._id
        try:
            text = await self._recognise(samples)
        except Exception as error:  # the final words will tell
            logger.debug("a first guess failed with %s", type(error).__name__)
            text = ""
        self._guess = None
        if text and self._ear.collecting and mine == self._id:
            self._tell(control.heard(text, final=False))

    async def _carry_out(self, said_id: str | None, samples: NDArray[np.int16]) -> None:
        try:
            text = await self._recognise(samples)
        except SpeechError as problem:
            self._refuse(said_id, str(problem))
            return
        except Exception as error:  # its text may hold what was said: only its kind is logged
            logger.error("speech failed with %s", type(error).__name__)
            self._refuse(said_id, COULD_NOT)
            return
        self._tell(control.heard(text, final=True))
        if text:
            self._instruct(said_id, text)

    async def _recognise(self, samples: NDArray[np.int16]) -> str:
        assert self._transcriber is not None
        return (await self._thread.run(partial(self._transcriber.transcribe, samples))).strip()

    def _refuse(self, said_id: str | None, reason: str) -> None:
        self._tell({**control.rejected(said_id, reason), "spoken": True})

    def _task(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=f"speech {name}")
